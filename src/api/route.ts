// What one of our own routes is: a method, a path pattern and a handler that returns its answer as a value.
// Sockets, negotiation of versions and the engine's routes are the server's business (server.ts), not a handler's.
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { SwarmMembership } from '#control/control.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { EngineConnection } from '#engine-link/connection.ts';

export type RouteMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';

export interface RouteRequest {
  readonly method: string;
  /** Without the version prefix and the query: `/services/web/update`. */
  readonly path: string;
  /** Decoded values of the pattern's `{names}`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The parsed JSON body; undefined when there is none (also for Content-Length 0) and for routes whose `body` is not 'json'. */
  readonly body: unknown;
  readonly headers: IncomingHttpHeaders;
  /** The minor number of the request's API version: 41 for /v1.41/…, the newest (50) for an unversioned path. */
  readonly apiVersion: number;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
  /** The body as it comes in, for routes whose `body` is 'raw'. */
  readonly rawBody: Readable;
}

export interface RouteContext {
  readonly membership: SwarmMembership;
  readonly engine: EngineConnection;
  readonly log: Logger;
  readonly clock: Clock;
}

export type RouteResult =
  /** `value` becomes JSON with Docker's trailing newline. */
  | { readonly kind: 'json'; readonly status: number; readonly value: unknown; readonly headers?: Readonly<Record<string, string>> }
  /** JSON that is text already, for long lists; the server adds the newline. */
  | { readonly kind: 'json-text'; readonly status: number; readonly text: string | Buffer; readonly headers?: Readonly<Record<string, string>> }
  /** A short body of another type. An answer to HEAD gets its headers only. */
  | {
      readonly kind: 'bytes';
      readonly status: number;
      readonly contentType: string;
      readonly bytes: Buffer;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** No body: 200 with Content-Length 0, or 204. */
  | { readonly kind: 'empty'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Headers are sent at once, each chunk is flushed as it comes. A body that throws cuts the connection. */
  | {
      readonly kind: 'stream';
      readonly status: number;
      readonly contentType: string;
      readonly body: AsyncIterable<Uint8Array>;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The engine answers: the request as it came, or with `path` (no version prefix), `query` or JSON `body` in its place. */
  | { readonly kind: 'engine'; readonly path?: string; readonly query?: URLSearchParams; readonly body?: unknown };

export interface Route {
  readonly method: RouteMethod;
  /** `/services/{id}/update`; a `{name...}` at the end takes the rest, slashes included (image names). */
  readonly path: string;
  /** Default: 'json' for POST and PUT, 'none' otherwise. 'json' reads at most MAX_JSON_BYTES and refuses other content types in Docker's words. */
  readonly body?: 'json' | 'none' | 'raw';
  /** Throws or rejects with an AppError for the user; anything else becomes a 500 with its message. */
  handler(request: RouteRequest, context: RouteContext): RouteResult | Promise<RouteResult>;
}

/** A spec with the largest config (1,000 kB, base64) fits several times; more is not a swarm request. */
export const MAX_JSON_BYTES = 8 * 1024 * 1024;

/** The content types of log and attach streams (API 1.42 made a difference between them). */
export const RAW_STREAM = 'application/vnd.docker.raw-stream';
export const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';

export function json(value: unknown, status = 200): RouteResult {
  return { kind: 'json', status, value };
}

export function jsonText(text: string | Buffer, status = 200): RouteResult {
  return { kind: 'json-text', status, text };
}

/** More items than this are sent as they are put into text, some at a time: an answer of many MB neither stops everything else nor is held as a whole. */
const ITEMS_AT_ONCE = 500;

/** A list of what `toText` makes JSON texts of. */
export function jsonList<T>(items: readonly T[], toText: (item: T) => string): RouteResult {
  if (items.length <= ITEMS_AT_ONCE) return jsonText(`[${items.map(toText).join(',')}]`);
  return { kind: 'stream', status: 200, contentType: 'application/json', body: listInParts(items, toText) };
}

async function* listInParts<T>(items: readonly T[], toText: (item: T) => string): AsyncIterable<Uint8Array> {
  for (let start = 0; start < items.length; start += ITEMS_AT_ONCE) {
    const end = start + ITEMS_AT_ONCE;
    const part = items.slice(start, end).map(toText).join(',');
    yield Buffer.from(`${start === 0 ? '[' : ','}${part}${end >= items.length ? ']\n' : ''}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export function empty(status = 200): RouteResult {
  return { kind: 'empty', status };
}

/** Hands the request over to the engine, whole or with parts replaced. */
export function toEngine(replace: { readonly path?: string; readonly query?: URLSearchParams; readonly body?: unknown } = {}): RouteResult {
  return { kind: 'engine', ...replace };
}
