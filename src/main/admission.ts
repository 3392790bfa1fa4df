// Who may become a node: whoever shows a join token of the swarm gets a node object and a certificate that names it; a node that has a certificate
// gets a newer one for the role that the managers want it to have.
import { isSameSecret, parseJoinToken } from '#ca/join-token.ts';
import { signCertificateRequest } from '#ca/node-certificate.ts';
import { nodeCertExpiryNsOf } from '#domain/defaults.ts';
import type { Cluster, Node } from '#domain/objects.ts';
import type { NodeAvailability, NodeRole } from '#domain/spec.ts';
import type { View } from '#domain/view.ts';
import { present } from '#lib/assert.ts';
import type { Clock, Random } from '#lib/clock.ts';
import { AppError, rpcError } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import type { Logger } from '#lib/log.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import type { Sealer } from '#store/seal.ts';
import type { Store } from '#store/store.ts';
import type { Peer } from '#transport/server.ts';
import type { IssuedCertificate, IssueRequest } from '#transport/service.ts';

export interface AdmissionOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface Admission {
  issue(request: IssueRequest, peer: Peer | undefined, address: string): Promise<IssuedCertificate>;
  /** Throws AppError when the peer is no member (any more). */
  check(peer: Peer): void;
}

/** Node indexes are 16 bits wide in marks and zones (network/names.ts). */
const MAX_NODES = 65_535;

export function createAdmission({ store, sealer, clock, random, log }: AdmissionOptions): Admission {
  const cluster = () => present([...store.view.list('cluster')][0], 'the cluster object');

  function check(peer: Peer): Node {
    const node = store.view.get('node', peer.nodeId);
    if (node === undefined || peer.clusterId !== cluster().id) throw new AppError('permissionDenied', `node ${peer.nodeId} is not part of this swarm`);
    return node;
  }

  async function admit({ token = '', availability = 'active' }: IssueRequest, address: string): Promise<Node> {
    const role = roleOfToken(token, cluster(), sealer);
    if (role === 'manager')
      throw new AppError('unimplemented', 'this version of skepd cannot have several managers yet; join as a worker (docker swarm join-token worker)');
    const id = newId(random);
    await store.update('manager', (view) => ({
      changes: [{ action: 'create', object: newNode(view, { id, role, availability, address }) }],
      result: undefined,
    }));
    log.info({ node: id, address, role }, 'a node joins the swarm');
    return present(store.view.get('node', id), `node ${id}`);
  }

  return {
    check,
    async issue(request, peer, address) {
      const node = peer === undefined ? await admit(request, address) : check(peer);
      const { id: clusterId, rootCa, spec, dataPathPort } = cluster();
      const root = { certificate: rootCa.certificate, key: Buffer.from(sealer.open(rootCa.sealedKey, sealContexts.rootKey)).toString() };
      const subject = { nodeId: node.id, role: node.spec.role, clusterId };
      const certificate = await signCertificateRequest(root, request.request, subject, {
        now: clock.now(),
        expiryMs: nodeCertExpiryNsOf(spec) / 1e6,
        hosts: [address],
      });
      return { nodeId: node.id, role: node.spec.role, clusterId, dataPathPort, certificate };
    },
  };
}

/** Both secrets are compared in constant time, whichever fits. Throws in SwarmKit's words when none does. */
function roleOfToken(token: string, { sealedJoinTokens }: Cluster, sealer: Sealer): NodeRole {
  const { secret } = parseJoinToken(token);
  const fits = (role: NodeRole) => isSameSecret(secret, Buffer.from(sealer.open(sealedJoinTokens[role], sealContexts.joinToken(role))).toString());
  const [worker, manager] = [fits('worker'), fits('manager')];
  if (!worker && !manager) throw rpcError('invalidArgument', 'A valid join token is necessary to join this cluster');
  return manager ? 'manager' : 'worker';
}

function newNode(view: View, { id, role, availability, address }: { id: string; role: NodeRole; availability: NodeAvailability; address: string }): Node {
  const taken = new Set([...view.list('node')].map(({ index }) => index));
  let index = 1;
  while (taken.has(index)) index++;
  if (index > MAX_NODES) throw new AppError('resourceExhausted', `a swarm has at most ${MAX_NODES} nodes`);
  return {
    id,
    version: 0,
    createdAt: 0,
    updatedAt: 0,
    kind: 'node',
    index,
    role,
    spec: { labels: {}, role, availability },
    status: { state: 'unknown', address },
  };
}
