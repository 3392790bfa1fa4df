// Asking on the terminal. What a pipe brings is read to its first line's end.
import type { CliContext, Input } from '../context.ts';
import { ExitError, INTERRUPTED } from '../command.ts';

const CTRL_C = 3;
const CTRL_D = 4;
const NEWLINES = [10, 13];
const BACKSPACES = [8, 127];

/** One line that is not shown; from a pipe, its first line. */
export async function readSecretLine(context: CliContext, question: string): Promise<string> {
  const { stdin, stderr } = context;
  if (!stdin.isTTY) return readLine(context);
  stderr.write(question);
  stdin.setRawMode?.(true);
  try {
    return await typedLine(stdin);
  } finally {
    stdin.setRawMode?.(false);
    stderr.write('\n');
  }
}

/** The first line of the standard input, without its end. */
export async function readLine({ stdin }: CliContext): Promise<string> {
  if (stdin.isTTY) return (await typedLine(stdin)).trim();
  let text = '';
  for await (const chunk of stdin) {
    text += Buffer.from(chunk).toString();
    if (text.includes('\n')) break;
  }
  return (text.split('\n')[0] ?? '').trim();
}

/** Asks on the terminal and shows what is typed. */
export function askLine(context: CliContext, question: string): Promise<string> {
  context.stdout.write(question);
  return readLine(context);
}

/**
 * What is typed to the end of a line, or of the input. The terminal stays open for the next question: reading it as a stream would close it. Where it is raw, what
 * the terminal else does is done here; where it is not, it has been done.
 */
async function typedLine(stdin: Input): Promise<string> {
  // An input that has ended says so once.
  if (stdin.readableEnded) return '';
  let listen: ((chunk: Buffer) => void) | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      const bytes: number[] = [];
      listen = (chunk) => {
        for (const byte of chunk) {
          if (byte === CTRL_C) reject(new ExitError(INTERRUPTED));
          else if (NEWLINES.includes(byte) || byte === CTRL_D) resolve(Buffer.from(bytes).toString());
          else if (BACKSPACES.includes(byte)) dropCharacter(bytes);
          else bytes.push(byte);
        }
      };
      stdin.on('data', listen);
      stdin.once('end', () => resolve(Buffer.from(bytes).toString()));
      stdin.resume();
    });
  } finally {
    if (listen !== undefined) stdin.off('data', listen);
    stdin.pause();
  }
}

/** The last one, of however many bytes in UTF-8. */
function dropCharacter(bytes: number[]): void {
  while (bytes.length > 0 && ((bytes.pop() ?? 0) & 0xc0) === 0x80);
}
