// Connections that stop being HTTP: attach, exec, build sessions. After the request's head bytes go through untouched in both directions,
// and the end of one direction is passed on while the other goes on (stdin ends, output still flows).
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { EngineLink } from '#engine-link/connection.ts';
import { parseHead, type ResponseHead } from './http-head.ts';
import { headText } from './rewrite.ts';

/** Paths, without version, where the engine takes the connection over. */
const hijackPath = /^\/(?:containers\/[^/?]+\/attach(?:\/ws)?|exec\/[^/?]+\/start|session|grpc)(?:\?|$)/;

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

    upstream.write(headText(`${request.method} ${path} HTTP/1.1`, engineHeaders(request)));
    if (head.length > 0) upstream.write(head);
    client.pipe(upstream);
    passAnswer(upstream, client);
  });
}

function engineHeaders(request: IncomingMessage): string[] {
  const implied = request.headers[IMPLIED_UPGRADE_HEADER] !== undefined;
  if (!implied) return request.rawHeaders;
  const hidden = new Set([IMPLIED_UPGRADE_HEADER, 'connection', 'upgrade']);
  return request.rawHeaders.filter((_, index) => !hidden.has((request.rawHeaders[index - (index % 2)] ?? '').toLowerCase()));
}

/** Reads the head of the engine's answer to learn whether the connection was taken over, then pipes. */
function passAnswer(upstream: Duplex, client: Duplex): void {
  let seen: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const head = parseHead(seen);
    if (head === undefined) return;
    upstream.off('data', onData);
    upstream.off('end', onEnd);
    upstream.pause();
    if (takesOver(head)) passRaw(upstream, client, seen);
    else passOnce(upstream, client, head, seen);
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
  client.unpipe(upstream);
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
    client.write(chunk.subarray(0, left));
    left -= Math.min(left, chunk.length);
    if (left > 0) return;
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
