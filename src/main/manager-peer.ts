// What a peer must be to be let in among the managers.
import type { View } from '#domain/view.ts';
import { AppError } from '#lib/errors.ts';
import type { Peer } from '#transport/server.ts';

/** Throws AppError `permissionDenied` unless the peer's certificate is a manager's, and the swarm still wants it to be one. */
export function assertManager(view: View, { nodeId, roleName, clusterId }: Peer): void {
  const node = view.get('node', nodeId);
  const [cluster] = view.list('cluster');
  if (node === undefined || clusterId !== cluster?.id) throw new AppError('permissionDenied', `node ${nodeId} is not part of this swarm`);
  if (node.spec.role !== 'manager' || roleName !== 'swarm-manager')
    throw new AppError('permissionDenied', `node ${nodeId} is a worker: only managers may do this`);
}
