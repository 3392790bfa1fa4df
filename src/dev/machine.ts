// A "machine": processes in a network, mount and process namespace of their own, held by the first of them. Its end is the end of all others, and with the
// last process the kernel takes back namespaces, mounts and links. A machine is found by its command line, so nothing has to be written down for it.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { AppError } from '#lib/errors.ts';
import { isAlive, isFirstInside, listProcesses, signal } from './processes.ts';
import type { Wait } from './wait.ts';

export interface Machine {
  readonly name: string;
  /** Its first process, as seen from outside. */
  readonly pid: number;
}

const MARK = 'skep-dev';
/** What the first process of a machine is called. */
const HOLDER = 'hold';
const READY = 'skep-dev.ready';

/** The namespaces of a machine. `ip netns` must not be used inside: it hides the cgroup mounts from the engine. */
export const UNSHARE = ['unshare', '--net', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;

/** /run is private and empty, /etc/docker is the folder $1 or else empty: sockets, plugins and settings of the engines must not meet. */
export const SETUP_SCRIPT = `mount -t tmpfs tmpfs /run && mkdir -p /run/docker/plugins /run/netns /run/lock /etc/docker || exit
if [ -n "$1" ]; then mount --bind "$1" /etc/docker; else mount -t tmpfs tmpfs /etc/docker; fi || exit
ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward`;

/** /etc/resolv.conf is the file $3, if there is one. It may be a link into /run, which is empty now. */
const RESOLVER_SCRIPT = `if [ -n "$3" ]; then
  target=$(readlink -m /etc/resolv.conf)
  case $target in /run/*) mkdir -p "\${target%/*}" && : > "$target" ;; esac
  mount --bind "$3" "$target" || exit
fi`;

/** bash reaps what the daemons leave while it waits. The last three arguments are how the machine is found. */
const HOLD_SCRIPT = `${SETUP_SCRIPT}
echo "$2" > /proc/sys/kernel/hostname
${RESOLVER_SCRIPT}
: > /run/${READY}
while :; do sleep 86400 & wait; done`;

/** What this process has open beside its streams (a lock of a script around it, say) must not stay open as long as a cluster lives. */
const CLOSE_SCRIPT = `for file in /proc/$$/fd/*; do file=\${file##*/}; if [ "$file" -gt 2 ]; then eval "exec $file>&-"; fi; done; exec "$@"`;
const CLOSE = ['bash', '-c', CLOSE_SCRIPT, 'close'] as const;

/** What daemons of a node see of the user's environment: nothing but the way to programs. Options of skepd are environment variables too. */
export function cleanEnvironment(): Record<string, string> {
  return { PATH: `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: '/root', LANG: 'C.UTF-8' };
}

/** The machines of the cluster in `folder` that run, by name. */
export function machinesOf(folder: string): ReadonlyMap<string, Machine> {
  // A shell that forks is there twice for a moment.
  const inside = holdersOf(folder).filter(({ pid, argv }) => argv[3] === HOLDER && isFirstInside(pid));
  return new Map(inside.map(({ pid, argv }) => [argv.at(-1) ?? '', { name: argv.at(-1) ?? '', pid }]));
}

/** Both the first process of each machine and the unshare before it, whose end kills it. Without the other, either is a machine that is being made. */
function holdersOf(folder: string) {
  return listProcesses().filter(({ argv }) => argv.at(-3) === MARK && argv.at(-2) === folder && ['bash', 'unshare'].includes(argv[0] ?? ''));
}

export interface MachineOptions {
  /** The cluster's. */
  readonly folder: string;
  readonly name: string;
  /** What the machine sees as /etc/docker. */
  readonly engineConfig: string | undefined;
  /** What it sees as /etc/resolv.conf; undefined: this machine's. */
  readonly resolvers: string | undefined;
  /** Where its complaints go. */
  readonly logFile: string;
}

/** Resolves with the machine, which was there already or is now. It outlives this process. */
export async function ensureMachine({ folder, name, engineConfig, resolvers, logFile }: MachineOptions, wait: Wait): Promise<Machine> {
  const find = () => machinesOf(folder).get(name);
  let hasEnded = false;
  if (holdersOf(folder).every(({ argv }) => argv.at(-1) !== name)) {
    const log = openSync(logFile, 'a', 0o600);
    const argv = [...CLOSE.slice(1), ...UNSHARE, '--uts', 'bash', '-c', HOLD_SCRIPT, HOLDER, engineConfig ?? '', name, resolvers ?? '', MARK, folder, name];
    const child = spawn(CLOSE[0], argv, { detached: true, stdio: ['ignore', 'ignore', log], cwd: '/', env: cleanEnvironment() });
    closeSync(log);
    child.on('error', () => (hasEnded = true));
    child.on('exit', () => (hasEnded = true));
    child.unref();
  }
  await wait(`${name} has its namespaces`, () => {
    if (hasEnded) throw new AppError('unavailable', `${name} could not be made: ${complaintsIn(logFile)}`);
    const machine = find();
    return machine !== undefined && existsSync(`/proc/${machine.pid}/root/run/${READY}`);
  });
  const machine = find();
  if (machine === undefined) throw new AppError('unavailable', `${name} ended at once: ${complaintsIn(logFile)}`);
  return machine;
}

function complaintsIn(logFile: string): string {
  return existsSync(logFile) ? readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n') : '';
}

/** Takes the power from one machine, or from all: every process in it is killed. Resolves when they are gone. */
export async function killMachines(folder: string, name: string | undefined, wait: Wait): Promise<void> {
  const killed = new Set<number>();
  await wait(`the processes of ${name ?? 'the cluster'} are gone`, () => {
    // An unshare that was about to fork shows its child only in the next round.
    const left = holdersOf(folder).filter(({ argv }) => name === undefined || argv.at(-1) === name);
    for (const { pid } of left) {
      signal(pid, 'SIGKILL');
      killed.add(pid);
    }
    // A machine's first process has ended only after all others in it; while it waits for them it has no command line any more.
    return left.length === 0 && [...killed].every((pid) => !isAlive(pid));
  });
}

/** The beginning of a command line that runs in the machine. */
export function inside({ pid }: Machine): readonly string[] {
  return ['nsenter', '-t', String(pid), '-m', '-n', '-p', '-u', '--'];
}

/** The same for the network alone: programs and files are ours. */
export function insideNetwork({ pid }: Machine): readonly string[] {
  return ['nsenter', `--net=/proc/${pid}/ns/net`];
}

/** The same for the process namespace alone: the command sees everything as we do, and ends with the machine. */
export function insideProcesses({ pid }: Machine): readonly string[] {
  return ['nsenter', '-t', String(pid), '-p', '--'];
}

/** Starts a daemon in the machine that `enter` leads into, as a child of that machine's first process: it outlives this one. */
export async function startDaemon(enter: readonly string[], argv: readonly string[], logFile: string): Promise<void> {
  const log = openSync(logFile, 'a', 0o600);
  try {
    const [command, ...rest] = [...CLOSE, ...enter, 'setsid', '--fork', ...argv];
    const child = spawn(command, rest, { stdio: ['ignore', log, log], cwd: '/', env: cleanEnvironment() });
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
    if (code !== 0) throw new AppError('unavailable', `${argv[0]} could not be started; see ${logFile}`);
  } finally {
    closeSync(log);
  }
}
