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

/** One line per difference: - is dockerd's, + is Skep's. */
export function compare(theirs: Result, ours: Result): readonly string[] {
  const parts = ['said', 'statuses', 'events', 'tasks', 'wrong'] as const;
  return parts.flatMap((part) => {
    const [before, after] = [theirs[part], ours[part]];
    if (JSON.stringify(before) === JSON.stringify(after)) return [];
    if (part === 'statuses' || part === 'events') return [...before.map((line) => `${part} - ${line}`), ...after.map((line) => `${part} + ${line}`)];
    return [
      ...before.filter((line) => !after.includes(line)).map((line) => `${part} - ${line}`),
      ...after.filter((line) => !before.includes(line)).map((line) => `${part} + ${line}`),
    ];
  });
}
