// Reads the JSON body of a request to one of our own routes, with the checks that Docker makes before it parses.
import type { IncomingMessage } from 'node:http';
import { AppError } from '#lib/errors.ts';
import { readAll } from '#engine-link/link.ts';
import { parseGoJson } from './go-json.ts';
import { MAX_JSON_BYTES } from './route.ts';
import { FIRST_STRICT_JSON_VERSION } from './version.ts';

export interface RequestBody {
  /** Undefined for no body, and for `null`, which decodes to the same nothing. */
  readonly value: unknown;
  readonly bytes: Buffer;
}

/**
 * Throws AppError `invalidArgument` for another content type than JSON, for a body that is no JSON, and for one longer than MAX_JSON_BYTES. Clients of an
 * API from before content types were checked keep what they had.
 */
export async function readJsonBody(request: IncomingMessage, apiVersion: number): Promise<RequestBody> {
  const length = request.headers['content-length'];
  const absent = request.headers['transfer-encoding'] === undefined && (length === undefined || Number(length) === 0);
  const contentType = request.headers['content-type'] ?? '';
  // Clients up to 20.10 name a content type (text/plain) even where they send nothing.
  if (absent) return { value: undefined, bytes: Buffer.alloc(0) };
  if (apiVersion >= FIRST_STRICT_JSON_VERSION) checkContentType(contentType);
  const bytes = await readAll(request, MAX_JSON_BYTES).catch((cause: unknown) => {
    throw cause instanceof AppError ? new AppError('invalidArgument', `invalid JSON: http: request body too large`, { cause }) : cause;
  });
  return { value: parseGoJson(bytes.toString('utf8')) ?? undefined, bytes };
}

function checkContentType(contentType: string): void {
  const mediaType = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (mediaType === '') throw new AppError('invalidArgument', `malformed Content-Type header (${contentType}): mime: no media type`);
  if (mediaType !== 'application/json') throw new AppError('invalidArgument', `unsupported Content-Type header (${contentType}): must be 'application/json'`);
}
