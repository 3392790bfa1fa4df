// Runs the system's network tools. Input goes through standard input, so nothing is ever parsed by a shell and no list is too long for arguments.
import { type ChildProcess, spawn } from 'node:child_process';
import { AppError } from '#lib/errors.ts';

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A tool that takes longer has met a kernel or a lock that does not answer. */
const TIMEOUT_MS = 20_000;

/** Runs to the end. Rejects with AppError only when the tool cannot be started or hangs; an exit code is a result. */
export function run(argv: readonly string[], input = '', timeoutMs = TIMEOUT_MS): Promise<RunResult> {
  const [command = '', ...rest] = argv;
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/', timeout: timeoutMs, killSignal: 'SIGKILL' });
    const streams = [child.stdin, child.stdout, child.stderr].filter((stream) => stream !== null && stream !== undefined);
    child.on('error', (cause) => reject(new AppError('unavailable', `cannot run ${command}: ${cause.message}; is it installed?`, { cause })));
    child.on('exit', (_code, signal) => {
      if (signal !== 'SIGKILL') return;
      // What it has started may live on and hold the pipes: their end is not waited for.
      for (const stream of streams) stream.destroy();
      reject(new AppError('deadlineExceeded', `${argv.join(' ')} took longer than ${timeoutMs} ms`));
    });
    // Without a file descriptor to spare there is no process, and no pipes: that is an error, which comes after this.
    if (streams.length < 3) return;
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk));
    child.on('close', (code) => resolve({ code: code ?? 128, stdout: Buffer.concat(output).toString(), stderr: Buffer.concat(errors).toString() }));
    // A tool that ends before it has read everything says why on standard error.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** As `run`, but rejects with the tool's own words when its exit code is not 0. Resolves with its output. */
export async function runOrThrow(argv: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await run(argv, input);
  if (code !== 0) throw new AppError('internal', `${argv.join(' ')}: ${stderr.trim() || `exit code ${code}`}`);
  return stdout;
}

/** Where `ip netns` keeps the names of namespaces. */
export const NAMESPACES = '/run/netns';

/** The arguments that run a command in a named network namespace. `ip netns exec` would also remount /sys. */
export function inNamespace(namespace: string | undefined, argv: readonly string[]): readonly string[] {
  return namespace === undefined ? argv : ['nsenter', `--net=${NAMESPACES}/${namespace}`, '--', ...argv];
}
