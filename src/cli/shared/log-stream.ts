// Logs and attached output as the API sends them: frames with eight bytes in front that name the stream and the length.
import { AppError } from '#lib/errors.ts';

export type LogOutput = 'stdout' | 'stderr';

export interface LogFrame {
  readonly output: LogOutput;
  readonly data: Buffer;
}

const HEADER_LENGTH = 8;
const SYSTEM_ERROR = 3;

export async function* logFrames(stream: AsyncIterable<Uint8Array>): AsyncGenerator<LogFrame> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    for (;;) {
      if (rest.length < HEADER_LENGTH) break;
      const length = rest.readUInt32BE(4);
      if (rest.length < HEADER_LENGTH + length) break;
      const kind = rest[0];
      const data = rest.subarray(HEADER_LENGTH, HEADER_LENGTH + length);
      if (kind === SYSTEM_ERROR) throw new AppError('unknown', `error from daemon in stream: ${data.toString()}`);
      yield { output: kind === 2 ? 'stderr' : 'stdout', data };
      rest = rest.subarray(HEADER_LENGTH + length);
    }
  }
}

/** Whole lines, with their ends. A frame usually is one. */
export async function* logLines(frames: AsyncIterable<LogFrame>): AsyncGenerator<{ readonly output: LogOutput; readonly line: Buffer }> {
  const begun: Record<LogOutput, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  for await (const { output, data } of frames) {
    let rest = Buffer.concat([begun[output], data]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      yield { output, line: rest.subarray(0, end + 1) };
      rest = rest.subarray(end + 1);
    }
    begun[output] = rest;
  }
  for (const output of ['stdout', 'stderr'] as const) if (begun[output].length > 0) yield { output, line: begun[output] };
}
