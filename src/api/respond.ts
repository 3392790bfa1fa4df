// Writes a route's result as HTTP. The headers that every answer carries are Docker's: Api-Version, Docker-Experimental, Ostype, Server.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { RouteResult } from './route.ts';
import { expectsPlainTextErrors, hasBareJsonErrors, MAX_API_VERSION, versionText } from './version.ts';

export type OwnResult = Exclude<RouteResult, { kind: 'engine' }>;

export interface CommonHeaders {
  readonly server: string;
  /** From the engine, once known. */
  readonly experimental: string;
  readonly ostype: string;
}

/** Flat name-value list in the order that Docker sends. */
export function commonHeaders(common: CommonHeaders): string[] {
  return ['Api-Version', versionText(MAX_API_VERSION), 'Docker-Experimental', common.experimental, 'Ostype', common.ostype, 'Server', common.server];
}

/** Resolves when everything is handed to the socket, or when the client has gone. */
export async function writeResult(response: ServerResponse, result: OwnResult, common: CommonHeaders, signal: AbortSignal): Promise<void> {
  const headers = [...commonHeaders(common), ...Object.entries(result.headers ?? {}).flat()];
  if (result.kind === 'json') return writeJson(response, result.status, headers, `${JSON.stringify(result.value)}\n`);
  if (result.kind === 'json-text') return writeJson(response, result.status, headers, withNewline(result.text));
  if (result.kind === 'bytes') {
    response.writeHead(result.status, [...headers, 'Content-Type', result.contentType, 'Content-Length', String(result.bytes.length)]);
    response.end(result.bytes);
    return;
  }
  if (result.kind === 'stream') {
    response.writeHead(result.status, [...headers, 'Content-Type', result.contentType]);
    response.flushHeaders();
    return await writeStream(response, result.body, signal);
  }
  // 204 and 304 have no length by definition.
  response.writeHead(result.status, result.status === 204 || result.status === 304 ? headers : [...headers, 'Content-Length', '0']);
  response.end();
}

/** The status and text for anything that a handler threw. */
export function describeError(error: unknown): { readonly status: number; readonly message: string } {
  return { status: error instanceof AppError ? error.httpStatus : 500, message: errorMessage(error) };
}

/** In the form and words of the API version that the request names. */
export function writeError(response: ServerResponse, error: unknown, common: CommonHeaders, requested?: string): void {
  const { status, message: words } = describeError(error);
  const message = hasBareJsonErrors(requested) ? words.replace(/^invalid JSON: /, '') : words;
  const plain = expectsPlainTextErrors(requested);
  const headers = commonHeaders(common);
  if (!plain) return writeJson(response, status, headers, `${JSON.stringify({ message })}\n`);
  const body = Buffer.from(`${message}\n`);
  response.writeHead(status, [
    ...headers,
    'Content-Type',
    'text/plain; charset=utf-8',
    'X-Content-Type-Options',
    'nosniff',
    'Content-Length',
    String(body.length),
  ]);
  response.end(body);
}

function writeJson(response: ServerResponse, status: number, headers: readonly string[], body: string | Buffer): void {
  response.writeHead(status, [...headers, 'Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(body))]);
  response.end(body);
}

function withNewline(text: string | Buffer): string | Buffer {
  if (typeof text === 'string') return text.endsWith('\n') ? text : `${text}\n`;
  return text.at(-1) === 0x0a ? text : Buffer.concat([text, Buffer.from('\n')]);
}

async function writeStream(response: ServerResponse, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  try {
    for await (const chunk of body) {
      if (signal.aborted) return;
      // A slow reader holds the source back instead of filling our memory.
      if (!response.write(chunk)) await once(response, 'drain', { signal });
    }
    response.end();
  } catch (error) {
    // The status is long gone: a cut connection is the only way left to say that the answer is not whole.
    response.destroy();
    if (!signal.aborted) throw error;
  }
}
