// A container's log as whole lines. The engine gives frames (or a raw stream for terminals); each line comes with its time and the attributes
// that the log driver added.
import type { IncomingMessage } from 'node:http';
import type { EngineLink } from '#engine-link/connection.ts';
import type { Labels } from '#domain/spec.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { ContainerInspect } from './api-types.ts';
import { createEngineClient } from './engine-client.ts';

export interface TaskLogOptions {
  readonly follow: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Undefined: all. */
  readonly tail?: number;
  /** Milliseconds since the epoch, with fractions. */
  readonly since?: number;
}

export interface TaskLogLine {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds, as the engine wrote it. */
  readonly timestamp: string;
  readonly attributes: Labels;
  /** With its newline. */
  readonly line: Uint8Array;
}

export interface TaskLogsInput {
  readonly link: EngineLink;
  readonly containerId: string;
  readonly options: TaskLogOptions;
  readonly signal: AbortSignal;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
/** A line longer than this is given in parts: a program that never ends its line must not fill our memory. */
const MAX_LINE_BYTES = 1 << 20;
/** Engines cut lines into parts of 16 kB; what says to be longer than this is no frame. */
const MAX_FRAME_BYTES = 1 << 22;

/** Ends when the log ends; with `follow`, when the container does or the signal aborts. A driver that cannot be read gives no lines. */
export async function* taskLogs({ link, containerId, options, signal }: TaskLogsInput): AsyncGenerator<TaskLogLine> {
  const client = createEngineClient({ link });
  const { follow, stdout, stderr, tail, since } = options;
  const container = await client.call<ContainerInspect>({ method: 'GET', path: `/containers/${containerId}/json`, signal });
  const query = {
    follow: flag(follow),
    stdout: flag(stdout),
    stderr: flag(stderr),
    timestamps: '1',
    details: '1',
    tail: tail === undefined ? 'all' : String(tail),
    since: since === undefined ? undefined : (since / 1000).toFixed(9),
  };
  let stream: IncomingMessage;
  try {
    stream = await client.stream({ method: 'GET', path: `/containers/${containerId}/logs`, query, signal });
  } catch (error) {
    if (error instanceof AppError && /does not support reading/.test(errorMessage(error))) return;
    throw error;
  }
  try {
    // Podman has no attributes between time and text.
    const hasAttributes = stream.headers['libpod-api-version'] === undefined;
    yield* joinLines(container.Config.Tty ? rawMessages(stream) : framedMessages(stream), hasAttributes);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stream.destroy();
  }
}

function flag(value: boolean): string {
  return value ? '1' : '0';
}

interface Message {
  readonly stream: 'stdout' | 'stderr';
  /** "<time> <attributes> <text>", whole or the beginning of a line. */
  readonly bytes: Uint8Array;
}

/** Frames of 8 bytes: stream, three zeros, length in big endian; then one message of the log. Exported for tests. */
export async function* framedMessages(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Message> {
  let buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    buffer = buffer.length === 0 ? Buffer.from(chunk) : Buffer.concat([buffer, chunk]);
    while (buffer.length >= 8) {
      const end = 8 + buffer.readUInt32BE(4);
      if (end > MAX_FRAME_BYTES) throw new AppError('unknown', `the engine sent a frame of ${end} bytes as part of a log`);
      if (buffer.length < end) break;
      yield { stream: buffer[0] === 2 ? 'stderr' : 'stdout', bytes: buffer.subarray(8, end) };
      buffer = buffer.subarray(end);
    }
  }
}

/** A terminal's log has no frames; each line is a message, or several where the engine had cut it. */
export async function* rawMessages(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Message> {
  let buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    buffer = Buffer.concat([buffer, chunk]);
    for (let end = buffer.indexOf(NEWLINE); end >= 0; end = buffer.indexOf(NEWLINE)) {
      yield* cutAgain(buffer.subarray(0, end + 1));
      buffer = buffer.subarray(end + 1);
    }
    if (buffer.length <= MAX_LINE_BYTES) continue;
    // A program may never end its line: what is whole of it goes on, and only a part that may still grow is kept.
    const parts = [...cutAgain(buffer)];
    const last = parts.length === 1 ? undefined : parts.pop();
    yield* parts;
    buffer = Buffer.from(last?.bytes ?? []);
  }
  if (buffer.length > 0) yield* cutAgain(buffer);
}

/** The engine cuts a program's line after that many bytes, and puts time and attributes before each part. */
const ENGINE_PART_BYTES = 16_384;
const PART_HEADER = /^\d{4}-\d\d-\d\dT[\d:.]+Z [^ ]* /;

function* cutAgain(line: Buffer): Generator<Message> {
  let rest = line;
  for (;;) {
    const header = PART_HEADER.exec(rest.subarray(0, 4_096).toString('latin1'))?.[0].length ?? 0;
    const end = header + ENGINE_PART_BYTES;
    if (header === 0 || !PART_HEADER.test(rest.subarray(end, end + 4_096).toString('latin1'))) break;
    yield { stream: 'stdout', bytes: rest.subarray(0, end) };
    rest = rest.subarray(end);
  }
  yield { stream: 'stdout', bytes: rest };
}

/** Log drivers cut long lines into messages without a newline at the end; they are one line again here, with the time of the first. */
export async function* joinLines(messages: AsyncIterable<Message>, hasAttributes = true): AsyncGenerator<TaskLogLine> {
  const open = new Map<Message['stream'], TaskLogLine>();
  for await (const { stream, bytes } of messages) {
    const parsed = hasAttributes ? parseMessage(stream, bytes) : parsePlainMessage(stream, bytes);
    const begun = open.get(stream);
    const line = begun === undefined ? parsed : { ...begun, line: Buffer.concat([begun.line, parsed.line]) };
    const complete = line.line.at(-1) === NEWLINE || line.line.length > MAX_LINE_BYTES;
    if (complete) {
      open.delete(stream);
      yield line;
    } else open.set(stream, line);
  }
  for (const line of open.values()) yield { ...line, line: Buffer.concat([line.line, Buffer.from('\n')]) };
}

function parseMessage(stream: Message['stream'], bytes: Uint8Array): TaskLogLine {
  const afterTime = bytes.indexOf(SPACE);
  const afterAttributes = afterTime < 0 ? -1 : bytes.indexOf(SPACE, afterTime + 1);
  if (afterAttributes < 0) return { stream, timestamp: '', attributes: {}, line: bytes };
  const text = (from: number, to: number) => Buffer.from(bytes.subarray(from, to)).toString();
  return {
    stream,
    timestamp: text(0, afterTime),
    attributes: parseAttributes(text(afterTime + 1, afterAttributes)),
    line: bytes.subarray(afterAttributes + 1),
  };
}

/** "<time> <text>", as Podman has it, with the time in whole seconds. */
function parsePlainMessage(stream: Message['stream'], bytes: Uint8Array): TaskLogLine {
  const afterTime = bytes.indexOf(SPACE);
  if (afterTime < 0) return { stream, timestamp: '', attributes: {}, line: bytes };
  const time = Buffer.from(bytes.subarray(0, afterTime)).toString();
  return { stream, timestamp: time.replace(/(:\d\d)(?=Z|[+-])/, '$1.000000000'), attributes: {}, line: bytes.subarray(afterTime + 1) };
}

/** "a=b,c=d" with both sides as in a URL's query. */
function parseAttributes(text: string): Labels {
  return Object.fromEntries(
    text
      .split(',')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const [key = '', value = ''] = pair.split('=').map((part) => decodeURIComponent(part.replaceAll('+', ' ')));
        return [key, value];
      }),
  );
}
