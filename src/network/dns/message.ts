// The wire format of queries and answers, as far as the server reads and writes it. Questions are kept as the bytes they came in, so that an
// answer repeats them exactly, mixed case included. dns-packet does the reading; answers are written here because it does not compress names.
import dnsPacket, { type DecodedPacket } from 'dns-packet';
import { parseIp } from '#lib/ip.ts';

export interface Query {
  /** The whole message. */
  readonly bytes: Buffer;
  readonly id: number;
  /** Lower case, no trailing dot; "" is the root. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  /** The question section as it came. */
  readonly question: Buffer;
  /** Present when the query has an EDNS record. */
  readonly edns?: { readonly udpPayloadSize: number; readonly version: number };
}

/** What a packet is: a query, something that deserves an error with this code, or nothing that may be answered. */
export type Parsed = { readonly kind: 'query'; readonly query: Query } | { readonly kind: 'error'; readonly response: Buffer } | { readonly kind: 'drop' };

export interface Reply {
  readonly rcode: number;
  /** Addresses for A and AAAA, a name for PTR. */
  readonly records: readonly Record[];
  readonly authoritative: boolean;
}

export interface Record {
  readonly type: 'A' | 'AAAA' | 'PTR';
  readonly data: string;
}

export const RecordType = { a: 1, ptr: 12, aaaa: 28, opt: 41, ixfr: 251, axfr: 252, any: 255 } as const;
export const RecordClass = { internet: 1, any: 255 } as const;
export const ResponseCode = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5, badVersion: 16 } as const;

const HEADER_BYTES = 12;
/** What every client takes over UDP (RFC 1035). */
export const MIN_UDP_BYTES = 512;
/** What crosses every path unfragmented (DNS flag day 2020); larger answers go by TCP. */
export const MAX_UDP_BYTES = 1_232;
export const MAX_TCP_BYTES = 65_535;

/**
 * How long a client may keep an answer. Docker says 600; but a kept address of a task that is gone costs a failed connection, while asking a
 * server on the same machine again costs some 50 µs. Not 0, which some resolver libraries treat as an error.
 */
export const TTL_SECONDS = 1;

const Flag = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  checkingDisabled: 0x0010,
} as const;
/** A compression pointer to the name in the question, which begins right after the header. */
const POINTER_TO_QUESTION = 0xc000 | HEADER_BYTES;

export function parseQuery(bytes: Buffer): Parsed {
  if (bytes.length < HEADER_BYTES) return { kind: 'drop' };
  const [id, flags] = [bytes.readUInt16BE(0), bytes.readUInt16BE(2)];
  // Answering an answer makes two servers talk for ever.
  if (flags & Flag.response) return { kind: 'drop' };
  const error = (rcode: number): Parsed => ({ kind: 'error', response: errorResponse(id, flags, rcode) });
  if (((flags >> 11) & 0xf) !== 0) return error(ResponseCode.notImplemented);
  const packet = decode(bytes);
  const question = questionSection(bytes);
  if (!packet || !question || bytes.readUInt16BE(4) !== 1) return error(ResponseCode.formatError);
  const { name = '' } = packet.questions?.[0] ?? {};
  const opt = packet.additionals?.find((record) => record.type === 'OPT');
  return {
    kind: 'query',
    query: {
      bytes,
      id,
      name: name === '.' ? '' : name.toLowerCase(),
      type: question.readUInt16BE(question.length - 4),
      class: question.readUInt16BE(question.length - 2),
      recursionDesired: (flags & Flag.recursionDesired) !== 0,
      checkingDisabled: (flags & Flag.checkingDisabled) !== 0,
      question,
      ...(opt && { edns: { udpPayloadSize: opt.udpPayloadSize, version: opt.ednsVersion } }),
    },
  };
}

/** How large an answer over UDP may be. */
export function udpLimit({ edns }: Query): number {
  return Math.min(Math.max(edns?.udpPayloadSize ?? MIN_UDP_BYTES, MIN_UDP_BYTES), MAX_UDP_BYTES);
}

/**
 * The answer in at most `limit` bytes. What does not fit is left out and the answer marked as truncated: clients that cannot use TCP (musl
 * before 1.2.4) then still have some addresses.
 */
