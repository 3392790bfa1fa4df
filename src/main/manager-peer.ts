// What a peer must be to be let in among the managers.
import type { Cluster } from '#domain/objects.ts';
import type { View } from '#domain/view.ts';
import { AppError, rpcError } from '#lib/errors.ts';
import { OLDEST_LEVEL } from '#protocol/level.ts';
import type { Peer } from '#transport/server.ts';

/** Throws AppError `permissionDenied` unless the peer's certificate is a manager's, and the swarm still wants it to be one. */
export function assertManager(view: View, { nodeId, roleName, clusterId }: Peer): void {
  const node = view.get('node', nodeId);
  const [cluster] = view.list('cluster');
  if (node === undefined || clusterId !== cluster?.id) throw new AppError('permissionDenied', `node ${nodeId} is not part of this swarm`);
  if (node.spec.role !== 'manager' || roleName !== 'swarm-manager')
    throw new AppError('permissionDenied', `node ${nodeId} is a worker: only managers may do this`);
}

/** Throws AppError `failedPrecondition` when a daemon is too old to be a manager here: what is stored may mean more than it knows. */
export function assertNewEnough({ level = OLDEST_LEVEL }: Pick<Cluster, 'level'>, own: number | undefined): void {
  if ((own ?? OLDEST_LEVEL) >= level) return;
  const text = `the skepd of this node is too old to be a manager of this swarm (level ${own ?? OLDEST_LEVEL}, the swarm's state is of level ${level}): install the version that the managers run`;
  throw rpcError('failedPrecondition', text);
}
