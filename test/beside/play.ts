// Plays scenarios on one side, several at a time, and compares what was seen on two.
import type { History } from './recorder.ts';
import type { Side } from './side.ts';
import { createStage, type Scenario } from './stage.ts';

export interface Result extends History {
  readonly said: readonly string[];
}

const AT_ONCE = 4;

/** What was seen, by the scenarios' names. */
export async function play(side: Side, scenarios: readonly Scenario[]): Promise<Readonly<Record<string, Result>>> {
  const results: Record<string, Result> = {};
  const together = scenarios.filter(({ alone }) => alone !== true);
  const queue = together.values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const scenario of queue) results[scenario.name] = await playOne(side, scenario);
    }),
  );
  for (const scenario of scenarios) if (scenario.alone === true) results[scenario.name] = await playOne(side, scenario);
  return results;
}

async function playOne(side: Side, { name, run }: Scenario): Promise<Result> {
  const prefix = name.replaceAll(/[^a-z0-9]+/g, '-');
  const said: string[] = [];
  const stage = createStage(side, prefix, (text) => void said.push(text));
  const startedAt = Date.now();
  await run(stage).catch((error: unknown) => void said.push(`ended early: ${String(error)}`));
  // The recorder asks in turns; what just happened is in its next round.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const history = side.recorder.historyOf(prefix);
  const { json } = await side.call('GET', '/services');
  for (const { ID, Spec } of json as readonly { ID: string; Spec: { Name: string } }[])
    if (Spec.Name === prefix || Spec.Name.startsWith(`${prefix}_`)) await side.call('DELETE', `/services/${ID}`);
  console.error(`${side.name}: ${name} (${((Date.now() - startedAt) / 1000).toFixed(1)} s)`);
  return { ...history, said };
}

/**
 * One line per difference: - is dockerd's, + is Skep's. What depends on when somebody looked is left out: states that lasted for less than a look, and which of equal
 * slots came first.
 */
export function compare(theirs: Result, ours: Result): readonly string[] {
  return [
    ...differences('said', theirs.said.map(withoutIds), ours.said.map(withoutIds)),
    ...(sameLines(theirs.events, ours.events) ? [] : [...theirs.events.map((line) => `events - ${line}`), ...ours.events.map((line) => `events + ${line}`)]),
    ...(theirs.statuses.at(-1)?.replace(TASK, '') === ours.statuses.at(-1)?.replace(TASK, '') ? [] : differences('statuses', theirs.statuses, ours.statuses)),
    ...differences('tasks', theirs.tasks.map(bySlotOnly), ours.tasks.map(bySlotOnly)),
    ...ours.wrong.map((line) => `wrong: ${line}`),
  ];
}

const TASK = /<task [^>]*>/;

function withoutIds(text: string): string {
  return text.replaceAll(/[0-9a-z]{25}/g, '<id>');
}

/** What a task became, without which slot's it is and how it was asked to. */
function bySlotOnly(line: string): string {
  const became = line.replace(/\.[^.# ]+#/, '.#').replace(/desired [a-z>]*?([a-z]+):/, 'desired $1:');
  // What it was asked for last may have been too short before it went.
  return became.endsWith(': gone') ? became.replace(/desired [a-z]+: /, '') : became;
}

function sameLines(before: readonly string[], after: readonly string[]): boolean {
  return before.length === after.length && before.every((line, index) => line === after[index]);
}

/** Lines count as often as they are there. */
function differences(part: string, before: readonly string[], after: readonly string[]): readonly string[] {
  const left = [...after];
  const gone = before.filter((line) => {
    const index = left.indexOf(line);
    if (index < 0) return true;
    left.splice(index, 1);
    return false;
  });
  return [...gone.map((line) => `${part} - ${line}`), ...left.map((line) => `${part} + ${line}`)];
}
