// Options of commands that may be for another node's engine than the daemon's own. cli.ts acts on them: the requests of such a command say which node.
import type { FlagSpec } from './command.ts';

export const nodeFlag: FlagSpec = { name: 'node', type: 'string', description: "Ask the engine of this node of the swarm, in place of the daemon's own" };

export const allNodesFlag: FlagSpec = { name: 'all-nodes', description: 'Ask the engines of all nodes of the swarm' };

/** What an item of a list for all nodes says. */
export interface OnNode {
  readonly Node?: { readonly ID: string; readonly Name: string };
}

export const nodeColumn = { header: 'NODE', value: ({ Node }: OnNode) => Node?.Name ?? '' };
