// Options of the commands that print tasks, and printing them.
import type { Task } from '#docker-api/task.ts';
import type { FlagSpec, Invocation } from '../command.ts';
import { formatOf, jsonFlag } from '../shared/options.ts';
import { createNames, withNames } from './resolve.ts';
import { arrange, renderTasks } from './table.ts';

export const taskFlags: readonly FlagSpec[] = [
  { name: 'no-resolve', description: 'Do not map IDs to Names' },
  { name: 'no-trunc', description: 'Do not truncate output' },
  { name: 'quiet', short: 'q', description: 'Only display task IDs' },
  jsonFlag,
];

export const plainTaskFormatFlag: FlagSpec = { name: 'format', type: 'string', description: 'Pretty-print tasks using a Go template' };

export async function printTasks(invocation: Invocation, tasks: readonly Task[], { wholeIds = false } = {}): Promise<undefined> {
  const { flags, context, config } = invocation;
  const names = createNames(await invocation.client(), !flags.bool('no-resolve'));
  const rows = arrange(await withNames(tasks, names));
  context.stdout.write(
    renderTasks(rows, {
      format: formatOf(invocation, config.values.tasksFormat),
      quiet: flags.bool('quiet'),
      noTrunc: flags.bool('no-trunc') || wholeIds,
      nowMs: context.clock.now(),
    }),
  );
  return undefined;
}
