// A connection to a process in a container, joined to the program's own streams: what exec and attach do once they have one.
import type { Duplex } from 'node:stream';
import type { CliContext } from '../context.ts';
import { logFrames } from '../shared/log-stream.ts';

export interface Joined {
  readonly connection: Duplex;
  readonly head: Buffer;
  readonly tty: boolean;
  /** Whether what is typed goes there. */
  readonly input: boolean;
  /** Tells the other side how large the terminal is. */
  readonly resize: (columns: number, rows: number) => Promise<unknown>;
}

/** Resolves when the other side has ended its output. */
export async function joinStreams({ stdin, stdout, stderr }: CliContext, { connection, head, tty, input, resize }: Joined): Promise<void> {
  const isRaw = tty && stdin.isTTY === true && input;
  if (head.length > 0) connection.unshift(head);
  const listen = (chunk: Buffer) => void connection.write(chunk);
  const end = () => void connection.end();
  if (isRaw) stdin.setRawMode?.(true);
  const { columns, rows } = stdout as { columns?: number; rows?: number };
  if (tty && columns !== undefined && rows !== undefined) resize(columns, rows).catch(() => {});
  if (input) {
    stdin.on('data', listen);
    stdin.once('end', end);
    stdin.resume();
  }
  try {
    if (tty) for await (const chunk of connection as AsyncIterable<Buffer>) stdout.write(chunk);
    else for await (const { output, data } of logFrames(connection)) (output === 'stderr' ? stderr : stdout).write(data);
  } finally {
    if (isRaw) stdin.setRawMode?.(false);
    stdin.off('data', listen);
    stdin.pause();
    connection.destroy();
  }
}