export function encodeReply(query: Query, { rcode, records, authoritative }: Reply, limit: number): Buffer {
  const opt = query.edns ? optRecord(rcode) : Buffer.alloc(0);
  const parts: Buffer[] = [];
  let length = HEADER_BYTES + query.question.length + opt.length;
  for (const record of records) {
    const encoded = encodeRecord(record);
    if (length + encoded.length > limit) break;
    length += encoded.length;
    parts.push(encoded);
  }
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(query.id, 0);
  header.writeUInt16BE(
    Flag.response |
      (authoritative ? Flag.authoritative : 0) |
      (parts.length < records.length ? Flag.truncated : 0) |
      (query.recursionDesired ? Flag.recursionDesired : 0) |
      Flag.recursionAvailable |
      (query.checkingDisabled ? Flag.checkingDisabled : 0) |
      (rcode & 0xf),
    2,
  );
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(parts.length, 6);
  header.writeUInt16BE(query.edns ? 1 : 0, 10);
  return Buffer.concat([header, query.question, ...parts, opt]);
}

/** Where the question section of a message with one question lies; undefined when it is not whole. */
export function questionSection(bytes: Buffer): Buffer | undefined {
  let position = HEADER_BYTES;
  for (;;) {
    const length = bytes[position];
    // A first name has nothing before it that it could point to.
    if (length === undefined || length > 63) return undefined;
    position += 1 + length;
    if (length === 0) break;
  }
  return position + 4 <= bytes.length ? bytes.subarray(HEADER_BYTES, position + 4) : undefined;
}

export function isTruncated(response: Buffer): boolean {
  return (response.readUInt16BE(2) & Flag.truncated) !== 0;
}

export function rcodeOf(response: Buffer): number {
  return response.readUInt16BE(2) & 0xf;
}

/** Whether `response` answers exactly that question with that id; the name's case may differ, some servers change it. */
export function isAnswerTo(response: Buffer, id: number, question: Buffer): boolean {
  if (response.length < HEADER_BYTES || response.readUInt16BE(0) !== id || !(response.readUInt16BE(2) & Flag.response)) return false;
  const answered = response.readUInt16BE(4) === 1 ? questionSection(response) : undefined;
  if (!answered || answered.length !== question.length) return false;
  return answered.toString('latin1').toLowerCase() === question.toString('latin1').toLowerCase();
}

/** The other server's answer as ours: the client's id, and its question in the client's own letters. */
export function relabel(response: Buffer, query: Query): Buffer {
  const answer = Buffer.from(response);
  answer.writeUInt16BE(query.id, 0);
  query.question.copy(answer, HEADER_BYTES);
  return answer;
}

/** Header and question of an answer that is too large for the client's UDP, marked as truncated. */
export function truncate(response: Buffer, query: Query): Buffer {
  const cut = Buffer.concat([response.subarray(0, HEADER_BYTES), query.question]);
  cut.writeUInt16BE(cut.readUInt16BE(2) | Flag.truncated, 2);
  cut.writeUInt16BE(0, 6);
  cut.writeUInt32BE(0, 8);
  return cut;
}

function decode(bytes: Buffer): DecodedPacket | undefined {
  try {
    return dnsPacket.decode(bytes);
  } catch {
    return undefined;
  }
}

function errorResponse(id: number, flags: number, rcode: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(Flag.response | (flags & (0x7800 | Flag.recursionDesired)) | Flag.recursionAvailable | rcode, 2);
  return header;
}

function encodeRecord({ type, data }: Record): Buffer {
  const payload = type === 'PTR' ? encodeName(data) : addressBytes(data);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(POINTER_TO_QUESTION, 0);
  head.writeUInt16BE(type === 'A' ? RecordType.a : type === 'AAAA' ? RecordType.aaaa : RecordType.ptr, 2);
  head.writeUInt16BE(RecordClass.internet, 4);
  head.writeUInt32BE(TTL_SECONDS, 6);
  head.writeUInt16BE(payload.length, 10);
  return Buffer.concat([head, payload]);
}

/** Name "root", type OPT, our UDP size, the upper bits of the response code, version 0, no options. */
function optRecord(rcode: number): Buffer {
  const record = Buffer.alloc(11);
  record.writeUInt16BE(RecordType.opt, 1);
  record.writeUInt16BE(MAX_UDP_BYTES, 3);
  record.writeUInt8(rcode >> 4, 5);
  return record;
}

function addressBytes(address: string): Buffer {
  const ip = parseIp(address);
  return Buffer.from(ip ? ip.value.toString(16).padStart(ip.family === 4 ? 8 : 32, '0') : '', 'hex');
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(label).subarray(0, 63));
  return Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)]);
}
