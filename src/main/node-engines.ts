// The engines of other nodes, as addresses on this one: for each node a socket in the state directory, and behind every connection to it a tunnel
// that the node opens (transport/tunnel.ts). So whatever speaks to an engine (proxy, logs) speaks to any node's without knowing. What nodes kept of the
// logs of tasks that are gone (kept-logs-server.ts) is reached the same way.
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Clock, Random } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import { listening } from '#lib/listen.ts';
import type { Logger } from '#lib/log.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import { createEngineConnection } from '#engine-link/link.ts';
import { ensurePrivateDirectory } from '#platform/files.ts';
import type { TunnelTarget } from '#protocol/messages.ts';
import type { ManagerClient } from '#transport/client.ts';
import type { Dispatcher } from '#dispatcher/dispatcher.ts';
import { joinTunnel, type TunnelCall } from '#transport/tunnel.ts';

export interface NodeEnginesOptions {
  readonly stateDirectory: string;
  readonly self: { readonly nodeId: string; readonly engine: EngineLink; readonly keptLogs: EngineLink };
  /** Who has the nodes' sessions: this manager with the address at which it is one, or another; undefined while none is known. */
  readonly leader: () => Leads | undefined;
  /** A node's name for users. */
  readonly nameOf: (nodeId: string) => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export type Leads = { readonly dispatcher: Pick<Dispatcher, 'requestTunnel'>; readonly at: string } | Pick<ManagerClient, 'askTunnel' | 'openRelay'>;

export interface NodeEngines {
  /** The engine of a node, or what else is asked for, wherever it is. */
  linkTo(nodeId: string, to?: TunnelTarget): Promise<EngineLink>;
  /** The node's end of a tunnel that was asked for; one that nobody asked for is refused. */
  accept(nodeId: string, id: string, call: TunnelCall): void;
  /** Lets go of a node that is no member any more. */
  forget(nodeId: string): void;
  close(): void;
}

/** How long a node may take to open a tunnel: to this manager itself first, then through the one that leads. */
const DIRECT_TIMEOUT_MS = 2_500;
const OPEN_TIMEOUT_MS = 5_000;
/** A node that did not come by itself (it cannot reach this manager, or is older than that) is not waited for again for so long. */
const DETOUR_MS = 60_000;

interface Awaited {
  readonly nodeId: string;
  readonly opened: (call: TunnelCall) => void;
}

interface NodeSocket {
  readonly server: Promise<Server>;
  readonly link: EngineLink;
}

/** Its file goes with it. */
function closeSocket({ server, link }: NodeSocket): void {
  link.close();
  server.then(
    (open) => open.close(),
    // Whoever asked for it was told.
    () => {},
  );
}

/** Short: the path of a socket has 107 letters at most. */
const fileName = (nodeId: string, to: TunnelTarget) => `${nodeId}.${to === 'engine' ? 'sock' : 'kept'}`;

export function createNodeEngines(options: NodeEnginesOptions): NodeEngines {
  const { stateDirectory, self, leader, nameOf, clock, random, log } = options;
  const folder = join(stateDirectory, 'nodes');
  /** By the path of the socket. */
  const nodes = new Map<string, NodeSocket>();
  const awaited = new Map<string, Awaited>();
  /** Nodes that are reached through the leader, and until when. */
  const detours = new Map<string, number>();

  /** The node's end of a tunnel that `ask` has it open. */
  function opened(nodeId: string, timeoutMs: number, ask: (id: string) => Promise<void>): Promise<TunnelCall> {
    const id = newId(random);
    return new Promise((resolve, reject) => {
      const end = () => {
        cancel();
        awaited.delete(id);
      };
      const cancel = clock.schedule(timeoutMs, () => {
        end();
        reject(new AppError('deadlineExceeded', `node ${nodeId} does not answer`));
      });
      awaited.set(id, {
        nodeId,
        opened(call) {
          end();
          resolve(call);
        },
      });
      ask(id).catch((error: unknown) => {
        end();
        reject(error);
      });
    });
  }

  /** From the node to this manager, so that only the end of one of the two is its end. */
  function direct(nodeId: string, to: TunnelTarget, leads: Leads): Promise<TunnelCall> {
    return opened(nodeId, DIRECT_TIMEOUT_MS, async (id) => {
      if ('askTunnel' in leads) return leads.askTunnel(nodeId, id, to);
      if (!leads.dispatcher.requestTunnel(nodeId, id, to, leads.at)) throw notAvailable(nodeId);
    });
  }

  /** The way of the node's session, which ends with the lead of the manager that has it. */
  async function throughLeader(nodeId: string, to: TunnelTarget, leads: Leads): Promise<TunnelCall> {
    if ('openRelay' in leads) return leads.openRelay(nodeId, to);
    return opened(nodeId, OPEN_TIMEOUT_MS, async (id) => {
      if (!leads.dispatcher.requestTunnel(nodeId, id, to)) throw notAvailable(nodeId);
    });
  }

  async function openTunnel(nodeId: string, to: TunnelTarget): Promise<TunnelCall> {
    const leads = leader();
    if (leads === undefined) throw new AppError('unavailable', 'no manager leads the swarm right now');
    if ((detours.get(nodeId) ?? -Infinity) > clock.elapsed()) return throughLeader(nodeId, to, leads);
    try {
      return await direct(nodeId, to, leads);
    } catch (error) {
      if (!(error instanceof AppError) || !['deadlineExceeded', 'unimplemented'].includes(error.code)) throw error;
      detours.set(nodeId, clock.elapsed() + DETOUR_MS);
      log.info({ node: nodeId, error: error.message }, 'a node does not come to this manager by itself: it is reached through the one that leads');
      return throughLeader(nodeId, to, leads);
    }
  }

  function serve(nodeId: string, to: TunnelTarget, socket: Socket): void {
    socket.pause();
    socket.on('error', () => socket.destroy());
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
    await listening(server, (done) => server.listen(path, done));
    return server;
  }

  return {
    async linkTo(nodeId, to = 'engine') {
      if (nodeId === self.nodeId) return to === 'engine' ? self.engine : self.keptLogs;
      const path = join(folder, fileName(nodeId, to));
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
    forget(nodeId) {
      for (const to of ['engine', 'kept-logs'] as const) {
        const path = join(folder, fileName(nodeId, to));
        const node = nodes.get(path);
        nodes.delete(path);
        if (node !== undefined) closeSocket(node);
      }
    },
    close() {
      for (const node of nodes.values()) closeSocket(node);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function notAvailable(nodeId: string): AppError {
  return new AppError('unavailable', `node ${nodeId} is not available`);
}
