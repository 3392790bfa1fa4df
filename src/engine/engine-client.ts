// The engine's HTTP API through dockerode, with one way to say what went wrong: AppError in the engine's own words. `unavailable` means that the
// engine did not answer at all, which says nothing about what was asked; everything else is its answer.
import type { IncomingMessage } from 'node:http';
import type Docker from 'dockerode';
import { AppError, type ErrorCode, errorMessage } from '#lib/errors.ts';

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

const successful = { 200: true, 201: true, 204: true, 304: true } as const;

const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  400: 'invalidArgument',
  401: 'unauthenticated',
  403: 'permissionDenied',
  404: 'notFound',
  409: 'conflict',
  501: 'unimplemented',
};

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

export function createEngineClient({ docker }: { readonly docker: Docker }): EngineClient {
  function dial(call: EngineCall, isStream: boolean): Promise<unknown> {
    const { method, path, query, body, registryAuth, signal } = call;
    return new Promise((resolve, reject) => {
      const options = {
        method,
        path: `${path}?`,
        statusCodes: { ...successful },
        abortSignal: signal,
        isStream,
        // dockerode appends `_query` to a path with a question mark, and sends `_body` unless it is empty.
        options: { _query: definedValues(query ?? {}), _body: body ?? {} },
        ...(registryAuth === undefined ? {} : { authconfig: { key: registryAuth } }),
      };
      // A signal that is aborted already would be noticed only after the request was sent.
      if (signal.aborted) return reject(signal.reason as Error);
      docker.modem.dial(options, (error: unknown, answer: unknown) => {
        if (error !== null && error !== undefined) reject(translate(error, signal));
        else resolve(answer);
      });
    });
  }

  const client: EngineClient = {
    async call<T>(call: EngineCall): Promise<T> {
      const answer = await dial(call, false);
      // dockerode gives a Buffer for what is not JSON; the endpoints used here answer that way only when there is nothing to say.
      return (Buffer.isBuffer(answer) ? undefined : answer) as T;
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
      return (await dial(call, true)) as IncomingMessage;
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

interface ModemError {
  readonly statusCode?: number;
  readonly json?: { readonly message?: string } | Buffer | null;
}

function translate(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const { statusCode, json } = error as ModemError;
  if (statusCode === undefined) return new AppError('unavailable', `the container engine cannot be reached: ${errorMessage(error)}`, { cause: error });
  const said = json !== null && typeof json === 'object' && 'message' in json ? json.message : undefined;
  const message = (said ?? errorMessage(error).replace(/^\(HTTP code \d+\) \w+ - /, '')).trim();
  if (statusCode >= 500 && NOT_WORKING.test(message)) return new AppError('unavailable', `the container engine is not ready: ${message}`, { cause: error });
  return new AppError(codeOfStatus[statusCode] ?? 'unknown', message, { cause: error });
}
