// The head of an HTTP/1.1 message in a buffer: as much as the proxy must know of connections that Node's parser does not see.

export interface ResponseHead {
  readonly firstLine: string;
  readonly status: number;
  /** Flat name-value list. */
  readonly rawHeaders: readonly string[];
  readonly contentLength?: number;
  readonly chunked: boolean;
  /** Bytes of the head, empty line included. */
  readonly length: number;
}

/** A head may be as long as Go's servers allow. */
const MAX_HEAD_BYTES = 1024 * 1024;

/** Undefined while the head is not complete. Throws when it is longer than any head may be. */
export function parseHead(bytes: Buffer): ResponseHead | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0 && bytes.length > MAX_HEAD_BYTES) throw new RangeError(`the head of the message is longer than ${MAX_HEAD_BYTES} bytes`);
  if (end < 0) return undefined;
  const [firstLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const rawHeaders = lines.flatMap((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
  const length = headerOf(rawHeaders, 'content-length');
  return {
    firstLine,
    status: Number(firstLine.split(' ')[1]),
    rawHeaders,
    ...(length === undefined ? {} : { contentLength: Number(length) }),
    chunked: headerOf(rawHeaders, 'transfer-encoding')?.toLowerCase().includes('chunked') ?? false,
    length: end + 4,
  };
}

function headerOf(rawHeaders: readonly string[], name: string): string | undefined {
  const index = rawHeaders.findIndex((header, at) => at % 2 === 0 && header.toLowerCase() === name);
  return index < 0 ? undefined : rawHeaders[index + 1];
}
