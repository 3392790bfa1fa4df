// The sockets of the API: what listens, what is connected, and how all of it ends.
import type { Socket } from 'node:net';
import type { Clock } from '#lib/clock.ts';
import { exposureWarning, type HostSpec, type Listener, listenOn } from './hosts.ts';

export interface Listeners {
  /** Resolves with the address as a user would write it, the chosen port in it. */
  listen(host: HostSpec): Promise<{ readonly address: string }>;
  /** What `docker info` warns of in what is listened on. */
  warnings(): readonly string[];
  /** Stops listening, cuts idle connections at once and the others after CLOSE_GRACE_MS. */
  close(): Promise<void>;
}

/** Short answers are finished in this time; streams (logs, events, attached terminals) end with the daemon. */
const CLOSE_GRACE_MS = 1_000;

/** `isBusy` tells whether a connection is in the middle of a request. */
export function createListeners(options: {
  readonly accept: (socket: Socket) => void;
  readonly isBusy: (socket: Socket) => boolean;
  readonly clock: Clock;
}): Listeners {
  const open = new Set<Listener>();
  const sockets = new Set<Socket>();
  const warnings: string[] = [];
  const accept = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Whoever has the connection listens while it has it; between two of them (a request that is to be taken over and waits for the engine) nobody does.
    socket.on('error', () => socket.destroy());
    options.accept(socket);
  };
  return {
    async listen(host) {
      const listener = await listenOn(host, accept);
      open.add(listener);
      const warning = exposureWarning(host);
      if (warning !== undefined) warnings.push(warning);
      return listener;
    },
    warnings: () => warnings,
    async close() {
      const closed = [...open].map(({ server }) => new Promise<void>((resolve) => server.close(() => resolve())));
      for (const { handshakes } of open) handshakes.end();
      open.clear();
      for (const socket of sockets) if (!options.isBusy(socket)) socket.destroy();
      const cancel = options.clock.schedule(CLOSE_GRACE_MS, () => {
        for (const socket of sockets) socket.destroy();
      });
      await Promise.all(closed);
      cancel();
    },
  };
}
