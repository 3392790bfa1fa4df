// How a node becomes one of the managers: it is added to etcd as a learner, gets what managers know (the data key, a certificate of etcd's authority), and
// becomes a voter once it has caught up. This is the side of the manager that it asks.
import { assertManager, assertNewEnough } from './manager-peer.ts';
import type { Member } from '#etcd/messages.ts';
import type { EtcdProcess } from '#etcd/process.ts';
import { present } from '#lib/assert.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Sealer } from '#store/seal.ts';
import type { Peer } from '#transport/server.ts';
import type { JoinManagersRequest, JoinManagersResponse } from '#transport/service.ts';
import { splitHostPort } from './addresses.ts';
import { peerUrls, signPeerCertificate } from './etcd-member.ts';
import { assertPeerReachable } from './peer-reachable.ts';
import { etcdAuthority, type ManagerStore } from './manager-store.ts';

export interface ManagerAdmission {
  /** Rejects with `unavailable` while another node is becoming a manager. */
  join(peer: Peer, request: JoinManagersRequest): Promise<JoinManagersResponse>;
  /** Makes the peer's learner a voter. Rejects with `unavailable` until it has caught up. */
  confirm(peer: Peer): Promise<void>;
  /** Takes the learner of a node out that gave up becoming a manager, if there is one. */
  forget(nodeId: string): Promise<void>;
}

export interface ManagerAdmissionOptions {
  readonly managerStore: ManagerStore;
  readonly sealer: Sealer;
  readonly dataKey: Uint8Array;
  readonly unlockKey: () => Uint8Array | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createManagerAdmission({ managerStore, sealer, dataKey, unlockKey, clock, log }: ManagerAdmissionOptions): ManagerAdmission {
  const { store } = managerStore;
  /** Where the learner of each node is: one that has not started has no name yet. */
  const learners = new Map<string, string>();
  return {
    async join(peer, { request, advertiseAddr, level }) {
      assertManager(store.view, peer);
      assertNewEnough(present([...store.view.list('cluster')][0], 'the cluster object'), level);
      await assertPeerReachable(advertiseAddr, 'this node');
      const etcd = await managerStore.moveToEtcd();
      const { peerUrl } = peerUrls({ listenAddr: '', advertiseAddr });
      await makeRoom(etcd, peer.nodeId, peerUrl);
      await etcd.client.addLearner(peerUrl);
      learners.set(peer.nodeId, peerUrl);
      log.info({ node: peer.nodeId, address: peerUrl }, 'a node becomes a manager: it follows etcd as a learner');
      const authority = await etcdAuthority(store, sealer, clock);
      const subject = { nodeId: peer.nodeId, clusterId: peer.clusterId, host: splitHostPort(advertiseAddr).host };
      const certificate = await signPeerCertificate(authority, request, subject, clock.now());
      const members = (await etcd.client.members()).map((member) => `${nameOf(member, peer.nodeId, peerUrl)}=${member.peerUrls[0] ?? ''}`);
      const unlock = unlockKey();
      return {
        dataKey,
        ...(unlock === undefined ? {} : { unlockKey: unlock }),
        authority: authority.certificate,
        certificate,
        initialCluster: members.join(','),
      };
    },
    async confirm(peer) {
      assertManager(store.view, peer);
      const etcd = present(managerStore.etcd(), 'etcd');
      const member = (await etcd.client.members()).find(({ name }) => name === peer.nodeId);
      if (member === undefined) throw new AppError('unavailable', 'the member has not been heard of yet');
      if (!member.isLearner) return;
      await etcd.client.promoteMember(member.id).catch((error: unknown) => {
        throw new AppError('unavailable', 'the learner has not caught up yet', { cause: error });
      });
      log.info({ node: peer.nodeId }, 'a node has become a manager');
    },
    async forget(nodeId) {
      const [etcd, peerUrl] = [managerStore.etcd(), learners.get(nodeId)];
      if (etcd === undefined || peerUrl === undefined) return;
      learners.delete(nodeId);
      for (const { id, isLearner, peerUrls: urls } of await etcd.client.members()) if (isLearner && urls.includes(peerUrl)) await etcd.client.removeMember(id);
    },
  };
}

/** A member that has not started has no name yet. */
function nameOf(member: Member, joiningId: string, joiningUrl: string): string {
  return member.peerUrls.includes(joiningUrl) ? joiningId : member.name;
}

/** Forgets an earlier life of the node. etcd has one learner at a time. */
async function makeRoom({ client }: EtcdProcess, nodeId: string, peerUrl: string): Promise<void> {
  for (const { id, name, peerUrls: urls, isLearner } of await client.members()) {
    if (name === nodeId || urls.includes(peerUrl)) await client.removeMember(id);
    else if (isLearner) throw new AppError('unavailable', 'another node is becoming a manager right now; try again in a moment');
  }
}
