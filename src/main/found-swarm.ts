// What a new swarm starts with: the cluster with its own root of trust, this node as its first manager, and the ingress network.
import { createJoinSecret } from '#ca/join-token.ts';
import { createRootCa, normalisePem } from '#ca/root.ts';
import { checkGivenRoot } from '#ca/rotation.ts';
import type { InitRequest } from '#control/control.ts';
import { DEFAULT_ADDRESS_POOL, DEFAULT_DATA_PATH_PORT, DEFAULT_SUBNET_SIZE, insertClusterDefaults, IPV6_SUBNET_SIZE } from '#domain/defaults.ts';
import type { Cluster, Network, Node } from '#domain/objects.ts';
import type { ExternalCa } from '#domain/spec.ts';
import type { Change } from '#domain/view.ts';
import type { Clock, Random } from '#lib/clock.ts';
import { AppError, rpcError } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import { parseCidr } from '#lib/ip.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import { createUnlockKey, type Sealer } from '#store/seal.ts';
import { splitHostPort } from './addresses.ts';
import type { SwarmFile } from './state-directory.ts';

export interface Founding {
  readonly changes: readonly Change[];
  readonly cluster: Cluster;
  /** Set when the request asks for autolock. */
  readonly unlockKey?: Uint8Array;
}

interface FoundOptions {
  readonly request: InitRequest;
  readonly swarm: SwarmFile;
  readonly sealer: Sealer;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: Random;
}

const MIN_PORT = 1024;
const MAX_PORT = 49_151;
const MAX_SUBNET_SIZE = 29;

/** Throws AppError in Docker's words when the request asks for what cannot be. */
export function checkInitRequest(request: InitRequest): void {
  const { dataPathPort, subnetSize, defaultAddrPool, spec } = request;
  if (spec.name !== '' && spec.name !== 'default') throw new AppError('invalidArgument', 'swarm spec must be named "default"');
  if (dataPathPort !== 0 && (dataPathPort < MIN_PORT || dataPathPort > MAX_PORT))
    throw new AppError('unknown', `Datapath port number is not in valid range (${MIN_PORT}-${MAX_PORT}) : ${dataPathPort}`);
  if (subnetSize < 0 || subnetSize > MAX_SUBNET_SIZE) throw new AppError('unknown', `subnet size is out of range: ${subnetSize}`);
  for (const pool of defaultAddrPool) {
    const parsed = parseCidr(pool);
    if (parsed === undefined) throw new AppError('unknown', `invalid base pool ${pool}: invalid CIDR address: ${pool}`);
    const size = parsed.subnet.family === 6 ? IPV6_SUBNET_SIZE : subnetSize || DEFAULT_SUBNET_SIZE;
    if (parsed.subnet.prefix > size) throw new AppError('unknown', `invalid CIDR: "${pool}". Subnet size is too small for pool: ${size}`);
  }
}

export async function foundSwarm(options: FoundOptions): Promise<Founding> {
  const { request, swarm, sealer, clock, random } = options;
  const root = givenRoot(request, clock.now()) ?? (await createRootCa({ now: clock.now() }));
  const clusterId = newId(random);
  const unlockKey = request.autoLockManagers ? createUnlockKey(random) : undefined;
  const seal = (text: string, context: string) => sealer.seal(Buffer.from(text), context);
  const spec = insertClusterDefaults(request.spec);
  const cluster: Cluster = {
    ...newObject(clusterId),
    kind: 'cluster',
    spec: { ...spec, encryption: { autoLockManagers: request.autoLockManagers } },
    rootCa: { certificate: root.certificate, ...(root.key === undefined ? {} : { sealedKey: seal(root.key, sealContexts.rootKey) }) },
    sealedJoinTokens: {
      worker: seal(createJoinSecret(random), sealContexts.joinToken('worker')),
      manager: seal(createJoinSecret(random), sealContexts.joinToken('manager')),
    },
    ...(unlockKey === undefined ? {} : { sealedUnlockKey: sealer.seal(unlockKey, sealContexts.unlockKey) }),
    defaultAddressPools: request.defaultAddrPool.length > 0 ? request.defaultAddrPool : [DEFAULT_ADDRESS_POOL],
    subnetSize: request.subnetSize || DEFAULT_SUBNET_SIZE,
    dataPathPort: request.dataPathPort || DEFAULT_DATA_PATH_PORT,
    rootRotationInProgress: false,
  };
  const objects = [cluster, firstNode(swarm, request), ingressNetwork(newId(random))];
  return { changes: objects.map((object) => ({ action: 'create', object })), cluster, ...(unlockKey === undefined ? {} : { unlockKey }) };
}

/** The root of the external authorities that the swarm begins with; undefined when it begins with one of its own. Throws AppError when they are none. */
function givenRoot({ spec }: InitRequest, now: number): { readonly certificate: string; readonly key?: undefined } | undefined {
  const externalCas: readonly ExternalCa[] = spec.ca.externalCas ?? [];
  const roots = new Set<string>(externalCas.map(({ caCert }) => (caCert.trim() === '' ? '' : normalisePem(caCert))));
  if (roots.size === 0) return undefined;
  const [root = ''] = [...roots];
  if (root === '') throw rpcError('invalidArgument', 'a new swarm must know the CA certificate of its external CA: add cacert=<file> to --external-ca');
  if (roots.size > 1) throw rpcError('invalidArgument', 'the external CAs of a new swarm must all have the same CA certificate');
  return { certificate: checkGivenRoot(root, undefined, now) };
}

function firstNode(swarm: SwarmFile, { availability }: InitRequest): Node {
  return {
    ...newObject(swarm.nodeId),
    kind: 'node',
    index: 1,
    role: 'manager',
    spec: { labels: {}, role: 'manager', availability },
    status: { state: 'unknown', address: splitHostPort(swarm.advertiseAddr).host },
    manager: { leader: true, reachability: 'reachable', address: swarm.advertiseAddr },
  };
}

function ingressNetwork(id: string): Network {
  return {
    ...newObject(id),
    kind: 'network',
    spec: {
      name: 'ingress',
      labels: {},
      driver: { name: 'overlay' },
      ipv6: false,
      internal: false,
      attachable: false,
      ingress: true,
      scope: 'swarm',
      ipam: { driver: { name: 'default' }, configs: [] },
    },
  };
}

function newObject(id: string) {
  return { id, version: 0, createdAt: 0, updatedAt: 0 };
}
