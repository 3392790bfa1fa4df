// Stored objects as text with a checksum, because neither SQLite nor etcd has one for values, and a bit that changes on a disk may leave good JSON. The
// checksum is white space behind the JSON: a program that knows nothing of it reads the same object, and one that rewrites the object leaves it out.
import { crc32 } from 'node:zlib';

/** Two bits each. JSON takes them for white space, and no bit that changes makes one of them another without being noticed. */
const DIGITS = [' ', '\t', '\n', '\r'] as const;
const DIGIT_COUNT = 16;
const MARK = '\n';
const suffix = new RegExp(`${MARK}[ \\t\\n\\r]{${DIGIT_COUNT}}$`);

export function writeChecked(value: unknown): string {
  const json = JSON.stringify(value);
  return json + MARK + checksumOf(json);
}

/** Throws SyntaxError when the text is not what was written. Without a checksum, as older versions wrote, it need only be JSON. */
export function readChecked(text: string): unknown {
  if (!isIntact(text)) throw new SyntaxError('the checksum does not fit the value');
  return JSON.parse(text);
}

/** Whether the text is what was written, as far as it says. */
export function isIntact(text: string): boolean {
  if (!suffix.test(text)) return text.at(-1) === '}';
  const end = text.length - DIGIT_COUNT - MARK.length;
  return text.endsWith(checksumOf(text.slice(0, end)));
}

function checksumOf(json: string): string {
  let rest = crc32(json);
  let text = '';
  for (let digit = 0; digit < DIGIT_COUNT; digit++) {
    text += DIGITS[rest & 3];
    rest >>>= 2;
  }
  return text;
}
