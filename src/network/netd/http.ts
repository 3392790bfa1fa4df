// The little that both of netd's HTTP sockets share.
import type http from 'node:http';
import { AppError, errorMessage } from '#lib/errors.ts';
import { listening } from '#lib/listen.ts';

/** The network state of 100,000 tasks is some 20 MB; nothing that is larger is meant for us. */
const MAX_BODY_BYTES = 128 * 1024 * 1024;

export async function readBody(request: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new AppError('invalidArgument', `request body is larger than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Listens on a unix socket that nobody but us may use: the mask holds before the file exists. */
export async function listenOn(server: http.Server, path: string): Promise<void> {
  const begin = (done: () => void) => {
    const previous = process.umask(0o177);
    try {
      server.listen(path, done);
    } finally {
      process.umask(previous);
    }
  };
  await listening(server, begin).catch((cause: unknown) => {
    throw new AppError('internal', `cannot listen on ${path}: ${errorMessage(cause)}`, { cause });
  });
}
