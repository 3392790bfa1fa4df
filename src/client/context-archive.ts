// A context as one file, to be carried to another machine: the docker CLI's layout, `meta.json` and `tls/<endpoint>/<file>`, which it reads and writes as
// well. Written as tar; read as tar or zip. Nothing here touches files: what is refused has left nothing behind.
import { inflateRawSync } from 'node:zlib';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { DaemonContext } from './contexts.ts';

export interface ContextArchive {
  readonly context: DaemonContext;
  /** By path under `tls`: `docker/ca.pem`. */
  readonly tls: ReadonlyMap<string, Uint8Array>;
}

interface Entry {
  readonly path: string;
  readonly data: Buffer;
}

/** No archive is larger, and none unpacks to more: as with docker. */
export const MAX_ARCHIVE_BYTES = 10 * 1024 * 1024;

const BLOCK = 512;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

export function packContext({ context, tls }: ContextArchive): Buffer {
  const files = [...tls].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const folders = new Set(['tls', ...files.map(([path]) => `tls/${path.split('/')[0]}`)]);
  return Buffer.concat([
    tarEntry('meta.json', Buffer.from(JSON.stringify(context)), 0o644),
    ...[...folders].flatMap((folder) => [
      tarHeader(folder, { size: 0, mode: FOLDER_MODE, type: '5' }),
      ...files.filter(([path]) => `tls/${path.split('/')[0]}` === folder).map(([path, data]) => tarEntry(`tls/${path}`, Buffer.from(data), FILE_MODE)),
    ]),
    Buffer.alloc(2 * BLOCK),
  ]);
}

/** Throws AppError in docker's words where it has some. The name in the archive is what it was called where it came from. */
export function unpackContext(archive: Buffer): ContextArchive {
  if (archive.length > MAX_ARCHIVE_BYTES) throw invalid('read exceeds the defined limit');
  const entries = archive.subarray(0, 4).toString('latin1') === 'PK\u0003\u0004' ? zipEntries(archive) : tarEntries(archive);
  const tls = new Map<string, Uint8Array>();
  let context: DaemonContext | undefined;
  for (const { path, data } of entries) {
    if (path === 'meta.json') context = contextIn(data);
    else if (/^tls\/[^/]+\/[^/]+$/.test(path) && !path.split('/').some((part) => part === '.' || part === '..')) tls.set(path.slice('tls/'.length), data);
    else throw invalid(`${path}: unexpected context file`);
  }
  if (context === undefined) throw invalid('invalid context: no metadata found');
  return { context, tls };
}

function contextIn(data: Buffer): DaemonContext {
  let value: unknown;
  try {
    value = JSON.parse(data.toString());
  } catch (error) {
    throw invalid(`invalid context: meta.json: ${errorMessage(error)}`);
  }
  const isObject = (candidate: unknown) => typeof candidate === 'object' && candidate !== null && !Array.isArray(candidate);
  if (!isObject(value)) throw invalid('invalid context: meta.json is no object');
  const { Name, Metadata, Endpoints } = value as Partial<DaemonContext>;
  if (!isObject(Metadata ?? {}) || !isObject(Endpoints ?? {}) || !Object.values(Endpoints ?? {}).every(isObject))
    throw invalid('invalid context: meta.json does not describe a context');
  return { Name: typeof Name === 'string' ? Name : '', Metadata: Metadata ?? {}, Endpoints: Endpoints ?? {} };
}

function tarEntry(path: string, data: Buffer, mode: number): Buffer {
  return Buffer.concat([tarHeader(path, { size: data.length, mode, type: '0' }), data, Buffer.alloc(-data.length & (BLOCK - 1))]);
}

