// `skep restore`, from the request to the node that has taken its place in the restored swarm.
import type { RestoreRequest } from '#control/control.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { readBackup } from '#store/backup/file.ts';
import type { AddressRequest, SystemInterfaces } from './addresses.ts';
import type { State } from './membership-state.ts';
import { PREPARING, RESTORE_IN_SWARM } from './membership-texts.ts';
import type { NodePlace } from './node-place.ts';
import type { NodeFactory } from './node-runtime.ts';
import { addressesToBe, assertUnderstood, draftState, nodeToBe, type Restored } from './restore.ts';
import { commitDraft, discardDraft, forgetReplaced } from './restore-files.ts';
import { restoreWarnings } from './restored-state.ts';
import type { StateDirectory } from './state-directory.ts';

export interface RestoreOptions {
  readonly directory: StateDirectory;
  readonly nodes: Pick<NodeFactory, 'level' | 'externalIdentity'>;
  readonly interfaces: () => SystemInterfaces;
  readonly engineAnswers: () => Promise<unknown>;
  readonly defaults: AddressRequest;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface RestoreResult {
  readonly nodeId: string;
  readonly warnings: readonly string[];
}

export async function restoreSwarm(place: NodePlace, options: RestoreOptions, file: Buffer, request: RestoreRequest): Promise<RestoreResult> {
  assertMayRestore(place.state, request);
  const restored = await readBackup(file, request.secret);
  assertUnderstood(restored, options.nodes.level);
  return place.inTurn(() => replaceState(place, options, restored, request));
}

async function replaceState(place: NodePlace, options: RestoreOptions, restored: Restored, request: RestoreRequest): Promise<RestoreResult> {
  const { directory, nodes, interfaces, engineAnswers, defaults, clock, log } = options;
  const { state } = place;
  assertMayRestore(state, request);
  const current = 'swarm' in state ? state.swarm : undefined;
  const nodeId = nodeToBe(current, directory, restored);
  const { node } = restored.contents;
  const before = current !== undefined && current.advertiseAddr !== '' ? current : node.nodeId === nodeId ? node : undefined;
  const addresses = addressesToBe(request, before, defaults, interfaces());
  await engineAnswers();
  const swarm = await draftState({ directory, restored, nodeId, addresses, externalIdentity: nodes.externalIdentity, clock });
  const isSaved = await giveWay(place).catch((error: unknown) => {
    discardDraft(directory.path);
    throw error;
  });
  let replaced: string | undefined;
  try {
    replaced = commitDraft(directory.path);
  } catch (error) {
    // Whatever of the two it is now, the next start takes it up.
    place.fail(swarm, error, restored.dataKey);
    throw error;
  }
  if (isSaved) forgetReplaced(directory.path);
  log.warn({ node: nodeId, revision: restored.contents.revision, made: restored.header.createdAt }, 'the swarm was restored from a backup');
  const warnings = [...restoreWarnings(restored.contents.objects, swarm)];
  if (replaced !== undefined && !isSaved) warnings.push(`What was on this disk before is in ${replaced}; remove it when it is not needed any more.`);
  try {
    await place.start(swarm, restored.dataKey);
  } catch (error) {
    place.fail(swarm, error, restored.dataKey);
    throw new AppError('unavailable', `the swarm was restored, but this node cannot take its place in it: ${errorMessage(error)}`, { cause: error });
  }
  return { nodeId, warnings };
}

/** Ends what runs here. Resolves with whether a snapshot holds what was stored. */
async function giveWay(place: NodePlace): Promise<boolean> {
  const state = await place.giveUpResuming();
  if (state.kind !== 'active') return false;
  const { manager } = state.node;
  if (manager !== undefined) await manager.backups.snapshots.take('before-restore');
  await state.node.stop();
  return manager !== undefined;
}

function assertMayRestore(state: State, { force }: RestoreRequest): void {
  if (state.kind === 'joining') throw new AppError('unavailable', PREPARING);
  if (state.kind !== 'inactive' && !force) throw new AppError('unavailable', RESTORE_IN_SWARM);
}
