// Network specs. Checks and texts are the Docker daemon's and SwarmKit's (manager/controlapi/network.go).
import { AppError, rpcError } from '#lib/errors.ts';
import { parseCidr, parseIp, subnetContains } from '#lib/ip.ts';
import { PREDEFINED_LABEL } from '../predefined-network.ts';
import type { IpamPool, NetworkSpec } from '../spec.ts';
import { validateAnnotations } from './annotations.ts';

/** Drivers that the swarm or every engine brings; there are no network plugins in a swarm's scope. */
const DRIVERS: ReadonlySet<string> = new Set(['overlay', 'bridge', 'host', 'null', 'macvlan', 'ipvlan']);

/** Throws AppError in Docker's words. */
export function validateNetworkSpec(spec: NetworkSpec): void {
  const driver = spec.driver?.name || 'overlay';
  for (const { subnet = '' } of spec.ipam?.configs ?? []) {
    if (subnet !== '' && parseCidr(subnet) === undefined) throw new AppError('invalidArgument', `Invalid subnet ${subnet} : invalid CIDR address: ${subnet}`);
  }
  if (spec.ingress && driver !== 'overlay') throw rpcError('unimplemented', 'only overlay driver is currently supported for ingress network');
  if (spec.attachable && spec.ingress) throw rpcError('invalidArgument', 'ingress network cannot be attachable');
  validateAnnotations(spec);
  if (Object.hasOwn(spec.labels, PREDEFINED_LABEL)) {
    throw rpcError('permissionDenied', `label ${PREDEFINED_LABEL} is for internally created predefined networks and cannot be applied by users`);
  }
  if (!DRIVERS.has(driver)) throw new AppError('notFound', `plugin "${driver}" not found`);
  const ipamDriver = spec.ipam?.driver?.name || 'default';
  if (ipamDriver !== 'default' && ipamDriver !== 'null') throw new AppError('notFound', `plugin "${ipamDriver}" not found`);
  for (const pool of spec.ipam?.configs ?? []) validatePool(pool);
}

function validatePool({ subnet = '', range = '', gateway = '' }: IpamPool): void {
  if (subnet === '' && range === '' && gateway === '') return;
  const parsed = parseCidr(subnet)?.subnet;
  if (parsed === undefined) throw rpcError('invalidArgument', `ipam configuration: invalid subnet ${subnet}`);
  if (range !== '') {
    const first = parseCidr(range)?.address;
    if (first === undefined) throw rpcError('invalidArgument', `ipam configuration: invalid range ${range}`);
    if (!subnetContains(parsed, first)) throw rpcError('invalidArgument', `ipam configuration: subnet ${subnet} does not contain range ${range}`);
  }
  if (gateway !== '') {
    const address = parseIp(gateway);
    if (address === undefined) throw rpcError('invalidArgument', `ipam configuration: invalid gateway ${gateway}`);
    if (!subnetContains(parsed, address)) throw rpcError('invalidArgument', `ipam configuration: subnet ${subnet} does not contain gateway ${gateway}`);
  }
}