function tarHeader(path: string, { size, mode, type }: { readonly size: number; readonly mode: number; readonly type: string }): Buffer {
  const header = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(path) > 100) throw invalid(`${path}: the name is too long for an archive`);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  header.write(path, 0);
  header.write(octal(mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(size, 11), 124);
  header.write(octal(0, 11), 136);
  header.write(' '.repeat(8), 148);
  header.write(type, 156);
  header.write('ustar\u000000', 257);
  header.write(`${octal(checksum(header), 6)}\u0000 `, 148);
  return header;
}

/** Of a header whose own field of it counts as blanks. */
function checksum(header: Buffer): number {
  return header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
}

/** Docker's own exports end without what fills the last block: an archive ends where its bytes do. */
function tarEntries(archive: Buffer): readonly Entry[] {
  const entries: Entry[] = [];
  for (let offset = 0; offset < archive.length; ) {
    const header = archive.subarray(offset, offset + BLOCK);
    if (header.length < BLOCK) throw invalid('unexpected EOF');
    if (header.every((byte) => byte === 0)) break;
    const text = (start: number, length: number) => header.toString('utf8', start, start + length).split('\u0000')[0] ?? '';
    const size = Number.parseInt(text(124, 12).trim() || '0', 8);
    if (Number.parseInt(text(148, 8).trim(), 8) !== checksum(header) || !(size >= 0)) throw invalid('archive/tar: invalid tar header');
    const start = offset + BLOCK;
    if (start + size > archive.length) throw invalid('unexpected EOF');
    const type = text(156, 1);
    const prefix = text(257, 5) === 'ustar' ? text(345, 155) : '';
    const path = `${prefix === '' ? '' : `${prefix}/`}${text(0, 100)}`;
    if (type === '' || type === '0') entries.push({ path, data: archive.subarray(start, start + size) });
    // Folders come of the files in them; the headers of pax are about the next entry's owner and times.
    else if (!['5', 'x', 'g'].includes(type)) throw invalid(`${path}: unexpected context file`);
    offset = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return entries;
}

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_FILE = 0x04034b50;

function zipEntries(archive: Buffer): readonly Entry[] {
  const entries: Entry[] = [];
  try {
    let end = archive.length - 22;
    while (end >= 0 && archive.readUInt32LE(end) !== END_OF_DIRECTORY) end -= 1;
    if (end < 0) throw new Error('no directory');
    let offset = archive.readUInt32LE(end + 16);
    let left = MAX_ARCHIVE_BYTES;
    for (let count = archive.readUInt16LE(end + 10); count > 0; count -= 1) {
      if (archive.readUInt32LE(offset) !== DIRECTORY_ENTRY) throw new Error('no entry');
      const [nameLength, extraLength, commentLength] = [28, 30, 32].map((at) => archive.readUInt16LE(offset + at)) as [number, number, number];
      const path = archive.toString('utf8', offset + 46, offset + 46 + nameLength);
      if (!path.endsWith('/')) {
        const data = zipFile(archive, offset, left);
        left -= data.length;
        entries.push({ path, data });
      }
      offset += 46 + nameLength + extraLength + commentLength;
    }
  } catch (cause) {
    throw new AppError('invalidArgument', 'zip: not a valid zip file', { cause });
  }
  return entries;
}

/** What the entry of the directory at `offset` stands for; throws when it is damaged, or unpacks to more than `limit`. */
function zipFile(archive: Buffer, offset: number, limit: number): Buffer {
  const method = archive.readUInt16LE(offset + 10);
  const [packed, size, local] = [20, 24, 42].map((at) => archive.readUInt32LE(offset + at)) as [number, number, number];
  if (archive.readUInt32LE(local) !== LOCAL_FILE || size > limit) throw new Error('damaged');
  const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const bytes = archive.subarray(start, start + packed);
  if (method !== 0 && method !== 8) throw new Error('packed in a way that is not known');
  const data = method === 0 ? bytes : inflateRawSync(bytes, { maxOutputLength: Math.max(1, size) });
  if (data.length !== size) throw new Error('damaged');
  return data;
}

function invalid(message: string): AppError {
  return new AppError('invalidArgument', message);
}
