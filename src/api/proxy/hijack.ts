// Connections that stop being HTTP: attach, exec, build sessions. After the request's head bytes go through untouched in both directions,
// and the end of one direction is passed on while the other goes on (stdin ends, output still flows).
import type { IncomingMessage } from 'node:http';
import { type Duplex, type Readable, Transform } from 'node:stream';
import type { EngineLink } from '#engine-link/connection.ts';
import { parseHead, type ResponseHead } from './http-head.ts';
import { headText } from './rewrite.ts';

/** Paths, without version, where the engine takes the connection over. */
const hijackPath = /^\/(?:containers\/[^/?]+\/attach(?:\/ws)?|exec\/[^/?]+\/start|session|grpc)(?:\?|$)/;

/** With or without a version. */
const attachPath = /^(?:\/v[0-9.]+)?\/containers\/[^/?]+\/attach(?:\?|$)/;

export function isHijackPath(path: string): boolean {
  return hijackPath.test(path);
}

/** Added to a request of an old client that takes the connection over without asking for an upgrade; never reaches the engine. */
export const IMPLIED_UPGRADE_HEADER = 'x-skep-implied-upgrade';

/**
 * Joins the client's socket with one of the engine's. `head` is what the client has already sent after its headers.
 * Resolves when both directions have ended or either socket has failed; rejects, with nothing sent, when the engine cannot be reached.
 */
export async function hijack(request: IncomingMessage, client: Duplex, head: Buffer, path: string, engine: EngineLink): Promise<void> {
  // A client that gives up while we connect must not crash us.
  client.on('error', () => client.destroy());
  const upstream = await engine.dial();
  upstream.setNoDelay(true);
  await new Promise<void>((resolve) => {
    let open = 2;
    const closed = () => {
      open -= 1;
      if (open === 0) resolve();
    };
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    client.once('error', cut);
    upstream.once('error', cut);
    client.once('close', closed);
    upstream.once('close', closed);
    // A side that is gone altogether takes the other with it once that has written what it still holds.
    client.once('close', () => upstream.destroySoon());
    upstream.once('close', () => endSoon(client));
    if (client.destroyed) return cut();

    const unread = unreadBody(request, path);
    upstream.write(headText(`${request.method} ${path} HTTP/1.1`, engineHeaders(request, unread > 0)));
    if (head.length > unread) upstream.write(head.subarray(unread));
    const input = head.length >= unread ? client : client.pipe(withoutFirst(unread - head.length));
    input.pipe(upstream);
    passAnswer(upstream, client, input);
  });
}

/**
 * How long the body is that some clients send with an attach (their options, as JSON). The engine does not read it: it throws away what comes along with
 * the head, and takes for the container's input what comes later. From us it would always come later.
 */
function unreadBody(request: IncomingMessage, path: string): number {
  if (!attachPath.test(path)) return 0;
  const length = Number(request.headers['content-length'] ?? 0);
  return Number.isSafeInteger(length) && length > 0 ? length : 0;
}

function withoutFirst(length: number): Transform {
  let left = length;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const rest = chunk.subarray(left);
      left -= chunk.length - rest.length;
      if (rest.length > 0) done(null, rest);
      else done();
    },
  });
}

function engineHeaders(request: IncomingMessage, withoutBody: boolean): string[] {
  const implied = request.headers[IMPLIED_UPGRADE_HEADER] !== undefined;
  const hidden = new Set([...(implied ? [IMPLIED_UPGRADE_HEADER, 'connection', 'upgrade'] : []), ...(withoutBody ? ['content-length', 'content-type'] : [])]);
  const kept = request.rawHeaders.filter((_, index) => !hidden.has((request.rawHeaders[index - (index % 2)] ?? '').toLowerCase()));
  return withoutBody ? [...kept, 'Content-Length', '0'] : kept;
}

/** Reads the head of the engine's answer to learn whether the connection was taken over, then pipes. */
function passAnswer(upstream: Duplex, client: Duplex, input: Readable): void {
  let seen: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    let head: ResponseHead | undefined;
    try {
      head = parseHead(seen);
    } catch (error) {
      return void upstream.destroy(error as Error);
    }
    if (head === undefined) return;
    upstream.off('data', onData);
    upstream.off('end', onEnd);
    upstream.pause();
    if (takesOver(head)) passRaw(upstream, client, seen);
    else {
      input.unpipe(upstream);
      passOnce(upstream, client, head, seen);
    }
  };
  const onEnd = () => client.end(seen);
  upstream.on('data', onData);
  upstream.once('end', onEnd);
}

/** 101, or the old way: 200 with a body that has no length, which ends with the connection. */
function takesOver(head: ResponseHead): boolean {
  return head.status === 101 || (head.status === 200 && head.contentLength === undefined && !head.chunked);
}

function passRaw(upstream: Duplex, client: Duplex, first: Buffer): void {
  client.write(first);
  upstream.pipe(client);
}

/**
 * An ordinary answer (an error, a detached exec). The client is told that the connection closes, because later requests on it would
 * go to the engine without us.
 */
function passOnce(upstream: Duplex, client: Duplex, head: ResponseHead, seen: Buffer): void {
  const kept = head.rawHeaders.filter((_, index) => (head.rawHeaders[index - (index % 2)] ?? '').toLowerCase() !== 'connection');
  client.write(headText(head.firstLine, [...kept, 'Connection', 'close']));
  const body = seen.subarray(head.length);
  if (head.contentLength === undefined) {
    client.write(body);
    // The engine closes once it has answered, since it will not get another request.
    upstream.end();
    return void upstream.pipe(client);
  }
  let left = head.contentLength;
  const pass = (chunk: Buffer) => {
    const hasRoom = client.write(chunk.subarray(0, left));
    left -= Math.min(left, chunk.length);
    if (left > 0) {
      if (hasRoom) return;
      upstream.pause();
      return void client.once('drain', () => upstream.resume());
    }
    client.end();
    upstream.destroy();
  };
  upstream.on('data', pass);
  upstream.once('end', () => client.end());
  pass(body);
  upstream.resume();
}

function endSoon(socket: Duplex): void {
  if (!socket.writableEnded && !socket.destroyed) socket.end();
  // The other direction has nobody to read it any more.
  socket.once('finish', () => socket.destroy());
  if (socket.writableFinished) socket.destroy();
}
