// Hands an ordinary request to the engine and its answer back: streamed both ways, each side held back by the other, cut when the other is cut.
// Connections that stop being HTTP (attach, exec, sessions) are hijack.ts.
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { EngineLink } from '#engine-link/connection.ts';
import { responseHeaders, withoutConnectionHeaders } from './rewrite.ts';

export interface ForwardedRequest {
  readonly method: string;
  /** With version and query, for the engine. */
  readonly path: string;
  /** The body in place of the client's own, which has then been read already. */
  readonly body?: Buffer;
}

/** Of a request that is sent to the engine in one piece: less than a socket takes at once. */
const MAX_WHOLE_BODY_BYTES = 64 * 1024;

const methodsWithBody = new Set(['POST', 'PUT', 'PATCH']);

/** Headers that a replaced body makes wrong. */
const bodyHeaders = new Set(['content-length', 'transfer-encoding', 'trailer', 'expect']);

/**
 * Resolves when the answer is complete or either side is gone. Rejects with the engine's AppError `unavailable` when it cannot be reached;
 * nothing has been answered then.
 */
export async function forward(request: IncomingMessage, response: ServerResponse, forwarded: ForwardedRequest, engine: EngineLink): Promise<void> {
  const withBody = forwarded.body === undefined && hasBody(request);
  // Only a request that may be sent twice uses a kept connection: the engine may have closed it while we write.
  const repeatable = !withBody && (forwarded.method === 'GET' || forwarded.method === 'HEAD');
  if (repeatable && !(await attempt(request, response, forwarded, engine, { reuse: true, withBody }))) return;
  if (repeatable && response.headersSent) return;
  await attempt(request, response, forwarded, engine, { reuse: false, withBody });
}

export function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
}

/** Resolves with true when a kept connection was dead and the request is worth another try. */
function attempt(
  request: IncomingMessage,
  response: ServerResponse,
  forwarded: ForwardedRequest,
  engine: EngineLink,
  how: { readonly reuse: boolean; readonly withBody: boolean },
): Promise<boolean> {
  const upstream = engine.open({
    method: forwarded.method,
    path: forwarded.path,
    rawHeaders: engineHeaders(request, forwarded, how.withBody),
    reuse: how.reuse,
  });
  return new Promise((resolve, reject) => {
    let answered = false;
    const clientGone = () => {
      if (!response.writableFinished) upstream.destroy();
      resolve(false);
    };
    response.once('close', clientGone);
    let failed = false;
    const fail = (error: NodeJS.ErrnoException) => {
      // Once the answer is on its way its own stream tells how it ends; a late write error is only the rest of an upload nobody wants.
      if (answered || response.destroyed) return resolve(false);
      if (failed) return;
      failed = true;
      response.off('close', clientGone);
      if (upstream.reusedSocket && error.code === 'ECONNRESET') return resolve(true);
      reject(engine.unreachable(error));
    };
    upstream.on('error', fail);
    // Without a word of why: it wanted an upgrade, which nobody had asked for.
    upstream.once('close', () => answered || fail(new Error('the connection was closed without an answer')));
    upstream.on('continue', () => response.writeContinue());
    upstream.on('response', (answer) => {
      try {
        response.sendDate = false;
        response.writeHead(answer.statusCode ?? 502, answer.statusMessage, responseHeaders(answer.rawHeaders));
      } catch (error) {
        // No answer that could be passed on: a status or a header that HTTP does not know. Nothing was sent.
        response.statusMessage = '';
        return void upstream.destroy(error as Error);
      }
      answered = true;
      relay(request, response, upstream, answer, () => resolve(false));
    });
    send(request, upstream, forwarded, how.withBody);
  });
}

function engineHeaders(request: IncomingMessage, forwarded: ForwardedRequest, withBody: boolean): string[] {
  if (forwarded.body === undefined) {
    const headers = withoutConnectionHeaders(request.rawHeaders);
    // A request that says nothing about a body has none (RFC 9112, 6.3); to Node a POST would be one of unknown length, which dockerd refuses at `start`.
    const unsaid = !withBody && request.headers['content-length'] === undefined && methodsWithBody.has(forwarded.method);
    return unsaid ? [...headers, 'Content-Length', '0'] : headers;
  }
  return [...withoutConnectionHeaders(request.rawHeaders, bodyHeaders), 'Content-Length', String(forwarded.body.length)];
}

function send(request: IncomingMessage, upstream: ClientRequest, forwarded: ForwardedRequest, withBody: boolean): void {
  if (!withBody) return void upstream.end(forwarded.body);
  if (isSmall(request)) {
    // In one write with the head: an engine that refuses without reading the body closes, and a write after that would lose its answer.
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => upstream.end(Buffer.concat(chunks)));
    return;
  }
  // The head goes out before the body comes: the engine may want to refuse, or to say `100 Continue`.
  upstream.flushHeaders();
  request.pipe(upstream, { end: false });
  request.once('end', () => {
    if (request.rawTrailers.length > 0) upstream.addTrailers(pairs(request.rawTrailers));
    upstream.end();
  });
}

/** Of a stated length that may be waited for, and nothing that the engine is asked about first. */
function isSmall({ headers }: IncomingMessage): boolean {
  const isWhole = headers['transfer-encoding'] === undefined && headers['trailer'] === undefined && headers['expect'] === undefined;
  return isWhole && Number(headers['content-length'] ?? 0) <= MAX_WHOLE_BODY_BYTES;
}

function relay(request: IncomingMessage, response: ServerResponse, upstream: ClientRequest, answer: IncomingMessage, done: () => void): void {
  // Headers at once: `docker wait` and `docker events` start only when they have them.
  response.flushHeaders();
  answer.pipe(response, { end: false });
  answer.once('end', () => {
    if (answer.rawTrailers.length > 0) response.addTrailers(pairs(answer.rawTrailers));
    response.end();
    // The engine has said all: what is left of an upload is read and dropped, so that the client gets to our answer.
    request.unpipe(upstream);
    request.resume();
  });
  answer.once('close', () => {
    // An answer that was cut short is passed on as one that was cut short.
    if (!answer.complete) response.destroy();
    done();
  });
  answer.once('error', () => response.destroy());
}

function pairs(raw: readonly string[]): [string, string][] {
  const result: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) result.push([raw[index] ?? '', raw[index + 1] ?? '']);
  return result;
}
