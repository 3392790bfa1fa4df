// HTTP to the engine over a unix socket or TCP, with or without TLS. Nothing here is kept that a restart of the engine would make wrong.
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { Agent, request as httpRequest } from '#lib/node-http.ts';
import { isIP, connect as netConnect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { Clock } from '#lib/clock.ts';
import { AppError, codeOfHttpStatus, errorMessage } from '#lib/errors.ts';
import type { EngineFacts, EngineLink, EngineRequest, EngineResponse } from './connection.ts';
import { apiPath } from './path.ts';
import { createPatience } from './patience.ts';

/** Lists of thousands of containers fit; a stream must be read as one. */
const MAX_ENGINE_BODY_BYTES = 128 * 1024 * 1024;
/** What the engine speaks is asked again after this: it may have been upgraded under us. */
const FACTS_MAX_AGE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** X-Registry-Config of a build carries a login per registry. */
export const MAX_HEADER_BYTES = 1024 * 1024;

export interface EngineTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** False accepts any certificate, as `docker --tls` without `--tlsverify` does. */
  readonly verify: boolean;
}

type Endpoint = { readonly kind: 'unix'; readonly path: string } | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

export interface EngineConnectionOptions {
  readonly address: string;
  readonly tls?: EngineTls;
  readonly clock: Clock;
  /** What it means that it cannot be reached, when that is more than an engine that is not running. */
  readonly unreachableText?: () => string;
}

export function createEngineConnection(options: EngineConnectionOptions): EngineLink {
  const { address, tls, clock, unreachableText = () => `Cannot connect to the Docker engine at ${address}. Is the engine running?` } = options;
  const endpoint = parseEndpoint(address);
  const kept = new Agent({ keepAlive: true, maxFreeSockets: 8 });
  const fresh = new Agent({ keepAlive: false });
  for (const agent of [kept, fresh]) agent.createConnection = () => openSocket(endpoint, tls);
  /** What the engine said when it last said something: it holds while one only hangs. */
  let last: EngineFacts | undefined;
  let known: { readonly facts: Promise<EngineFacts>; readonly at: number } | undefined;

  function unreachable(cause: unknown): AppError {
    known = undefined;
    return new AppError('unavailable', `${unreachableText()} (${errorMessage(cause)})`, { cause });
  }

  const patience = createPatience(clock, () => httpRequest({ path: '/_ping', headers: ['Host', 'docker', 'User-Agent', 'skepd'], agent: fresh }));

  function open(head: { method: string; path: string; rawHeaders: readonly string[]; reuse: boolean }): ClientRequest {
    const requestOptions: RequestOptions = {
      method: head.method,
      path: head.path,
      headers: head.rawHeaders,
      maxHeaderSize: MAX_HEADER_BYTES,
      agent: head.reuse ? kept : fresh,
    };
    const request = httpRequest(requestOptions);
    if (head.method === 'GET' || head.method === 'HEAD') patience.watch(request);
    return request;
  }

  /** Sends a request whose body, if any, is JSON; one more try when a kept connection turns out to be dead. */
  async function send(request: EngineRequest): Promise<IncomingMessage> {
    const version = request.apiVersion === undefined ? undefined : Math.min(request.apiVersion, (await facts(request.signal)).apiVersion);
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const head = { method: request.method, path: apiPath(version, request.path, request.query), rawHeaders: headersOf(request, body) };
    const reuse = request.method === 'GET' || request.method === 'HEAD';
    try {
      return await answerOf(open({ ...head, reuse }), body, request.signal);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw request.signal?.aborted ? error : unreachable(error);
    }
    return await answerOf(open({ ...head, reuse: false }), body, request.signal).catch((error: unknown) => {
      throw request.signal?.aborted ? error : unreachable(error);
    });
  }

  async function exchange(request: EngineRequest): Promise<EngineResponse & { readonly bytes: Buffer }> {
    const response = await send(request);
    const bytes = await readAll(response);
    return { status: response.statusCode ?? 0, headers: response.headers, body: parseBody(bytes), bytes };
  }

  async function ask(): Promise<EngineFacts> {
    const { headers, body } = await exchange({ method: 'GET', path: '/version' });
    const versions = (body ?? {}) as { ApiVersion?: string; MinAPIVersion?: string };
    const ping = await exchange({ method: 'GET', path: '/_ping' });
    const pingHeaders = Object.fromEntries(
      Object.entries({ ...headers, ...ping.headers }).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    );
    return { apiVersion: minorOf(versions.ApiVersion ?? pingHeaders['api-version'], 41), minApiVersion: minorOf(versions.MinAPIVersion, 12), pingHeaders };
  }

  // Many requests share one question; whoever's signal aborts only stops waiting.
  async function facts(signal?: AbortSignal): Promise<EngineFacts> {
    if (last !== undefined && patience.hangs()) return last;
    if (known === undefined || clock.elapsed() - known.at > FACTS_MAX_AGE_MS) {
      const asked = { facts: ask(), at: clock.elapsed() };
      known = asked;
      asked.facts.catch(() => {
        if (known === asked) known = undefined;
      });
    }
    const result = await known.facts;
    last = result;
    signal?.throwIfAborted();
    return result;
  }

  async function stream(request: EngineRequest): Promise<IncomingMessage> {
    const response = await send(request);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw engineError(status, parseBody(await readAll(response)));
  }

  async function openStream(request: EngineRequest) {
    const answer = await send(request);
    return { status: answer.statusCode ?? 0, stream: answer };
  }

  async function json<T>(request: EngineRequest): Promise<T> {
    const { status, body } = await exchange(request);
    if (status < 200 || status >= 300) throw engineError(status, body);
    return body as T;
  }

  async function dial(signal?: AbortSignal): Promise<Socket> {
    const socket = openSocket(endpoint, tls);
    try {
      await connected(socket, tls !== undefined, signal);
      return socket;
    } catch (error) {
      socket.destroy();
      throw unreachable(error);
    }
  }

  function close(): void {
    patience.close();
    kept.destroy();
  }

  return { address, facts, request: exchange, exchange, json, stream, openStream, dial, open, unreachable, close };
}

