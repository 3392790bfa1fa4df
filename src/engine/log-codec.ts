// Lines of logs as bytes, framed as the engine frames them with time and attributes: what a node keeps of tasks that are gone, and what it sends of them.
// logs.ts reads both.
import type { TaskLogLine } from './logs.ts';

const HEADER_BYTES = 8;

/** A frame of eight bytes (stream, three zeros, length in big endian) and then "<time> <attributes> <text>". */
export function encodeLine({ stream, timestamp, attributes, line }: TaskLogLine): Buffer {
  const prefix = Buffer.from(`${timestamp} ${encodeAttributes(attributes)} `);
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = stream === 'stderr' ? 2 : 1;
  header.writeUInt32BE(prefix.length + line.length, 4);
  return Buffer.concat([header, prefix, line]);
}

function encodeAttributes(attributes: TaskLogLine['attributes']): string {
  return Object.entries(attributes)
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .join(',');
}

/** A line's time as text that sorts as time does, to the nanosecond, whatever zone and precision the engine wrote it in. */
export function timeKey(timestamp: string): string {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(timestamp);
  if (match === null) return '';
  const [, seconds = '', fraction = '', zone = 'Z'] = match;
  const utc = zone === 'Z' ? seconds : new Date(`${seconds}${zone}`).toISOString().slice(0, 19);
  return `${utc}.${fraction.padEnd(9, '0').slice(0, 9)}`;
}
