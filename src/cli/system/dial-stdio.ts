// `dial-stdio`: carries bytes between the standard streams and the daemon's socket. `ssh://` runs it on the other side.
import { connect } from 'node:net';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';

export const command: CommandSpec = {
  usage: '',
  arguments: { minimum: 0, maximum: 0 },
  flags: [],
  async run({ context, where }) {
    const path = /^unix:\/\/(.+)$/.exec(where.address)?.[1];
    const tcp = /^tcp:\/\/(.+):(\d+)$/.exec(where.address);
    if (path === undefined && tcp === null) throw new AppError('invalidArgument', `cannot forward to ${where.address}`);
    const socket = path === undefined ? connect({ host: tcp?.[1] ?? '', port: Number(tcp?.[2]), allowHalfOpen: true }) : connect({ path, allowHalfOpen: true });
    const ended = new Promise<void>((resolve, reject) => {
      socket.on('error', (cause) => reject(new AppError('unavailable', `cannot connect to ${where.address}: ${cause.message}`, { cause })));
      socket.on('end', resolve);
      socket.on('close', () => resolve());
    });
    socket.on('data', (chunk: Buffer) => context.stdout.write(chunk));
    // Not read as an iterable: a pending read would keep this process after the socket has gone.
    context.stdin.on('data', (chunk) => void socket.write(chunk));
    context.stdin.once('end', () => void socket.end());
    try {
      await ended;
    } finally {
      socket.destroy();
      // Whoever is on the other side may keep its end open; what was to be carried has been.
      context.stdin.pause();
    }
    return undefined;
  },
};
