// The part of a backup file that can be read without a key: what it is, of which swarm, and what opens it. The rest is sealed (store/backup/file.ts).
//
//   SKEP-BACKUP 1\n · header as one line of JSON\n · sealed contents · SHA-256 of all before it
import { createHash } from 'node:crypto';
import { AppError } from './errors.ts';

export interface BackupHeader {
  /** Of the objects inside; grows when older programs would misread them. */
  readonly schema: number;
  readonly createdAt: string;
  readonly clusterId: string;
  /** The manager that made it. */
  readonly nodeId: string;
  /** The store's version that it holds. */
  readonly revision: number;
  /** The version of skepd that wrote it. */
  readonly program: string;
  readonly key: BackupKey;
  /** Of the sealing, in base64. */
  readonly salt: string;
  readonly nonce: string;
}

/** The swarm's data key, which opens the contents: as it is, or wrapped. All in base64. */
export type BackupKey =
  | { readonly kind: 'plain'; readonly key: string }
  | { readonly kind: 'unlock-key'; readonly wrapped: string }
  | { readonly kind: 'passphrase'; readonly wrapped: string; readonly salt: string; readonly cost: number };

export interface BackupParts {
  readonly header: BackupHeader;
  /** As it is written: the seal covers it. */
  readonly headerLine: string;
  readonly sealed: Buffer;
}

const MAGIC = 'SKEP-BACKUP ';
export const BACKUP_FORMAT = 1;
export const BACKUP_SCHEMA = 1;
const DIGEST_BYTES = 32;
const NEWLINE = 0x0a;
const MAX_LINE_BYTES = 16 * 1024;
/** What `backupKeyKind` needs to see of a file. */
export const MAX_BACKUP_HEAD_BYTES = MAX_LINE_BYTES + 64;

export function joinBackup(headerLine: string, sealed: readonly Uint8Array[]): Buffer {
  const parts = [Buffer.from(`${MAGIC}${BACKUP_FORMAT}\n${headerLine}\n`), ...sealed];
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return Buffer.concat([...parts, digest.digest()]);
}

/** Throws AppError that says what is wrong: not a backup, one of a newer program, or a damaged one. */
export function splitBackup(bytes: Buffer): BackupParts {
  const first = lineAt(bytes, 0);
  if (first === undefined || !first.startsWith(MAGIC)) throw new AppError('invalidArgument', 'this is not a backup of a swarm');
  const format = Number(first.slice(MAGIC.length));
  if (format > BACKUP_FORMAT) throw newer(`format ${format}`);
  const digestAt = bytes.length - DIGEST_BYTES;
  const headerAt = first.length + 1;
  const line = lineAt(bytes, headerAt);
  if (line === undefined || digestAt < headerAt || !createHash('sha256').update(bytes.subarray(0, digestAt)).digest().equals(bytes.subarray(digestAt)))
    throw new AppError('invalidArgument', 'the backup is damaged or not complete: its checksum does not fit; nothing was changed');
  const header = parseHeader(line);
  if (header.schema > BACKUP_SCHEMA) throw newer(`schema ${header.schema}, skepd ${header.program}`);
  return { header, headerLine: line, sealed: bytes.subarray(headerAt + Buffer.byteLength(line) + 1, digestAt) };
}

/** What opens a backup, from the beginning of its file; undefined when that is no backup's. */
export function backupKeyKind(head: string): BackupKey['kind'] | undefined {
  const [first = '', line] = head.split('\n', 2);
  if (!first.startsWith(MAGIC) || line === undefined) return undefined;
  try {
    return parseHeader(line).key.kind;
  } catch {
    return undefined;
  }
}

function newer(detail: string): AppError {
  return new AppError('failedPrecondition', `the backup was made by a newer skepd (${detail}) than this one; restore it with that version`);
}

function lineAt(bytes: Buffer, start: number): string | undefined {
  const end = bytes.indexOf(NEWLINE, start);
  return end < 0 || end - start > MAX_LINE_BYTES ? undefined : bytes.toString('utf8', start, end);
}

/** The checksum fits, so whoever wrote this meant it: only its form is checked. */
function parseHeader(line: string): BackupHeader {
  let value: Partial<BackupHeader> | undefined;
  try {
    value = JSON.parse(line) as BackupHeader;
  } catch {
    value = undefined;
  }
  const texts = [value?.createdAt, value?.clusterId, value?.nodeId, value?.program, value?.salt, value?.nonce];
  if (!isKey(value?.key) || !Number.isSafeInteger(value?.schema) || !Number.isSafeInteger(value?.revision) || texts.some((text) => typeof text !== 'string'))
    throw new AppError('invalidArgument', 'the backup is damaged: its header cannot be read; nothing was changed');
  return value as BackupHeader;
}

function isKey(key: BackupKey | undefined): boolean {
  switch (key?.kind) {
    case 'plain':
      return typeof key.key === 'string';
    case 'unlock-key':
      return typeof key.wrapped === 'string';
    case 'passphrase':
      return typeof key.wrapped === 'string' && typeof key.salt === 'string' && Number.isSafeInteger(key.cost) && key.cost > 1;
    default:
      return false;
  }
}
