// Programs that take over the terminal: their streams are this process's own.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Resolves with the exit code, or 128 and the number of the signal that ended it. */
export function runInForeground(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Promise<number> {
  const [command = 'true', ...rest] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(command, rest, { stdio: 'inherit', env });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}
