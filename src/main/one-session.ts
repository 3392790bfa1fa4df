// A node is one machine. When its state directory was copied to a second one, both would be the same node by turns, and both would run its tasks: the second
// is refused for as long as the first has its session, and says why. A daemon that starts again is another run, too, but its old connection ends with it.
import { rpcError } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { ManagerConnection } from '#protocol/messages.ts';
import type { Caller, Peer } from '#transport/server.ts';

export type OneSession = (connection: ManagerConnection, peer: Peer, caller: Caller | undefined) => ManagerConnection;

export function createOneSession({ log }: { readonly log: Logger }): OneSession {
  const open = new Map<string, { readonly instance: string; readonly address: string }>();
  return (connection, { nodeId, address }, caller) => ({
    ...connection,
    async *openSession(description, signal) {
      const instance = caller?.instance;
      // A daemon that is older than this does not say which run it is.
      if (instance === undefined) return yield* connection.openSession(description, signal);
      const other = open.get(nodeId);
      if (other !== undefined && other.instance !== instance) {
        log.warn({ node: nodeId, address, other: other.address }, 'a second machine says that it is this node; it was refused');
        throw rpcError(
          'failedPrecondition',
          `node ${nodeId} has a session from ${other.address} already: two machines have the same state directory; this one must leave the swarm and join it anew`,
        );
      }
      const own = { instance, address };
      open.set(nodeId, own);
      try {
        yield* connection.openSession(description, signal);
      } finally {
        if (open.get(nodeId) === own) open.delete(nodeId);
      }
    },
  });
}
