// Typos: what was probably meant.
import type { FlagSpec } from './command.ts';

const MAX_SUGGESTIONS = 2;

/** The known words nearest to `word`: at most a third of its letters wrong, or beginning with it. */
export function suggestions(word: string, known: readonly string[]): readonly string[] {
  const limit = Math.max(1, Math.floor(word.length / 3));
  return known
    .map((candidate) => ({ candidate, distance: candidate.startsWith(word) && word.length > 1 ? 0 : distance(word, candidate) }))
    .filter(({ distance: steps }) => steps <= limit)
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, MAX_SUGGESTIONS)
    .map(({ candidate }) => candidate);
}

/** For `unknown flag: --replica`; empty when nothing is near. */
export function flagHint(message: string, flags: readonly FlagSpec[]): string {
  const name = /^unknown flag: --(.+)$/.exec(message)?.[1];
  if (name === undefined) return '';
  const near = suggestions(
    name,
    flags.filter(({ hidden }) => !hidden).map((flag) => flag.name),
  );
  return near.length === 0 ? '' : `\n\nDid you mean ${near.map((candidate) => `--${candidate}`).join(' or ')}?`;
}

/** Letters to insert, delete, replace, or swap with their neighbour. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((rows[i - 1]?.[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (rows[i - 1]?.[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
