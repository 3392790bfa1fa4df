// A "machine" for tests: processes in their own network, mount and process namespace. Killing its first process kills all of them, whatever
// happened to the test: the first process also ends by itself once its standard input, held by the test's process, is closed.
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { SETUP_SCRIPT, UNSHARE } from '#dev/machine.ts';
import { type ExecOptions, type ExecResult, run } from '#dev/run.ts';

export { type ExecOptions, type ExecResult, run, runOrThrow } from '#dev/run.ts';

/** A process started inside. `signal` reaches the process itself, not the nsenter in front of it. */
export interface InsideProcess {
  readonly child: ChildProcess;
  /** The process's id as the test's own process sees it. */
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
  /** Resolves once it has ended, with its exit code (128 + n after signal n as far as nsenter tells). */
  readonly exited: Promise<number>;
}

export interface Namespace {
  /** Its first process as the test's own process sees it: `/proc/<pid>/root/proc` is the inside's view of processes. */
  readonly pid: number;
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  spawnInside(argv: readonly string[], options?: SpawnOptions): Promise<InsideProcess>;
  /** Kills everything inside. Resolves when it is gone. */
  destroy(): Promise<void>;
}

/** Polls until `condition` holds; rejects after `timeoutMs` with what was waited for. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await delay(20);
  }
}

const living = new Set<number>();
// The namespaces' first processes end with our end of their pipe anyway; this only makes it immediate.
process.on('exit', () => {
  for (const pid of living) kill(pid, 'SIGKILL');
});

const NODE_SCRIPT = `${SETUP_SCRIPT}
echo ready; while read -r line; do :; done`;
const CLIENT_SCRIPT = 'ip link set lo up; echo ready; while read -r line; do :; done';

/** `node`: for an engine, with private /run. `client`: a machine outside the swarm. */
export async function createNamespace(kind: 'node' | 'client'): Promise<Namespace> {
  const outer = spawn(UNSHARE[0], [...UNSHARE.slice(1), 'bash', '-c', kind === 'node' ? NODE_SCRIPT : CLIENT_SCRIPT], {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: '/',
  });
  // unshare of util-linux 2.38 complains about sigprocmask when it ends; only what it says before it is ready matters.
  let complaint = '';
  outer.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const greeting = await Promise.race([once(outer.stdout, 'data'), once(outer, 'exit')]);
  if (!String(greeting[0]).startsWith('ready')) throw new Error(`no namespace: ${complaint}`);
  const pid = onlyChildOf(outer.pid ?? 0);
  if (pid === undefined) throw new Error('no namespace: its first process is gone');
  living.add(outer.pid ?? 0).add(pid);
  outer.unref();
  for (const stream of [outer.stdin, outer.stdout, outer.stderr]) (stream as unknown as { unref(): void }).unref();
  const enter = ['nsenter', '-t', String(pid), '-m', '-n', '-p', '--'];
  return {
    pid,
    exec: (argv, options) => run([...enter, ...argv], options),
    spawnInside: (argv, options = {}) => spawnInside(enter, argv, options),
    async destroy() {
      kill(pid, 'SIGKILL');
      await until(`the namespace of process ${pid} is gone`, () => !existsSync(`/proc/${pid}/exe`) && !existsSync(`/proc/${outer.pid}/ns/net`));
      living.delete(outer.pid ?? 0);
      living.delete(pid);
    },
  };
}

async function spawnInside(enter: readonly string[], argv: readonly string[], options: SpawnOptions): Promise<InsideProcess> {
  const child = spawn('nsenter', [...enter.slice(1), ...argv], { cwd: '/', stdio: ['ignore', 'ignore', 'ignore'], ...options });
  const exited = once(child, 'exit').then(([code, signal]) => (code as number | null) ?? (signal === null ? 128 : 137));
  exited.catch(() => {});
  let pid: number | undefined;
  await until(`${argv[0]} runs`, () => {
    pid = onlyChildOf(child.pid ?? 0);
    return pid !== undefined || child.exitCode !== null;
  });
  const found = pid ?? 0;
  return { child, pid: found, exited, signal: (name) => kill(found, name) };
}

function onlyChildOf(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return first ? Number(first) : undefined;
  } catch {
    return undefined;
  }
}

function kill(pid: number, name: NodeJS.Signals): void {
  if (pid <= 0) return;
  try {
    process.kill(pid, name);
  } catch {
    // It has ended already.
  }
}
