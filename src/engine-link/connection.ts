// The engine as we see it: one HTTP peer on a unix socket or TCP, asked for small JSON answers here and for everything else by proxy/.
// It deliberately knows nothing of containers or networks. link.ts implements it.
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';

/** What the engine said of itself when it was last asked. */
export interface EngineFacts {
  /** Highest and lowest API version, as minor numbers: 41 for 1.41. */
  readonly apiVersion: number;
  readonly minApiVersion: number;
  /** Headers of its `/_ping`, lower-case names. */
  readonly pingHeaders: Readonly<Record<string, string>>;
}

export interface EngineRequest {
  readonly method: string;
  /** Without a version prefix: `/networks/bridge`. */
  readonly path: string;
  readonly query?: URLSearchParams;
  readonly headers?: OutgoingHttpHeaders;
  /** Sent as JSON when given. */
  readonly body?: unknown;
  /** The minor number to ask with; the engine's own when absent or when that is lower. */
  readonly apiVersion?: number;
  readonly signal?: AbortSignal;
}

export interface EngineResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The whole body, at most MAX_ENGINE_BODY_BYTES; undefined when it is empty or not JSON. */
  readonly body: unknown;
}

export interface EngineConnection {
  /** As a user wrote it: `unix:///var/run/docker.sock`. */
  readonly address: string;
  /** What the engine speaks; asks it when that is not known. Rejects with AppError `unavailable` when it cannot be reached. */
  facts(signal?: AbortSignal): Promise<EngineFacts>;
  /** A small question. Resolves for every HTTP status; rejects with AppError `unavailable` only when the engine cannot be reached. */
  request(request: EngineRequest): Promise<EngineResponse>;
  /** The JSON answer; rejects with an AppError that has the engine's own message and status when it is not 2xx. */
  json<T>(request: EngineRequest): Promise<T>;
  /** An answer that goes on (events, logs): headers first, then the stream to be read by the caller. Same errors as `json`. */
  stream(request: EngineRequest): Promise<IncomingMessage>;
  /** The same for every status: the caller reads what is refused, too. */
  openStream(request: EngineRequest): Promise<{ readonly status: number; readonly stream: IncomingMessage }>;
  close(): void;
}

/** What only the proxy needs: the wire itself. */
export interface EngineLink extends EngineConnection {
  /** The engine's answer with its body as it came, for answers that are passed on. */
  exchange(request: EngineRequest): Promise<EngineResponse & { readonly bytes: Buffer }>;
  /** A connection of its own, half-open when one side ends. Rejects with AppError `unavailable`. */
  dial(signal?: AbortSignal): Promise<Socket>;
  /** An HTTP request whose head is exactly this; the caller writes the body. `reuse` allows a kept connection. A question fails when the engine hangs. */
  open(head: { readonly method: string; readonly path: string; readonly rawHeaders: readonly string[]; readonly reuse: boolean }): ClientRequest;
  /** The AppError for a failure to reach the engine. Also forgets what is known of it: another one may answer next time. */
  unreachable(cause: unknown): Error;
}
