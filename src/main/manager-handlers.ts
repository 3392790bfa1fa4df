// What a manager answers other nodes on its port.
import { AppError } from '#lib/errors.ts';
import type { ManagerHandlers } from '#transport/server.ts';
import { joinTunnel } from '#transport/tunnel.ts';
import { followTrust } from './follow-trust.ts';
import { assertManager } from './manager-peer.ts';
import type { ManagerParts } from './manager-parts.ts';
import type { NodeEngines } from './node-engines.ts';
import type { NodeTunnels } from './node-tunnels.ts';
import { createOneSession } from './one-session.ts';
import { withNews } from './session-news.ts';

export function managerHandlers(
  { store, cluster, admission, managerAdmission, seat, self, log }: ManagerParts,
  engines: NodeEngines,
  tunnels: NodeTunnels,
): ManagerHandlers {
  const oneSession = createOneSession({ log });
  return {
    rootCertificate: () => cluster().rootCa.certificate,
    issueCertificate: (request, peer, address) => admission.issue(request, peer, address),
    connect(peer, caller) {
      admission.check(peer);
      const role = peer.roleName === 'swarm-manager' ? 'manager' : 'worker';
      const connection = oneSession(seat.dispatcher().connect(peer.nodeId, peer.address, peer.hasClosed), peer, caller);
      return withNews(connection, { store, nodeId: peer.nodeId, role });
    },
    trust(peer, signal) {
      admission.check(peer);
      return followTrust(store, signal);
    },
    async leave(peer) {
      const node = admission.check(peer);
      // It never took part: a node that was to be a manager and could not. Nothing is to be left of it.
      if (node.description === undefined && node.manager === undefined) {
        await managerAdmission.forget(peer.nodeId);
        await store.update('manager', (view) => {
          const object = view.get('node', peer.nodeId);
          return { changes: object === undefined ? [] : [{ action: 'remove', object }], result: undefined };
        });
        log.warn({ node: peer.nodeId }, 'a node that was joining gave up, and is forgotten');
        return;
      }
      await seat.dispatcher().leave(peer.nodeId);
    },
    joinManagers: (peer, request) => managerAdmission.join(peer, request),
    confirmManager: (peer) => managerAdmission.confirm(peer),
    tunnel: ({ nodeId }, id, call) => engines.accept(nodeId, id, call),
    async askTunnel(peer, { nodeId, id, to }) {
      assertManager(store.view, peer);
      const dispatcher = seat.dispatcher();
      // As the swarm knows it, not as the caller says.
      const at = store.view.get('node', peer.nodeId)?.manager?.address;
      if (at === undefined) throw new AppError('failedPrecondition', `nobody knows where the manager ${peer.nodeId} is`);
      if (nodeId === self.nodeId) tunnels.open({ id, to, at });
      else if (!dispatcher.requestTunnel(nodeId, id, to, at)) throw new AppError('unavailable', `node ${nodeId} is not available`);
    },
    async relay(peer, { nodeId, to }, call) {
      assertManager(store.view, peer);
      // Throws unless this one leads: nothing is passed on twice.
      seat.dispatcher();
      // Its id becomes the name of a file.
      if (store.view.get('node', nodeId) === undefined) throw new AppError('notFound', 'there is no such node in the swarm');
      const socket = await (await engines.linkTo(nodeId, to)).dial();
      joinTunnel(call, socket);
    },
  };
}
