// Who may become a node: whoever shows a join token of the swarm gets a node object and a certificate that names it; a node that has a certificate
// gets a newer one for the role that the managers want it to have.
import { X509Certificate } from 'node:crypto';
import { assertUsableClock } from '#ca/clock-skew.ts';
import { isSameSecret, parseJoinToken } from '#ca/join-token.ts';
import { digestOfKey } from '#ca/node-certificate.ts';
import { nodeCertExpiryNsOf } from '#domain/defaults.ts';
import type { Cluster, Node } from '#domain/objects.ts';
import type { NodeAvailability, NodeRole } from '#domain/spec.ts';
import type { View } from '#domain/view.ts';
import { etcdProblem } from '#etcd/binary.ts';
import { present } from '#lib/assert.ts';
import { createAttempts } from '#lib/attempts.ts';
import type { Clock, Random } from '#lib/clock.ts';
import { AppError, rpcError } from '#lib/errors.ts';
import { placeOfAddress } from '#lib/fair-room.ts';
import { newId } from '#lib/id.ts';
import type { Logger } from '#lib/log.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import type { Sealer } from '#store/seal.ts';
import type { Store } from '#store/store.ts';
import type { Peer } from '#transport/server.ts';
import type { IssuedCertificate, IssueRequest } from '#transport/service.ts';
import type { CertificateSigner } from './certificate-signer.ts';
import { assertNewEnough } from './manager-peer.ts';
import { assertPeerReachable } from './peer-reachable.ts';

export interface AdmissionOptions {
  readonly store: Store;
  readonly sealer: Sealer;
  readonly signer: CertificateSigner;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface Admission {
  issue(request: IssueRequest, peer: Peer | undefined, address: string): Promise<IssuedCertificate>;
  /** A certificate for a manager's own request. */
  renew(request: string, nodeId: string, address: string): Promise<string>;
  /** Throws AppError when the peer is no member (any more). */
  check(peer: Peer): Node;
}

/** What a node hears that was removed. */
const NOT_MEMBER = 'this node is not part of the swarm any more';
/** A user who mistypes does not notice. */
const WRONG_TOKENS = { burst: 20, refillMs: 3_000 };
/** Newer keys may have been signed whose certificates never reached the node. */
const MAX_KEYS = 4;
/** Node indexes are 16 bits wide in marks and zones (network/names.ts). */
const MAX_NODES = 65_535;

/** Of many nodes that join at once at least one succeeds each time; the pause lets the others' nodes be seen. */
const MAX_INDEX_TRIES = 100;
const INDEX_PAUSE_MS = 20;

export function createAdmission({ store, sealer, signer, clock, random, log }: AdmissionOptions): Admission {
  const cluster = () => present([...store.view.list('cluster')][0], 'the cluster object');
  const wrongTokens = createAttempts(WRONG_TOKENS, () => clock.elapsed());

  function check(peer: Peer): Node {
    const node = store.view.get('node', peer.nodeId);
    if (node === undefined || peer.clusterId !== cluster().id) throw notMember(peer.nodeId);
    return node;
  }

  /** Remembers whose key it is, so that the node can come back when its certificate has expired meanwhile. */
  async function rememberKey(nodeId: string, digest: string): Promise<void> {
    await store.update('manager', (view) => {
      const node = view.get('node', nodeId);
      if (node === undefined) throw notMember(nodeId);
      const keyDigests = [digest, ...(node.keyDigests ?? []).filter((known) => known !== digest)].slice(0, MAX_KEYS);
      return { changes: [{ action: 'update', object: { ...node, keyDigests } }], result: undefined };
    });
  }

  /** Nodes that join at the same time choose the same index; all but one choose again once they see its node. */
  async function addNode(fields: NewNode): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await store.update('manager', (view) => ({ changes: [{ action: 'create', object: newNode(view, fields) }], result: undefined }));
        return;
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'alreadyExists' || tries === MAX_INDEX_TRIES) throw error;
        await clock.sleep(INDEX_PAUSE_MS);
      }
    }
  }

  function roleOf(token: string, address: string): NodeRole {
    const place = placeOfAddress(address);
    wrongTokens.assertMayTry(place, 'join tokens from this address');
    const role = roleOfToken(token, cluster(), sealer);
    if (role === undefined) {
      wrongTokens.wrong(place);
      throw rpcError('invalidArgument', 'A valid join token is necessary to join this cluster');
    }
    wrongTokens.right(place);
    return role;
  }

  /** The node exists once its certificate does: nothing is left of a join that no authority signs. */
  async function admit(
    { request, token = '', availability = 'active', cannotManage = '', now, level, advertiseAddr }: IssueRequest,
    address: string,
  ): Promise<IssuedCertificate> {
    const role = roleOf(token, address);
    if (role === 'manager') {
      checkManagers(cannotManage);
      assertNewEnough(cluster(), level);
      if (advertiseAddr !== undefined) await assertPeerReachable(advertiseAddr, 'this node');
    }
    checkClock({ now });
    const id = newId(random);
    const certificate = await signer.sign(request, { nodeId: id, role }, address);
    await addNode({ id, role, availability, address, keyDigests: [digestOf(certificate)] });
    log.info({ node: id, address, role }, 'a node joins the swarm');
    return issued(id, role, certificate);
  }

  function checkClock({ now }: { readonly now?: number | undefined }): void {
    assertUsableClock(now, clock.now(), nodeCertExpiryNsOf(cluster().spec) / 1e6);
  }

  async function renewFor({ id, spec: { role } }: Node, request: string, address: string): Promise<IssuedCertificate> {
    const certificate = await signer.sign(request, { nodeId: id, role }, address);
    await rememberKey(id, digestOf(certificate));
    return issued(id, role, certificate);
  }

  function issued(nodeId: string, role: NodeRole, certificate: string): IssuedCertificate {
    const { id: clusterId, dataPathPort } = cluster();
    return { nodeId, role, clusterId, dataPathPort, certificate, managers: managersOf(store.view) };
  }

  return {
    check,
    issue: async (request, peer, address) => (peer === undefined ? admit(request, address) : renewFor(checkKey(check(peer), peer), request.request, address)),
    renew: async (request, nodeId, address) => (await renewFor(present(store.view.get('node', nodeId), `node ${nodeId}`), request, address)).certificate,
  };
}

