// `dev start`, `stop`, `kill`, `pause` and `unpause`.
import { killNode, type Part, parts, runningMachine, setPaused, startNode, stopNode } from '#dev/node.ts';
import type { CommandSpec, FlagSpec } from '../command.ts';
import { nameFlag, onNodes } from './shared.ts';

const partFlag: FlagSpec = {
  name: 'only',
  type: 'string',
  description: 'Only this of the node: skepd or engine',
  choices: parts.filter((part) => part !== 'node'),
  parse(text): Part {
    const part = parts.find((known) => known === text && known !== 'node');
    if (part === undefined) throw new Error('it must be skepd or engine');
    return part;
  },
};

function nodeCommand(flags: readonly FlagSpec[], act: (...args: [...Parameters<typeof stopNode>]) => Promise<unknown>): CommandSpec {
  return {
    usage: '[OPTIONS] NODE [NODE...]',
    arguments: { minimum: 1 },
    flags: [nameFlag, ...flags],
    completes: 'dev-node',
    run: (invocation) => onNodes(invocation, (surroundings, node) => act(surroundings, node, invocation.flags.value<Part>('only') ?? 'node')),
  };
}

export const start = nodeCommand([], startNode);
export const stop = nodeCommand([partFlag], stopNode);
export const kill = nodeCommand([partFlag], killNode);
export const pause = nodeCommand([], ({ place }, node) => setPaused(runningMachine(place, node), true));
export const unpause = nodeCommand([], ({ place }, node) => setPaused(runningMachine(place, node), false));
