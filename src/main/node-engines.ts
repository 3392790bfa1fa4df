// The engines of other nodes, as addresses on this one: for each node a socket in the state directory, and behind every connection to it a tunnel
// that the node opens (transport/tunnel.ts). So whatever speaks to an engine (proxy, logs) speaks to any node's without knowing.
import { rmSync } from 'node:fs';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Clock, Random } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import type { Logger } from '#lib/log.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import { createEngineConnection } from '#engine-link/link.ts';
import { ensurePrivateDirectory } from '#platform/files.ts';
import { joinTunnel, type TunnelCall } from '#transport/tunnel.ts';

export interface NodeEnginesOptions {
  readonly stateDirectory: string;
  readonly self: { readonly nodeId: string; readonly engine: EngineLink };
  /** Asks a node for a tunnel; false when it is not there. */
  readonly requestTunnel: (nodeId: string, id: string) => boolean;
  /** A tunnel to a node's engine through the manager that leads; undefined while that is this one. */
  readonly relay: (nodeId: string) => ClientDuplexStream<Buffer, Buffer> | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface NodeEngines {
  /** The engine of a node, wherever it is. */
  linkTo(nodeId: string): Promise<EngineLink>;
  /** The node's end of a tunnel that was asked for; one that nobody asked for is refused. */
  accept(nodeId: string, id: string, call: TunnelCall): void;
  close(): void;
}

const OPEN_TIMEOUT_MS = 5_000;

interface Awaited {
  readonly nodeId: string;
  readonly opened: (call: TunnelCall) => void;
}

export function createNodeEngines(options: NodeEnginesOptions): NodeEngines {
  const { stateDirectory, self, requestTunnel, relay, clock, random, log } = options;
  const folder = join(stateDirectory, 'nodes');
  const nodes = new Map<string, { readonly server: Promise<Server>; readonly link: EngineLink }>();
  const awaited = new Map<string, Awaited>();

  function openTunnel(nodeId: string): Promise<TunnelCall> {
    const id = newId(random);
    return new Promise((resolve, reject) => {
      const cancel = clock.schedule(OPEN_TIMEOUT_MS, () => {
        awaited.delete(id);
        reject(new AppError('unavailable', `node ${nodeId} does not answer`));
      });
      awaited.set(id, {
        nodeId,
        opened(call) {
          cancel();
          awaited.delete(id);
          resolve(call);
        },
      });
      if (requestTunnel(nodeId, id)) return;
      cancel();
      awaited.delete(id);
      reject(new AppError('unavailable', `node ${nodeId} is not available`));
    });
  }

  function serve(nodeId: string, socket: Socket): void {
    socket.pause();
    socket.on('error', () => socket.destroy());
    const relayed = relay(nodeId);
    if (relayed !== undefined) {
      joinTunnel(relayed, socket, () => relayed.cancel());
      socket.resume();
      return;
    }
    openTunnel(nodeId).then(
      (call) => {
        joinTunnel(call, socket, () => call.destroy());
        socket.resume();
      },
      (error: unknown) => {
        log.info({ node: nodeId, error: errorMessage(error) }, "a node's engine cannot be reached");
        socket.destroy();
      },
    );
  }

  function listen(nodeId: string): Promise<Server> {
    ensurePrivateDirectory(folder);
    const path = join(folder, `${nodeId}.sock`);
    rmSync(path, { force: true });
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => serve(nodeId, socket));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve(server));
    });
  }

  return {
    async linkTo(nodeId) {
      if (nodeId === self.nodeId) return self.engine;
      let node = nodes.get(nodeId);
      if (node === undefined) {
        node = { server: listen(nodeId), link: createEngineConnection({ address: `unix://${join(folder, `${nodeId}.sock`)}`, clock }) };
        nodes.set(nodeId, node);
      }
      await node.server;
      return node.link;
    },
    accept(nodeId, id, call) {
      const waiting = awaited.get(id);
      if (waiting?.nodeId === nodeId) waiting.opened(call);
      else call.destroy(new Error('nobody asked for this tunnel'));
    },
    close() {
      for (const { server, link } of nodes.values()) {
        link.close();
        void server.then((open) => open.close());
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
