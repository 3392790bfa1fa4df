// The state of a swarm as one file: everything in the store at one revision, and where the manager that made it was. Compressed, then sealed under a key made of
// the data key: beside secrets, which are sealed once more inside, specs hold what nobody else should read. What opens it is in key.ts.
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createGzip, gunzip } from 'node:zlib';
import { objectKinds, type StoreObject } from '#domain/objects.ts';
import type { View } from '#domain/view.ts';
import { BACKUP_SCHEMA, type BackupHeader, joinBackup, splitBackup } from '#lib/backup-header.ts';
import type { Random } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import { openKey, type Protection, protectKey } from './key.ts';

export interface BackupContents {
  readonly revision: number;
  readonly objects: readonly StoreObject[];
  readonly node: BackupNode;
}

/** How the manager that made it takes part in its swarm. */
export interface BackupNode {
  readonly nodeId: string;
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
  readonly dataPathPort: number;
}

export interface BackupFacts {
  readonly createdAt: number;
  readonly program: string;
  readonly dataKey: Uint8Array;
  readonly protection: Protection;
  readonly random: Random;
  /** A larger file is not made. */
  readonly maxBytes?: number;
}

/** A store at its limit (4 GiB in etcd, of JSON) compresses to less, and no restore takes more (docker-api/backup.ts). */
const MAX_BACKUP_BYTES = 512 * 1024 * 1024;
const MAX_CONTENTS_BYTES = 4 * 1024 * 1024 * 1024 - 1;
/** Lines that are made between two turns of the event loop: a few milliseconds. */
const BATCH = 200;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NEWLINE = 0x0a;

/** Everything at the view's revision: objects never change, so that the rest of the work may take its time. */
export function contentsOf(view: View, node: BackupNode): BackupContents {
  return { revision: view.revision, objects: objectKinds.flatMap((kind): readonly StoreObject[] => [...view.list(kind)]), node };
}

/** Rejects with AppError rather than make a file that could not be restored. */
export async function writeBackup(contents: BackupContents, facts: BackupFacts): Promise<Buffer> {
  const { createdAt, program, dataKey, protection, random, maxBytes = MAX_BACKUP_BYTES } = facts;
  const { revision, objects, node } = contents;
  const cluster = objects.find(({ kind }) => kind === 'cluster');
  const salt = random.bytes(SALT_BYTES);
  const nonce = random.bytes(NONCE_BYTES);
  const header: BackupHeader = {
    schema: BACKUP_SCHEMA,
    createdAt: new Date(createdAt).toISOString(),
    clusterId: cluster?.id ?? '',
    nodeId: node.nodeId,
    revision,
    program,
    key: await protectKey(dataKey, protection, random),
    salt: Buffer.from(salt).toString('base64'),
    nonce: Buffer.from(nonce).toString('base64'),
  };
  const headerLine = JSON.stringify(header);
  const cipher = createCipheriv('aes-256-gcm', sealingKey(dataKey, salt), nonce).setAAD(Buffer.from(headerLine));
  const sealed: Buffer[] = [];
  let length = 0;
  const gather = async (compressed: AsyncIterable<Buffer>) => {
    for await (const chunk of compressed) {
      length += chunk.length;
      assertFits(length, maxBytes);
      sealed.push(cipher.update(chunk));
    }
  };
  await pipeline(paced(linesOf(contents)), createGzip(), gather);
  sealed.push(cipher.final(), cipher.getAuthTag());
  const file = joinBackup(headerLine, sealed);
  assertFits(file.length, maxBytes);
  return file;
}

function assertFits(length: number, maxBytes: number): void {
  if (length > maxBytes) throw new AppError('resourceExhausted', `the swarm's state is too large for a backup: more than ${maxBytes} bytes, compressed`);
}

/** `secret`: the unlock key or passphrase; empty if there is none. Throws AppError that says what is wrong with the file or the secret. */
export async function readBackup(
  bytes: Buffer,
  secret: string,
): Promise<{ readonly header: BackupHeader; readonly contents: BackupContents; readonly dataKey: Uint8Array }> {
  const { header, headerLine, sealed } = splitBackup(bytes);
  const dataKey = await openKey(header.key, secret);
  const compressed = unseal(sealed, headerLine, header, dataKey);
  const text = await promisify(gunzip)(compressed, { maxOutputLength: MAX_CONTENTS_BYTES }).catch((error: unknown) => {
    throw damaged('it cannot be unpacked', error);
  });
  return { header, contents: parseContents(text, header), dataKey };
}

/** The event loop turns after each: nothing else waits for a snapshot. */
async function* paced(lines: Iterable<string>): AsyncGenerator<string> {
  for (const line of lines) {
    yield line;
    await nextTurn();
  }
}

function* linesOf({ revision, objects, node }: BackupContents): Iterable<string> {
  yield `${JSON.stringify({ revision, count: objects.length, node })}\n`;
  for (let start = 0; start < objects.length; start += BATCH) {
    yield objects
      .slice(start, start + BATCH)
      .map((object) => `${JSON.stringify(object)}\n`)
      .join('');
  }
}

function sealingKey(dataKey: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', dataKey, salt, 'skep backup', 32));
}

function unseal(sealed: Buffer, headerLine: string, { salt, nonce }: BackupHeader, dataKey: Uint8Array): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', sealingKey(dataKey, Buffer.from(salt, 'base64')), Buffer.from(nonce, 'base64'), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(headerLine)).setAuthTag(sealed.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch (error) {
    throw damaged('its seal does not fit its contents', error);
  }
}

function parseContents(text: Buffer, header: BackupHeader): BackupContents {
  const objects: StoreObject[] = [];
  let first: { readonly revision: number; readonly count: number; readonly node: BackupNode } | undefined;
  try {
    for (let start = 0; start < text.length; ) {
      const end = text.indexOf(NEWLINE, start);
      const value: unknown = JSON.parse(text.toString('utf8', start, end < 0 ? text.length : end));
      if (first === undefined) first = value as NonNullable<typeof first>;
      else objects.push(value as StoreObject);
      start = end < 0 ? text.length : end + 1;
    }
  } catch (error) {
    throw damaged('a line of it is no JSON', error);
  }
  const stranger = objects.find(({ kind }) => !objectKinds.includes(kind));
  if (stranger !== undefined)
    throw new AppError('failedPrecondition', `the backup holds a ${stranger.kind}, which this skepd does not know: restore it with skepd ${header.program}`);
  const clusters = objects.filter(({ kind }) => kind === 'cluster');
  const isWhole =
    first !== undefined &&
    first.count === objects.length &&
    first.revision === header.revision &&
    objects.every(({ id }) => typeof id === 'string') &&
    clusters.length === 1 &&
    clusters[0]?.id === header.clusterId &&
    objects.some(({ kind, id }) => kind === 'node' && id === header.nodeId);
  if (first === undefined || !isWhole) throw damaged('it does not hold a whole swarm');
  return { revision: first.revision, objects, node: first.node };
}

function damaged(detail: string, cause?: unknown): AppError {
  return new AppError('invalidArgument', `the backup is damaged: ${detail}; nothing was changed`, { cause });
}
