// Running programs to their end. Rejections carry what the program said.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { AppError } from '#lib/errors.ts';

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  readonly input?: string | Uint8Array;
  /** Beside what this process has. */
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** Runs a command to its end. Rejects only when it cannot be started or takes longer than `timeoutMs` (60 s). */
export async function run(argv: readonly string[], { input, env, timeoutMs = 60_000 }: ExecOptions = {}): Promise<ExecResult> {
  const [command = 'true', ...rest] = argv;
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env }, timeout: timeoutMs, killSignal: 'SIGKILL' });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (signal === 'SIGKILL' && code === null) throw new Error(`${argv.join(' ')} took longer than ${timeoutMs} ms`);
  return { code: code ?? 128, stdout: Buffer.concat(output).toString(), stderr: Buffer.concat(errors).toString() };
}

/** As `run`, but rejects with what the command said when its exit code is not 0. Resolves with its output, trimmed. */
export async function runOrThrow(argv: readonly string[], options?: ExecOptions): Promise<string> {
  const result = await run(argv, options);
  if (result.code !== 0) throw new AppError('unknown', `${argv.join(' ')} ended with ${result.code}: ${result.stderr.trim() || result.stdout.trim()}`);
  return result.stdout.trim();
}
