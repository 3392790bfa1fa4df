// `dev cut`, `heal` and `slow`.
import { type Direction, directions, parseLoss, parseRate } from '#dev/link.ts';
import { machinesOf } from '#dev/machine.ts';
import { runningMachine } from '#dev/node.ts';
import { cutLink, healLink, slowLink } from '#dev/switch.ts';
import { type CommandSpec, UsageError } from '../command.ts';
import { nameFlag, onNodes } from './shared.ts';

const usage = '[OPTIONS] NODE [NODE...]';

export const cut: CommandSpec = {
  usage,
  arguments: { minimum: 1 },
  flags: [
    nameFlag,
    {
      name: 'direction',
      type: 'string',
      description: 'What is lost: what goes to the node (in), what comes from it (out), or both',
      default: '"both"',
      choices: directions,
      parse(text): Direction {
        const direction = directions.find((known) => known === text);
        if (direction === undefined) throw new Error('it must be in, out or both');
        return direction;
      },
    },
  ],
  completes: 'dev-node',
  run: (invocation) =>
    onNodes(invocation, async ({ place, hub }, node) => {
      runningMachine(place, node);
      await cutLink(node, hub, invocation.flags.value<Direction>('direction') ?? 'both');
    }),
};

export const heal: CommandSpec = {
  usage,
  arguments: { minimum: 1 },
  flags: [nameFlag],
  completes: 'dev-node',
  run: (invocation) => onNodes(invocation, ({ place, hub }, node) => healLink(node, hub, machinesOf(place.folder).get(node.name))),
};

export const slow: CommandSpec = {
  usage,
  arguments: { minimum: 1 },
  flags: [
    nameFlag,
    { name: 'rate', type: 'rate', description: 'Bandwidth each way, such as 10mbit', parse: parseRate },
    { name: 'delay', type: 'duration', description: 'How much later packets arrive, each way (needs netem in the kernel)' },
    { name: 'loss', type: 'percent', description: 'How many packets are lost, each way (needs netem in the kernel)', parse: parseLoss },
  ],
  completes: 'dev-node',
  run(invocation) {
    const { flags, path, context } = invocation;
    const rate = flags.value<number>('rate');
    const delay = flags.value<number>('delay');
    const loss = flags.value<number>('loss');
    if (rate === undefined && delay === undefined && loss === undefined)
      return Promise.reject(new UsageError(`say how: --rate, --delay or --loss\n\nRun '${context.programName} ${path} --help' for more information`, 1));
    const slowness = {
      ...(rate === undefined ? {} : { bitsPerSecond: rate }),
      ...(delay === undefined ? {} : { delayMs: delay / 1e6 }),
      ...(loss === undefined ? {} : { lossPercent: loss }),
    };
    return onNodes(invocation, ({ place, hub }, node) => slowLink(node, slowness, { hub, machine: runningMachine(place, node) }));
  },
};
