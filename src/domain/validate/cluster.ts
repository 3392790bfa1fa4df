// The cluster's own spec. Texts are SwarmKit's (manager/controlapi/cluster.go).
import { AppError, rpcError } from '#lib/errors.ts';
import { deniedExtras } from '../extras.ts';
import type { ClusterSpec } from '../spec.ts';

const MIN_NODE_CERT_EXPIRY_NS = 3_600 * 1_000_000_000;

/** Zero and absent durations mean the default. Throws AppError `invalidArgument`. */
export function validateClusterSpec(spec: ClusterSpec): void {
  if (spec.name !== '' && spec.name !== 'default') throw new AppError('invalidArgument', 'swarm spec must be named "default"');
  deniedExtras(spec.labels);
  const { nodeCertExpiryNs = 0 } = spec.ca;
  if (nodeCertExpiryNs !== 0 && nodeCertExpiryNs < MIN_NODE_CERT_EXPIRY_NS) throw rpcError('invalidArgument', 'minimum certificate expiry time is: 1h0m0s');
  if ((spec.dispatcher.heartbeatPeriodNs ?? 0) < 0) throw rpcError('invalidArgument', 'heartbeat time period cannot be a negative duration');
}
