// What the verbs of clusters share: which cluster is meant, and acting on some of its nodes.
import { resolve } from 'node:path';
import { knownClusters, lockCluster } from '#dev/cluster.ts';
import type { DevNode } from '#dev/description.ts';
import { DEFAULT_FOLDER, DEFAULT_NAME } from '#dev/names.ts';
import type { NodeSurroundings } from '#dev/node.ts';
import { checkRoot } from '#dev/requirements.ts';
import { findCluster, findNode, switchOf } from '#dev/status.ts';
import { createWait } from '#dev/wait.ts';
import type { FlagSpec, Invocation } from '../command.ts';
import { forEach } from '../shared/each.ts';

export const nameFlag: FlagSpec = { name: 'name', type: 'string', description: "The cluster's name", default: `"${DEFAULT_NAME}"` };

/** The folder that clusters live in. Throws AppError for whoever is not root, as everything here needs it. */
export function baseOf({ context }: Pick<Invocation, 'context'>): string {
  checkRoot(process.getuid?.());
  return resolve(context.environment['SKEP_DEV_DIR'] || DEFAULT_FOLDER);
}

export function nameOf({ flags }: Pick<Invocation, 'flags'>): string {
  return flags.has('name') ? flags.text('name') : DEFAULT_NAME;
}

/** Finds all nodes before it acts on the first; prints each one's name when it is done. */
export async function onNodes(invocation: Invocation, act: (surroundings: NodeSurroundings, node: DevNode) => Promise<unknown>): Promise<number | undefined> {
  const known = findCluster(baseOf(invocation), nameOf(invocation));
  const nodes = new Map([...new Set(invocation.args)].map((name) => [name, findNode(known, name)]));
  const lock = lockCluster(known.place);
  try {
    const surroundings = { ...known, hub: switchOf(known), wait: createWait(invocation.context.clock) };
    return await forEach(invocation, [...nodes.keys()], async (name) => {
      await act(surroundings, nodes.get(name) as DevNode);
      return name;
    });
  } finally {
    lock.release();
  }
}

/** For completion, of all clusters. */
export function nodeNames(invocation: Pick<Invocation, 'context'>): readonly string[] {
  return knownClusters(baseOf(invocation)).flatMap(({ cluster }) => cluster.nodes.map(({ name }) => name));
}
