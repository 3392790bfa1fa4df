// A node's ends of the tunnels that managers ask it for: to its engine, or to what it kept of logs. They go to the manager that wants to speak with it, over
// connections of their own beside the session: who leads the swarm may change, and what a user runs in a container goes on.
import type { Clock } from '#lib/clock.ts';
import { createManagerClient, type ManagerClient } from '#transport/client.ts';
import type { TlsMaterial } from '#transport/server.ts';
import { joinTunnel } from '#transport/tunnel.ts';
import type { AskedTunnel } from './remote-managers.ts';
import type { Worker } from './worker.ts';

export interface NodeTunnels {
  /** Opens a tunnel to the manager that it names, or else through `session`. Without an engine the tunnel ends at once. */
  open(tunnel: Omit<AskedTunnel, 'kind'>, session?: ManagerClient): void;
  close(): void;
}

export interface NodeTunnelsOptions {
  readonly worker: Pick<Worker, 'engine' | 'keptLogs'>;
  readonly tls: () => TlsMaterial;
  readonly clock: Clock;
  readonly connect?: (address: string, tls: TlsMaterial) => ManagerClient;
}

interface Way {
  readonly client: ManagerClient;
  readonly tls: TlsMaterial;
  tunnels: number;
  cancelClose: () => void;
}

/** The next command of a user comes soon, and a handshake costs more than all of it. */
const IDLE_MS = 30_000;

export function createNodeTunnels({ worker, tls, clock, connect = createManagerClient }: NodeTunnelsOptions): NodeTunnels {
  const ways = new Map<string, Way>();
  const open = new Set<Way>();

  function closeWay(address: string, way: Way): void {
    way.cancelClose();
    way.client.close();
    open.delete(way);
    if (ways.get(address) === way) ways.delete(address);
  }

  /** The connection to a manager; another one when the node's certificate is another. */
  function wayTo(address: string): Way {
    const known = ways.get(address);
    const now = tls();
    if (known !== undefined && known.tls.certificate === now.certificate && known.tls.roots === now.roots) return known;
    const way: Way = { client: connect(address, now), tls: now, tunnels: 0, cancelClose: () => {} };
    ways.set(address, way);
    open.add(way);
    if (known?.tunnels === 0) closeWay(address, known);
    return way;
  }

  function join(call: ReturnType<ManagerClient['openTunnel']>, to: AskedTunnel['to']): void {
    const link = to === 'kept-logs' ? worker.keptLogs : worker.engine;
    // Frames that come before it is joined wait; an error that does must be heard.
    call.on('error', () => {});
    link.dial().then(
      (socket) => joinTunnel(call, socket),
      () => call.cancel(),
    );
  }

  return {
    open({ id, to, at }, session) {
      if (at === undefined) {
        if (session !== undefined) join(session.openTunnel(id), to);
        return;
      }
      const way = wayTo(at);
      way.cancelClose();
      way.tunnels++;
      const call = way.client.openTunnel(id);
      call.once('status', () => {
        way.tunnels--;
        if (way.tunnels > 0 || !open.has(way)) return;
        if (ways.get(at) === way) way.cancelClose = clock.schedule(IDLE_MS, () => closeWay(at, way));
        else closeWay(at, way);
      });
      join(call, to);
    },
    close() {
      for (const way of open) {
        way.cancelClose();
        way.client.close();
      }
      open.clear();
      ways.clear();
    },
  };
}
