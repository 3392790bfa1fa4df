// Makes sure that a task's image is on this node.
// Differs from Swarm on purpose: Swarm asks the registry for every task, even when the image is here, and a registry that cannot be resolved
// stalls each start for 10 to 30 s. Here an image that is local is used as it is; what a tag means is settled once, when the service is created
// (clients pin digests), and a pinned digest that is not local is pulled.
import type { Logger } from '#lib/log.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { EngineClient } from './engine-client.ts';

export interface ImageReference {
  readonly name: string;
  /** A tag or, when pinned, a digest: what the engine's pull endpoint calls `tag`. */
  readonly tag: string;
}

/** Splits `host:5000/name:tag@sha256:…`; a digest wins over a tag, no tag means `latest`. */
export function parseImageReference(image: string): ImageReference {
  const at = image.indexOf('@');
  const digest = at < 0 ? undefined : image.slice(at + 1);
  const tagged = at < 0 ? image : image.slice(0, at);
  const colon = tagged.indexOf(':', tagged.lastIndexOf('/') + 1);
  const name = colon < 0 ? tagged : tagged.slice(0, colon);
  return { name, tag: digest ?? (colon < 0 ? 'latest' : tagged.slice(colon + 1)) };
}

export interface EnsureImageOptions {
  readonly client: EngineClient;
  readonly log: Logger;
  readonly image: string;
  /** The credentials given with the service, a base64url X-Registry-Auth value. */
  readonly registryAuth?: string;
  readonly progress: (message: string) => void;
  readonly signal: AbortSignal;
}

/** Rejects with Docker's words when the image is neither here nor can be had. */
export async function ensureImage({ client, log, image, registryAuth, progress, signal }: EnsureImageOptions): Promise<void> {
  if (image === '') throw new AppError('invalidArgument', 'no image is given');
  if (await isLocal(client, image, signal)) return;
  const { name, tag } = parseImageReference(image);
  try {
    const stream = await client.stream({
      method: 'POST',
      path: '/images/create',
      query: { fromImage: name, tag },
      ...(registryAuth === undefined || registryAuth === '' ? {} : { registryAuth }),
      signal,
    });
    await followPull(stream, progress);
  } catch (error) {
    if (signal.aborted || (error instanceof AppError && error.code === 'unavailable')) throw error;
    // Docker's managers show no more than this; why the registry refused is in the log.
    log.warn({ image, error: errorMessage(error) }, 'an image could not be pulled');
    throw new AppError('notFound', `No such image: ${image}`, { cause: error });
  }
}

async function isLocal(client: EngineClient, image: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await client.find({ method: 'GET', path: `/images/${image}/json`, signal })) !== undefined;
  } catch (error) {
    if (error instanceof AppError && error.code === 'invalidArgument') throw new AppError('invalidArgument', error.message, { cause: error });
    throw error;
  }
}

/** Reads the engine's progress to its end; the failure of a pull is in there, not in the HTTP status. */
async function followPull(stream: AsyncIterable<Uint8Array>, progress: (message: string) => void): Promise<void> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) readProgress(line, progress);
  }
  readProgress(rest, progress);
}

function readProgress(line: string, progress: (message: string) => void): void {
  if (line.trim() === '') return;
  const message = JSON.parse(line) as { readonly error?: string; readonly status?: string; readonly id?: string };
  if (message.error !== undefined) throw new AppError('unknown', message.error);
  if (message.status !== undefined) progress(message.id === undefined ? message.status : `${message.id}: ${message.status}`);
}
