// Whether a machine answers at all: one TCP connection to its managers' port, closed at once. Nothing is said over it, and what is behind the port does not
// matter: a machine that refuses the connection is there, too. One that says nothing is gone, cut off, or behind a firewall.
import { connect } from 'node:net';
import type { Clock } from '#lib/clock.ts';

export type Answer = 'accepts' | 'refuses' | 'silent';

/** Never rejects. */
export function knock(host: string, port: number, timeoutMs: number, clock: Clock): Promise<Answer> {
  return new Promise((resolve) => {
    // What a node says of itself may be no port at all.
    if (!(port > 0 && port < 65_536)) return resolve('silent');
    const socket = connect({ host, port });
    const end = (answer: Answer) => {
      cancel();
      socket.destroy();
      resolve(answer);
    };
    const cancel = clock.schedule(timeoutMs, () => end('silent'));
    socket.once('connect', () => end('accepts'));
    // Whatever else goes wrong was not said by the machine.
    socket.on('error', ({ code }: NodeJS.ErrnoException) => end(code === 'ECONNREFUSED' || code === 'ECONNRESET' ? 'refuses' : 'silent'));
  });
}
