// Brings images to a cluster's engines without a registry: as a tar, from this machine's engine or from a file.
import { createReadStream, createWriteStream, readdirSync, rmSync } from 'node:fs';
import { request } from '#lib/node-http.ts';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createClient } from '#client/client.ts';
import { createTransport } from '#client/transport.ts';
import { AppError } from '#lib/errors.ts';
import { ping } from './ping.ts';
import { isAlive } from './processes.ts';

/** Where this machine's own engine usually is. DOCKER_HOST does not count: it is what leads to the cluster. */
const USUAL_SOCKETS = ['/var/run/docker.sock', '/run/podman/podman.sock'];

/** The address of an engine that answers. */
export async function machineEngine(given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  for (const socket of USUAL_SOCKETS) if (await ping(socket)) return `unix://${socket}`;
  throw new AppError('unavailable', `no engine of this machine answers at ${USUAL_SOCKETS.join(' or ')}: name one with --from, or give a tar with --input`);
}

/** What `docker save` writes. */
export async function saveImages(address: string, images: readonly string[], file: string): Promise<void> {
  const client = createClient({ transport: await createTransport(address), userAgent: 'skep-dev' });
  try {
    const query = images.map((image) => `names=${encodeURIComponent(image)}`).join('&');
    await pipeline(await client.stream('GET', `/images/get?${query}`), createWriteStream(file, { mode: 0o600 }));
  } finally {
    client.close();
  }
}

const TAR = /^\.images-(\d+)\.tar$/;

/** Where this process may keep a tar in the cluster's folder. What others have left there that were interrupted is removed. */
export function placeForTar(folder: string): string {
  for (const name of readdirSync(folder)) {
    const owner = Number(TAR.exec(name)?.[1]);
    if (owner > 0 && !isAlive(owner)) rmSync(join(folder, name), { force: true });
  }
  return join(folder, `.images-${process.pid}.tar`);
}

export async function keepInput(input: Readable, file: string): Promise<void> {
  await pipeline(input, createWriteStream(file, { mode: 0o600 }));
}

/** What the engine says about the images in the tar, line by line. Rejects with AppError in its words. */
export async function loadImages(engineSocket: string, file: string): Promise<readonly string[]> {
  const response = await new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const path = '/images/load?quiet=1';
    const outgoing = request({ socketPath: engineSocket, method: 'POST', path, headers: { 'Content-Type': 'application/x-tar' } }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    outgoing.on('error', reject);
    pipeline(createReadStream(file), outgoing).catch(reject);
  });
  const lines = response.text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [parseLine(line)]));
  const failure = lines.find(({ error, message }) => error !== undefined || (response.status >= 300 && message !== undefined));
  if (failure !== undefined) throw new AppError('unknown', failure.error ?? failure.message ?? '');
  if (response.status >= 300) throw new AppError('unknown', `the engine answered ${response.status}`);
  return lines.flatMap(({ stream }) => (stream ?? '').trim().split('\n')).filter((line) => line !== '');
}

function parseLine(line: string): { readonly stream?: string; readonly error?: string; readonly message?: string } {
  try {
    return JSON.parse(line) as { stream?: string; error?: string; message?: string };
  } catch {
    return { stream: line };
  }
}
