// The engines of other nodes, as addresses on this one: for each node a socket in the state directory, and behind every connection to it a tunnel
// that the node opens (transport/tunnel.ts). So whatever speaks to an engine (proxy, logs) speaks to any node's without knowing. What nodes kept of the
// logs of tasks that are gone (kept-logs-server.ts) is reached the same way.
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
import type { TunnelTarget } from '#protocol/messages.ts';
import { joinTunnel, type TunnelCall } from '#transport/tunnel.ts';

export interface NodeEnginesOptions {
  readonly stateDirectory: string;
  readonly self: { readonly nodeId: string; readonly engine: EngineLink; readonly keptLogs: EngineLink };
  /** Asks a node for a tunnel; false when it is not there. */
  readonly requestTunnel: (nodeId: string, id: string, to: TunnelTarget) => boolean;
  /** A tunnel to a node through the manager that leads; undefined while that is this one. */
  readonly relay: (nodeId: string, to: TunnelTarget) => ClientDuplexStream<Buffer, Buffer> | undefined;
  /** A node's name for users. */
  readonly nameOf: (nodeId: string) => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface NodeEngines {
  /** The engine of a node, or what else is asked for, wherever it is. */
  linkTo(nodeId: string, to?: TunnelTarget): Promise<EngineLink>;
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
  const { stateDirectory, self, requestTunnel, relay, nameOf, clock, random, log } = options;
  const folder = join(stateDirectory, 'nodes');
  /** By the path of the socket. */
  const nodes = new Map<string, { readonly server: Promise<Server>; readonly link: EngineLink }>();
  const awaited = new Map<string, Awaited>();

  function openTunnel(nodeId: string, to: TunnelTarget): Promise<TunnelCall> {
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
      if (requestTunnel(nodeId, id, to)) return;
      cancel();
      awaited.delete(id);
      reject(new AppError('unavailable', `node ${nodeId} is not available`));
    });
  }

  function serve(nodeId: string, to: TunnelTarget, socket: Socket): void {
    socket.pause();
    socket.on('error', () => socket.destroy());
    const relayed = relay(nodeId, to);
    if (relayed !== undefined) {
      joinTunnel(relayed, socket);
      socket.resume();
      return;
    }
    openTunnel(nodeId, to).then(
      (call) => {
        joinTunnel(call, socket);
        socket.resume();
      },
      (error: unknown) => {
        log.info({ node: nodeId, error: errorMessage(error) }, "a node's engine cannot be reached");
        socket.destroy();
      },
    );
  }

  async function listen(nodeId: string, to: TunnelTarget, path: string): Promise<Server> {
    ensurePrivateDirectory(folder);
    rmSync(path, { force: true });
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => serve(nodeId, to, socket));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve(server));
    });
  }

  return {
    async linkTo(nodeId, to = 'engine') {
      if (nodeId === self.nodeId) return to === 'engine' ? self.engine : self.keptLogs;
      // Short: the path of a socket has 107 letters at most.
      const path = join(folder, `${nodeId}.${to === 'engine' ? 'sock' : 'kept'}`);
      let node = nodes.get(path);
      if (node === undefined) {
        const unreachableText = () => `node ${nameOf(nodeId)} is not available`;
        node = { server: listen(nodeId, to, path), link: createEngineConnection({ address: `unix://${path}`, clock, unreachableText }) };
        nodes.set(path, node);
      }
      try {
        await node.server;
      } catch (cause) {
        // A full disk, say: the next one who asks tries anew.
        if (nodes.get(path) === node) nodes.delete(path);
        node.link.close();
        throw new AppError('unavailable', `no socket can be made for node ${nameOf(nodeId)}: ${errorMessage(cause)}`, { cause });
      }
      return node.link;
    },
    accept(nodeId, id, call) {
      const waiting = awaited.get(id);
      if (waiting?.nodeId === nodeId) waiting.opened(call);
      // Thrown, so that the caller gets a status: a call that is destroyed would let it wait.
      else throw new AppError('notFound', 'nobody asked for this tunnel');
    },
    close() {
      for (const { server, link } of nodes.values()) {
        link.close();
        server.then(
          (open) => open.close(),
          // Whoever asked for it was told.
          () => {},
        );
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
