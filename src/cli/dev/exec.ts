// `dev exec` and `dev logs`.
import { existsSync } from 'node:fs';
import { runInForeground } from '#dev/foreground.ts';
import { inside } from '#dev/machine.ts';
import { nodePlaceOf } from '#dev/names.ts';
import { runningMachine } from '#dev/node.ts';
import { findCluster, findNode } from '#dev/status.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { baseOf, nameFlag, nameOf } from './shared.ts';

export const exec: CommandSpec = {
  usage: '[OPTIONS] NODE COMMAND [ARG...]',
  arguments: { minimum: 2 },
  flags: [nameFlag],
  optionsFirst: true,
  completes: 'dev-node',
  async run(invocation) {
    const { args, context } = invocation;
    const [name = '', ...argv] = args;
    const known = findCluster(baseOf(invocation), nameOf(invocation));
    const node = findNode(known, name);
    const machine = runningMachine(known.place, node);
    // docker and skep mean this node's daemon, unless they are told otherwise.
    const env = { ...context.environment, DOCKER_HOST: `unix://${nodePlaceOf(known.place, name).socket}` };
    // Ctrl-C is the program's.
    const undo = context.onInterrupt(() => {});
    try {
      return await runInForeground([...inside(machine), ...argv], env);
    } finally {
      undo();
    }
  },
};

export const logs: CommandSpec = {
  usage: '[OPTIONS] NODE',
  arguments: { minimum: 1, maximum: 1 },
  flags: [
    nameFlag,
    { name: 'engine', description: "The engine's log in place of skepd's" },
    { name: 'follow', short: 'f', description: 'Follow log output' },
    { name: 'tail', short: 'n', type: 'string', description: 'Number of lines to show from the end of the logs', default: '"all"', parse: parseTail },
  ],
  completes: 'dev-node',
  async run(invocation) {
    const { flags, args, context } = invocation;
    const known = findCluster(baseOf(invocation), nameOf(invocation));
    const node = nodePlaceOf(known.place, findNode(known, args[0] ?? '').name);
    const file = flags.bool('engine') ? node.engineLog : node.skepdLog;
    if (!existsSync(file)) throw new AppError('notFound', `${node.name} has logged nothing yet`);
    return runInForeground(['tail', ...(flags.bool('follow') ? ['-F'] : []), '-n', flags.value<string>('tail') ?? '+1', file], context.environment);
  },
};

function parseTail(text: string): string {
  if (text === 'all') return '+1';
  if (!/^\d+$/.test(text)) throw new Error('it must be a number or all');
  return text;
}
