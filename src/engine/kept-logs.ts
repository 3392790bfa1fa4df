// The ends of the logs of tasks whose containers are gone: a file per task in a folder of this node, written once, right before the container is removed.
// A file is one line of JSON that says whose log it is, and then its lines (log-codec.ts). How much is kept is kept-log-limits.ts.
import { mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { type KeptLogLimits, type KeptLogSize, logsToForget } from './kept-log-limits.ts';
import { encodeLine, timeKey } from './log-codec.ts';
import { framedMessages, joinLines, type TaskLogLine, type TaskLogOptions } from './logs.ts';

/** Whose log it is: what is still known of a task when everything else of it is gone. */
export interface KeptTask {
  readonly taskId: string;
  readonly serviceId: string;
  readonly serviceName: string;
  /** Absent for tasks that are bound to their node. */
  readonly slot?: number;
  readonly nodeId: string;
  readonly image: string;
  readonly containerId: string;
  readonly exitCode: number;
  readonly tty: boolean;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly keptAt: number;
}

export interface KeptLogs {
  readonly limits: KeptLogLimits;
  /** Replaces what is kept of the task. Nothing is kept of a log without lines. */
  save(task: KeptTask, lines: readonly Uint8Array[]): Promise<void>;
  /** Oldest first. */
  list(): Promise<readonly KeptTask[]>;
  /** The kept lines of a task in order; none when nothing is kept. `tail` counts before the choice of streams, as the engine's does. */
  read(taskId: string, options: Omit<TaskLogOptions, 'follow'>): AsyncGenerator<TaskLogLine>;
  /** Ends the watch over age; what is kept stays. Nothing is saved any more. */
  close(): void;
}

export interface KeptLogsOptions {
  readonly folder: string;
  readonly limits: KeptLogLimits;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often logs are looked at for their age. */
const CARE_INTERVAL_MS = 3_600_000;
/** Longer than any first line. */
const MAX_HEAD_BYTES = 16_384;
const NEWLINE = 0x0a;
/** Clients ask from any number on, and later ones are no time; lines of a year with more than four digits there are none. */
const LAST_TIME_MS = Date.UTC(9999, 11, 31);
/** Task ids are letters and digits: a file of another name is none of ours, or the rest of a write that never ended. */
const fileName = /^[0-9a-z]+$/;

type Kept = KeptTask & { readonly bytes: number };

export function createKeptLogs({ folder, limits, clock, log }: KeptLogsOptions): KeptLogs {
  const kept = new Map<string, Kept>();
  let closed = false;
  const loaded = load().catch((error: unknown) => log.warn({ folder, error: errorMessage(error) }, 'kept logs cannot be read'));
  let cancelCare = scheduleCare();

  async function load(): Promise<void> {
    const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? [] : Promise.reject(error)));
    for (const name of names) {
      const found = fileName.test(name) ? await readHead(join(folder, name)) : undefined;
      if (found?.taskId === name) kept.set(name, found);
      else await rm(join(folder, name), { force: true });
    }
    await forgetTooMuch();
  }

  async function forgetTooMuch(): Promise<void> {
    for (const taskId of logsToForget([...kept.values()].map(sizeOf), limits, clock.now())) {
      kept.delete(taskId);
      await rm(join(folder, taskId), { force: true });
    }
  }

  function scheduleCare(): () => void {
    return clock.schedule(CARE_INTERVAL_MS, () => {
      void loaded.then(forgetTooMuch).catch((error: unknown) => log.warn({ folder, error: errorMessage(error) }, 'old logs cannot be removed'));
      if (!closed) cancelCare = scheduleCare();
    });
  }

  return {
    limits,
    async save(task, lines) {
      if (closed || lines.length === 0 || !fileName.test(task.taskId)) return;
      await loaded;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const bytes = Buffer.concat([Buffer.from(`${JSON.stringify(task)}\n`), ...lines]);
      const path = join(folder, task.taskId);
      try {
        await writeFile(`${path}.new`, bytes, { mode: 0o600 });
        await rename(`${path}.new`, path);
      } catch (error) {
        // On a full disk the half of it would stay until the next start.
        await rm(`${path}.new`, { force: true });
        throw error;
      }
      kept.set(task.taskId, { ...task, bytes: bytes.length });
      await forgetTooMuch();
    },
    async list() {
      await loaded;
      return [...kept.values()].sort((a, b) => a.keptAt - b.keptAt || (a.taskId < b.taskId ? -1 : 1));
    },
    async *read(taskId, options) {
      await loaded;
      if (kept.has(taskId)) yield* chosen(linesOf(join(folder, taskId)), options);
    },
    close() {
      closed = true;
      cancelCare();
    },
  };
}

function sizeOf({ taskId, serviceId, slot, bytes, keptAt }: Kept): KeptLogSize {
  return { taskId, slotKey: `${serviceId}.${slot ?? ''}`, bytes, keptAt };
}

/** Undefined when the file is no whole log: a machine that lost its power may leave one. */
async function readHead(path: string): Promise<Kept | undefined> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(MAX_HEAD_BYTES);
    const { bytesRead } = await file.read(head, 0, MAX_HEAD_BYTES, 0);
    const end = head.subarray(0, bytesRead).indexOf(NEWLINE);
    const task = JSON.parse(head.subarray(0, Math.max(0, end)).toString()) as KeptTask;
    return typeof task.taskId === 'string' && typeof task.keptAt === 'number' ? { ...task, bytes: (await file.stat()).size } : undefined;
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

/** One that has been removed since the look at the list has no lines. */
async function* linesOf(path: string): AsyncGenerator<TaskLogLine> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? undefined : Promise.reject(error)));
  if (file !== undefined) yield* joinLines(framedMessages(behindHead(file.createReadStream())));
}

/** In pieces: a service may have hundreds of kept logs, which are all read at the same time. */
async function* behindHead(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let isHead = true;
  for await (const chunk of chunks) {
    const end = isHead ? chunk.indexOf(NEWLINE) : -1;
    if (isHead && end < 0) continue;
    isHead = false;
    yield chunk.subarray(end + 1);
  }
}

async function* chosen(lines: AsyncIterable<TaskLogLine>, { stdout, stderr, tail, since }: Omit<TaskLogOptions, 'follow'>): AsyncGenerator<TaskLogLine> {
  const from = since === undefined ? '' : timeKey(new Date(Math.min(Math.max(0, since), LAST_TIME_MS)).toISOString());
  for await (const line of tail === undefined ? lines : lastOf(lines, tail))
    if ((line.stream === 'stdout' ? stdout : stderr) && timeKey(line.timestamp) >= from) yield line;
}

async function* lastOf(lines: AsyncIterable<TaskLogLine>, count: number): AsyncGenerator<TaskLogLine> {
  const last: TaskLogLine[] = [];
  for await (const line of lines) {
    last.push(line);
    if (last.length > count) last.shift();
  }
  yield* last;
}

/** Collects the end of a log within a number of bytes. */
export async function lastLines(lines: AsyncIterable<TaskLogLine>, maxBytes: number): Promise<readonly Uint8Array[]> {
  let first = 0;
  let bytes = 0;
  let encoded: Buffer[] = [];
  for await (const line of lines) {
    const frame = encodeLine(line);
    encoded.push(frame);
    bytes += frame.length;
    for (let oldest = encoded[first]; bytes > maxBytes && oldest !== undefined; oldest = encoded[first]) {
      bytes -= oldest.length;
      first += 1;
    }
    // What is dropped is let go of now and then, not each time.
    if (first > 1_000) {
      encoded = encoded.slice(first);
      first = 0;
    }
  }
  return encoded.slice(first);
}
