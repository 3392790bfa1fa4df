// Lines of a byte stream.

/** A line longer than this is no event of an engine. */
const MAX_LINE_BYTES = 4 * 1024 * 1024;

/** Lines with their newline; a last one without it gets one. Throws on a line longer than MAX_LINE_BYTES. */
export async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    let bytes: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
      yield bytes.toString('utf8', 0, end + 1);
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > MAX_LINE_BYTES) throw new RangeError(`a line is longer than ${MAX_LINE_BYTES} bytes`);
    rest = bytes;
  }
  if (rest.length > 0) yield `${rest.toString('utf8')}\n`;
}
