// `swarm init --force-new-cluster`: the swarm stays, with this node as its only manager; its addresses may change, and its spec as far as the request says.
import type { Control, InitRequest } from '#control/control.ts';
import { mergeClusterSpec } from '#domain/merge-cluster-spec.ts';
import { equalSpecs } from '#lib/equal.ts';
import { AppError } from '#lib/errors.ts';
import type { NodeAddresses } from './addresses.ts';
import { readDataKey } from './data-key.ts';
import type { State } from './membership-state.ts';
import { LOCKED, PREPARING } from './membership-texts.ts';
import type { NodePlace } from './node-place.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';

type Member = Extract<State, { kind: 'active' | 'error' }>;

/** Whether the request is one for this, rather than for a swarm of its own. */
export function isKeptAlone(state: State, { forceNewCluster }: InitRequest): boolean {
  return forceNewCluster && (state.kind === 'active' || state.kind === 'error') && state.swarm.role === 'manager';
}

export async function keepAlone(place: NodePlace, directory: StateDirectory, addresses: NodeAddresses, request: InitRequest): Promise<string> {
  const state = await place.giveUpResuming();
  if (state.kind !== 'active' && state.kind !== 'error') throw new AppError('unavailable', PREPARING);
  const { superseded: _over, ...before } = state.swarm;
  const swarm: SwarmFile = { ...before, ...addresses };
  const dataKey = dataKeyOf(state, directory);
  if (dataKey === undefined) throw new AppError('unavailable', LOCKED);
  if (state.kind === 'active') await state.node.stop();
  directory.writeSwarm(swarm);
  try {
    await place.start(swarm, dataKey, { forceNewCluster: true });
  } catch (error) {
    // It can be tried again, restored or left.
    place.fail(swarm, error, dataKey);
    throw error;
  }
  const manager = place.state.kind === 'active' ? place.state.node.manager : undefined;
  if (manager !== undefined) await applySpec(manager.control, request);
  return swarm.nodeId;
}

async function applySpec({ swarm }: Control, { spec: given, autoLockManagers }: InitRequest): Promise<void> {
  const { spec, version } = swarm.get();
  const merged = mergeClusterSpec(spec, { ...given, encryption: { autoLockManagers } });
  if (!equalSpecs(merged, spec)) await swarm.update(version, merged, { workerToken: false, managerToken: false, unlockKey: false });
}

/** A manager with autolock that was unlocked and then found too few others has it in memory only. */
function dataKeyOf(state: Member, directory: StateDirectory): Uint8Array | undefined {
  if (state.kind === 'active') return state.node.manager?.dataKey;
  if (state.dataKey !== undefined) return state.dataKey;
  const stored = readDataKey(directory.dataKeyFile);
  return stored?.kind === 'plain' ? stored.key : undefined;
}
