// The states of this daemon's membership of a swarm, and how they look to users.
import type { SwarmInfo } from '#control/control.ts';
import { splitHostPort } from './addresses.ts';
import type { StoredDataKey } from './data-key.ts';
import { TWO_MANAGERS } from './membership-texts.ts';
import type { NodeRuntime } from './node-runtime.ts';
import type { SwarmFile } from './state-directory.ts';

export type State =
  | { readonly kind: 'inactive' }
  | { readonly kind: 'locked'; readonly swarm: SwarmFile; readonly dataKey: Extract<StoredDataKey, { kind: 'locked' }> }
  /** It asks managers to let it in; none has answered yet. */
  | { readonly kind: 'joining'; readonly stop: AbortController; readonly reason?: string }
  /** A node that changes its role is a member all the while; its containers go on. */
  | { readonly kind: 'starting'; readonly swarm: SwarmFile; readonly isMember?: boolean }
  | { readonly kind: 'active'; readonly swarm: SwarmFile; readonly node: NodeRuntime }
  /** With the data key if it is known: the disk of a manager that was locked does not tell it. */
  | { readonly kind: 'error'; readonly swarm: SwarmFile; readonly message: string; readonly dataKey?: Uint8Array };

/** What `docker info` shows of it. `roleProblem` says why the node does not have the role that the managers want it to have; empty if it has. */
export function swarmInfoOf(state: State, roleProblem: string): SwarmInfo {
  const base = { nodeId: '', nodeAddress: '', controlAvailable: false, error: '', remoteManagers: [], warnings: [] };
  if (state.kind === 'inactive') return { ...base, state: 'inactive' };
  if (state.kind === 'joining') return { ...base, state: 'pending', error: state.reason ?? '' };
  const { nodeId, advertiseAddr } = state.swarm;
  const known = { ...base, nodeId, nodeAddress: splitHostPort(advertiseAddr).host };
  if (state.kind === 'locked') return { ...base, state: 'locked' };
  if (state.kind === 'starting') return { ...known, state: state.isMember ? 'active' : 'pending' };
  if (state.kind === 'error') return { ...known, state: 'error', error: state.message };
  const problem = state.node.problem?.();
  if (problem !== undefined) return { ...known, state: 'error', error: problem, remoteManagers: state.node.managers() };
  const active = { ...known, state: 'active', error: state.node.trouble?.() ?? roleProblem, remoteManagers: state.node.managers() } as const;
  if (state.node.manager === undefined) return active;
  const { manager } = state.node;
  const { control } = manager;
  const managers = control.nodes.list({ role: ['manager'] }).length;
  return {
    ...active,
    error: manager.trouble() ?? roleProblem,
    controlAvailable: true,
    nodes: control.nodes.list({}).length,
    managers,
    warnings: managers === 2 ? [TWO_MANAGERS] : [],
    cluster: control.swarm.get(),
  };
}