/** A kept connection that the engine had closed meanwhile: nothing of the request was seen. */
class StaleConnection extends Error {}

function answerOf(request: ClientRequest, body: Buffer | undefined, signal: AbortSignal | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const abort = () => request.destroy(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, { once: true });
    request.once('close', () => {
      signal?.removeEventListener('abort', abort);
      reject(new Error('the connection was closed without an answer'));
    });
    request.once('response', resolve);
    request.on('error', (error: NodeJS.ErrnoException) =>
      reject(request.reusedSocket && error.code === 'ECONNRESET' ? new StaleConnection(error.message) : error),
    );
    request.end(body);
  });
}

function headersOf(request: EngineRequest, body: Buffer | undefined): string[] {
  const headers = ['Host', 'docker', 'User-Agent', 'skepd'];
  for (const [name, value] of Object.entries(request.headers ?? {})) if (value !== undefined) headers.push(name, String(value));
  if (body !== undefined) headers.push('Content-Type', 'application/json', 'Content-Length', String(body.length));
  // Without a length Node would send a body in chunks, and an engine takes even an empty one for a body.
  else if (request.method === 'POST' || request.method === 'PUT') headers.push('Content-Length', '0');
  return headers;
}

/** Reads a whole answer. Rejects when it is longer than any answer that is read whole may be. */
export async function readAll(stream: AsyncIterable<Buffer>, maxBytes = MAX_ENGINE_BODY_BYTES): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > maxBytes) throw new AppError('resourceExhausted', `the body is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks);
}

/** Undefined when it is empty or no JSON. */
export function parseBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

/** The engine's own words with its own status, as far as our catalogue has it. */
export function engineError(status: number, body: unknown): AppError {
  const message = (body as { message?: unknown } | undefined)?.message;
  return new AppError(codeOfHttpStatus(status), typeof message === 'string' ? message : `the engine answered with status ${status}`);
}

function minorOf(version: string | undefined, fallback: number): number {
  const minor = Number(/^1\.(\d+)$/.exec(version ?? '')?.[1]);
  return Number.isInteger(minor) ? minor : fallback;
}

function parseEndpoint(address: string): Endpoint {
  const unix = /^unix:\/\/(\/.+)$/.exec(address);
  if (unix?.[1]) return { kind: 'unix', path: unix[1] };
  const tcp = /^tcp:\/\/(\[[^\]]+\]|[^:/]+):(\d+)\/?$/.exec(address);
  if (tcp?.[1] && tcp[2]) return { kind: 'tcp', host: tcp[1].replace(/^\[|\]$/g, ''), port: Number(tcp[2]) };
  throw new AppError('invalidArgument', `invalid engine address "${address}": use unix:///path or tcp://host:port`);
}

function openSocket(endpoint: Endpoint, tls: EngineTls | undefined): Socket {
  const plain = netConnect({
    ...(endpoint.kind === 'unix' ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port }),
    allowHalfOpen: true,
    noDelay: true,
  });
  if (tls === undefined) return plain;
  const { verify, ...material } = tls;
  // A TLS socket over a half-open one is half-open too; its own options know no such thing.
  const name = endpoint.kind === 'tcp' && isIP(endpoint.host) === 0 ? { servername: endpoint.host } : {};
  return tlsConnect({ socket: plain, ...name, ...(endpoint.kind === 'tcp' ? { host: endpoint.host } : {}), ...material, rejectUnauthorized: verify });
}

function connected(socket: Socket, secure: boolean, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
    const abort = AbortSignal.any(signal ? [signal, timeout] : [timeout]);
    const onAbort = () => reject(new Error(timeout.aborted ? 'timeout' : 'aborted'));
    abort.addEventListener('abort', onAbort, { once: true });
    socket.once('error', reject);
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      abort.removeEventListener('abort', onAbort);
      socket.off('error', reject);
      resolve();
    });
  });
}
