// A typed client of the Engine API: one peer, over whatever leads there (transport.ts). It knows HTTP and errors; what paths mean is its callers' business.
import type { IncomingMessage, OutgoingHttpHeaders, RequestOptions } from 'node:http';
import { type Duplex, pipeline, type Readable } from 'node:stream';
import { AppError, codeOfHttpStatus } from '#lib/errors.ts';
import { request } from '#lib/node-http.ts';
import type { Transport } from './transport.ts';

export type QueryValue = string | number | boolean | undefined;

export interface ClientRequest {
  readonly query?: Readonly<Record<string, QueryValue>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent as they are, in place of a body. */
  readonly bytes?: Buffer;
  /** Sent as it comes, in place of a body. */
  readonly source?: Readable;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Client {
  /** What users call the peer: `unix:///run/skep/skep.sock`. */
  readonly address: string;
  /** The JSON answer, undefined when there is none. Rejects with AppError: `unavailable` when nobody answers, else the daemon's words with Docker's prefix. */
  call<T = unknown>(method: string, path: string, options?: ClientRequest): Promise<T>;
  /** The same, as the text that came. */
  text(method: string, path: string, options?: ClientRequest): Promise<string>;
  /** The answer's body as it comes; errors as with `call`. The caller reads or destroys it. */
  stream(method: string, path: string, options?: ClientRequest): Promise<IncomingMessage>;
  /** A connection that both sides write to, as `exec` and `attach` need it. */
  upgrade(path: string, options?: ClientRequest): Promise<{ readonly connection: Duplex; readonly head: Buffer; readonly contentType: string }>;
  close(): void;
}

export interface ClientOptions {
  readonly transport: Transport;
  /** `1.41`: asks for that version of the API; absent: the newest that the peer has. */
  readonly apiVersion?: string;
  readonly userAgent: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Told which nodes an answer is without, and why: `node2 (down)`. */
  readonly onMissingNodes?: (nodes: string) => void;
}

/** No answer is larger, except streams. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;

export function createClient({ transport, apiVersion, userAgent, headers: common = {}, onMissingNodes }: ClientOptions): Client {
  const prefix = apiVersion === undefined ? '' : `/v${apiVersion}`;

  function start(method: string, path: string, { query = {}, body, bytes, source, headers = {}, signal }: ClientRequest, more: OutgoingHttpHeaders = {}) {
    const payload = bytes ?? (body === undefined ? undefined : JSON.stringify(body));
    const type = bytes === undefined ? 'application/json' : 'application/octet-stream';
    const streamed = source === undefined ? {} : { 'Content-Type': 'application/x-tar', 'Transfer-Encoding': 'chunked' };
    const options: RequestOptions = {
      ...transport.requestOptions,
      method,
      path: `${prefix}${path}${queryText(query)}`,
      headers: {
        Host: transport.hostHeader,
        'User-Agent': userAgent,
        ...common,
        ...streamed,
        ...(payload === undefined ? {} : { 'Content-Type': type, 'Content-Length': Buffer.byteLength(payload) }),
        ...headers,
        ...more,
      },
      ...(signal === undefined ? {} : { signal }),
    };
    return { outgoing: transport.secure ? transport.secure(options) : request(options), payload };
  }

  function stream(method: string, path: string, options: ClientRequest = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const { outgoing, payload } = start(method, path, options);
      outgoing.on('response', (response) => {
        const { statusCode = 0 } = response;
        const missing = response.headers['x-skep-missing-nodes'];
        if (typeof missing === 'string') onMissingNodes?.(missing);
        // 304: it is as it was asked to be already, as a container that is started twice.
        if ((statusCode >= 200 && statusCode < 300) || statusCode === 304) resolve(response);
        else failureOf(response).then(reject, reject);
      });
      outgoing.on('error', (cause) => reject(options.signal?.aborted ? options.signal.reason : transport.explain(cause)));
      if (options.source === undefined) outgoing.end(payload);
      // What the daemon says about a body that it did not read to its end is more than that the pipe broke.
      else pipeline(options.source, outgoing, () => {});
    });
  }

  async function text(method: string, path: string, options: ClientRequest = {}): Promise<string> {
    return readAll(await stream(method, path, options));
  }

  return {
    address: transport.address,
    stream,
    text,
    async call(method, path, options = {}) {
      const answer = await text(method, path, options);
      return (answer.trim() === '' ? undefined : JSON.parse(answer)) as never;
    },
    upgrade(path, options = {}) {
      return new Promise((resolve, reject) => {
        const { outgoing, payload } = start('POST', path, options, { Connection: 'Upgrade', Upgrade: 'tcp' });
        outgoing.on('upgrade', (response, connection, head) => resolve({ connection, head, contentType: response.headers['content-type'] ?? '' }));
        outgoing.on('response', (response) => {
          failureOf(response).then(reject, reject);
        });
        outgoing.on('error', (cause) => reject(transport.explain(cause)));
        outgoing.end(payload);
      });
    },
    close: () => transport.close(),
  };
}

/** What the API's `filters` parameter looks like; undefined when there is none. */
export function filtersText(filters: Readonly<Record<string, readonly string[]>>): string | undefined {
  const entries = Object.entries(filters).filter(([, values]) => values.length > 0);
  if (entries.length === 0) return undefined;
  return JSON.stringify(Object.fromEntries(entries.map(([key, values]) => [key, Object.fromEntries(values.map((value) => [value, true]))])));
}

function queryText(query: Readonly<Record<string, QueryValue>>): string {
  const pairs = Object.entries(query).filter((pair): pair is [string, string | number | boolean] => pair[1] !== undefined);
  const text = new URLSearchParams(pairs.map(([key, value]): [string, string] => [key, String(value)])).toString();
  return text === '' ? '' : `?${text}`;
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new AppError('resourceExhausted', 'the answer of the daemon is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function failureOf(response: IncomingMessage): Promise<AppError> {
  const body = await readAll(response);
  const { statusCode = 0 } = response;
  return new AppError(codeOfHttpStatus(statusCode), `Error response from daemon: ${messageOf(body, statusCode)}`);
}

function messageOf(body: string, status: number): string {
  try {
    const { message } = JSON.parse(body) as { message?: unknown };
    if (typeof message === 'string') return message.trim();
  } catch {
    // Not JSON: an old API version's error, or no Docker API at all.
  }
  return body.trim() === '' ? `request returned ${status} and no message; is this a Docker-compatible API?` : body.trim();
}
