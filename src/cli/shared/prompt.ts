// Asking on the terminal.
import type { CliContext } from '../context.ts';
import { ExitError } from '../command.ts';

const CTRL_C = 3;
const BACKSPACE = 127;

/** One line that is not shown; from a pipe, its first line. */
export async function readSecretLine(context: CliContext, question: string): Promise<string> {
  const { stdin, stderr } = context;
  if (!stdin.isTTY) return readLine(context);
  stderr.write(question);
  stdin.setRawMode?.(true);
  stdin.resume();
  try {
    return await new Promise<string>((resolve, reject) => {
      let text = '';
      const listen = (chunk: Buffer) => {
        for (const byte of chunk) {
          if (byte === CTRL_C) {
            stdin.off('data', listen);
            reject(new ExitError(130));
            return;
          }
          if (byte === 13 || byte === 10) {
            stdin.off('data', listen);
            resolve(text);
            return;
          }
          text = byte === BACKSPACE ? text.slice(0, -1) : text + String.fromCharCode(byte);
        }
      };
      stdin.on('data', listen);
    });
  } finally {
    stdin.setRawMode?.(false);
    stdin.pause();
    stderr.write('\n');
  }
}

/** The first line of the standard input, without its end. */
export async function readLine({ stdin }: CliContext): Promise<string> {
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
