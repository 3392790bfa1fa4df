// Lines of logs as the Engine API sends them: framed by stream, with time and attributes in front where the client wants them.
import type { LogChunk } from '#control/control.ts';
import { errorMessage } from '#lib/errors.ts';

const frameType = { stdout: 1, stderr: 2, systemError: 3 } as const;

export interface LogView {
  readonly tty: boolean;
  readonly details: boolean;
  readonly timestamps: boolean;
}

/** Once a stream has begun, a failure can only be told inside it. */
export async function* framesOf(chunks: AsyncIterable<LogChunk>, view: LogView): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of chunks) yield frame(chunk.stream, lineOf(chunk, view), view.tty);
  } catch (error) {
    yield frame('systemError', Buffer.from(`Error grabbing logs: ${errorMessage(error)}\n`), view.tty);
  }
}

/** A header of eight bytes (stream, three zeros, length in network order) and the payload; a terminal's output has no header. */
function frame(stream: keyof typeof frameType, payload: Uint8Array, tty: boolean): Uint8Array {
  if (tty) return payload;
  const framed = Buffer.alloc(8 + payload.byteLength);
  framed.writeUInt8(frameType[stream], 0);
  framed.writeUInt32BE(payload.byteLength, 4);
  framed.set(payload, 8);
  return framed;
}

function lineOf(chunk: LogChunk, { details, timestamps }: LogView): Uint8Array {
  const prefix = `${timestamps ? `${fixedTimestamp(chunk.timestamp)} ` : ''}${details ? `${attributesOf(chunk)} ` : ''}`;
  return prefix === '' ? chunk.line : Buffer.concat([Buffer.from(prefix), chunk.line]);
}

/** Nine digits after the second, always, so that lines align. */
function fixedTimestamp(timestamp: string): string {
  const match = /^(.*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(timestamp);
  return match ? `${match[1]}.${(match[2] ?? '').padEnd(9, '0').slice(0, 9)}${match[3]}` : timestamp;
}

/** `k=v` in order of key, escaped as in a query. The CLI finds the first three by name. */
function attributesOf(chunk: LogChunk): string {
  const all = {
    ...chunk.attributes,
    'com.docker.swarm.node.id': chunk.nodeId,
    'com.docker.swarm.service.id': chunk.serviceId,
    'com.docker.swarm.task.id': chunk.taskId,
  };
  return Object.entries(all)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${queryEscape(key)}=${queryEscape(value)}`)
    .join(',');
}

/** Go's url.QueryEscape: a space is "+", and only letters, digits, "-", "_", "." and "~" stay. */
function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
