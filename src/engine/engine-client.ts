// The engine's HTTP API as the executor uses it, with one way to say what went wrong: AppError in the engine's own words. `unavailable` means that the
// engine did not answer at all, which says nothing about what was asked; everything else is its answer.
import type { IncomingMessage } from 'node:http';
import type { EngineLink, EngineRequest } from '#engine-link/connection.ts';
import { parseBody, readAll } from '#engine-link/link.ts';
import { AppError, codeOfHttpStatus } from '#lib/errors.ts';

export interface EngineCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Without version and query: `/containers/json`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: object;
  /** A base64url X-Registry-Auth value. */
  readonly registryAuth?: string;
  readonly signal: AbortSignal;
}

export interface EngineClient {
  /** The JSON answer; `undefined` for an empty one. 304 (nothing to do) is a success. */
  call<T>(call: EngineCall): Promise<T>;
  /** The same, but undefined when there is no such thing (404). */
  find<T>(call: EngineCall): Promise<T | undefined>;
  /** An answer that goes on. */
  stream(call: EngineCall): Promise<IncomingMessage>;
}

/** Making a container or network takes a second on a busy machine; an engine that takes longer than this does not work. */
const CREATION_TIMEOUT_MS = 120_000;

/**
 * The signal for a call that makes something: it is not given up half-way, because the engine would make it all the same, and nobody would know of
 * it. Throws when the work that needs it is already given up.
 */
export function creationSignal(signal: AbortSignal): AbortSignal {
  signal.throwIfAborted();
  return AbortSignal.timeout(CREATION_TIMEOUT_MS);
}

const successful: ReadonlySet<number> = new Set([200, 201, 204, 304]);

/** What dockerd says while it starts or stops: it answers, but cannot work. */
const NOT_WORKING = new RegExp(
  [
    'transport is closing',
    'client connection is (?:closing|closed)',
    'containerd\\.sock.*(?:connection refused|no such file)',
    'containerd.*not running',
    'daemon is shutting down',
    'context canceled',
    // Its network database is closed before its API is.
    'failed to update store for object type \\*libnetwork',
    'failed to (?:get|delete|lookup) .* from store.*(?:no such file|database not open)',
    'database not open',
    'network controller is (?:not initialized|nil)',
  ].join('|'),
  'i',
);

export function createEngineClient({ link }: { readonly link: EngineLink }): EngineClient {
  const requestOf = ({ method, path, query, body, registryAuth, signal }: EngineCall): EngineRequest => {
    // A signal that is aborted already would be noticed only after the request was sent.
    signal.throwIfAborted();
    return {
      method,
      path,
      signal,
      ...(query === undefined ? {} : { query: new URLSearchParams(definedValues(query)) }),
      ...(body === undefined ? {} : { body }),
      ...(registryAuth === undefined ? {} : { headers: { 'X-Registry-Auth': registryAuth } }),
    };
  };

  const client: EngineClient = {
    async call<T>(call: EngineCall): Promise<T> {
      const { status, body } = await link.request(requestOf(call));
      if (!successful.has(status)) throw refusal(status, body);
      return body as T;
    },
    async find<T>(call: EngineCall): Promise<T | undefined> {
      try {
        return await client.call<T>(call);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async stream(call) {
      const { status, stream } = await link.openStream(requestOf(call));
      if (successful.has(status)) return stream;
      throw refusal(status, parseBody(await readAll(stream)));
    },
  };
  return client;
}

export function isNotFound(error: unknown): boolean {
  return error instanceof AppError && error.code === 'notFound';
}

function definedValues(query: NonNullable<EngineCall['query']>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])));
}

/** The engine's own words, with the code that its status stands for. */
function refusal(status: number, body: unknown): AppError {
  const said = (body as { readonly message?: unknown } | undefined)?.message;
  const message = typeof said === 'string' ? said.trim() : `the engine answered with status ${status}`;
  if (status >= 500 && NOT_WORKING.test(message)) return new AppError('unavailable', `the container engine is not ready: ${message}`);
  return new AppError(codeOfHttpStatus(status), message);
}