function digestOf(certificate: string): string {
  return digestOfKey(new X509Certificate(certificate).publicKey);
}

/** The leader first. */
function managersOf(view: View): NonNullable<IssuedCertificate['managers']> {
  return [...view.list('node')]
    .flatMap(({ id, manager }) => (manager === undefined ? [] : [{ nodeId: id, address: manager.address, leader: manager.leader }]))
    .sort((a, b) => Number(b.leader) - Number(a.leader))
    .map(({ nodeId, address }) => ({ nodeId, address }));
}

function notMember(nodeId: string): AppError {
  return rpcError('permissionDenied', `${NOT_MEMBER}: node ${nodeId}`);
}

/** An old key of a node that has had others since must not bring an expired certificate back to life. */
function checkKey(node: Node, { isExpired, keyDigest, nodeId }: Peer): Node {
  if (isExpired && !(node.keyDigests ?? []).includes(keyDigest))
    throw rpcError('unauthenticated', `the certificate of node ${nodeId} has expired, and its key is not the newest that the managers know`);
  return node;
}

/** Both machines need the program that the managers' store is kept with from the second manager on. */
function checkManagers(cannotManage: string): void {
  if (cannotManage !== '') throw rpcError('failedPrecondition', cannotManage);
  const problem = etcdProblem();
  if (problem !== undefined) throw rpcError('failedPrecondition', `the manager that was asked cannot have others beside it: ${problem}`);
}

/** Both secrets are compared in constant time, whichever fits. Undefined when none does. */
function roleOfToken(token: string, { sealedJoinTokens }: Cluster, sealer: Sealer): NodeRole | undefined {
  const { secret } = parseJoinToken(token);
  const fits = (role: NodeRole) => isSameSecret(secret, Buffer.from(sealer.open(sealedJoinTokens[role], sealContexts.joinToken(role))).toString());
  const [worker, manager] = [fits('worker'), fits('manager')];
  return manager ? 'manager' : worker ? 'worker' : undefined;
}

interface NewNode {
  readonly id: string;
  readonly role: NodeRole;
  readonly availability: NodeAvailability;
  readonly address: string;
  readonly keyDigests: readonly string[];
}

function newNode(view: View, { id, role, availability, address, keyDigests }: NewNode): Node {
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
    keyDigests,
  };
}
