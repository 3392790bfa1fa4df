// A container engine of their own for tests: dockerd in a network, mount and process namespace, with its files in a temporary folder.
// Its socket is reached from outside because the folder is shared. A second namespace, "client", is linked to it by a veth pair: traffic from
// there is traffic from outside. Everything ends with `stop()`, or with the test's process.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SpawnOptions } from 'node:child_process';
import { removeCgroups } from '#dev/cgroups.ts';
import { ping } from '#dev/ping.ts';
import { importBusybox } from './busybox-image.ts';
import { createNamespace, type ExecOptions, type ExecResult, type InsideProcess, type Namespace, run, runOrThrow, until } from './namespace.ts';

export type { ExecResult, InsideProcess } from './namespace.ts';
export { run, runOrThrow, until } from './namespace.ts';

export interface TestEngine {
  readonly name: string;
  /** Files of this engine; tests may put theirs here too: it is removed by `stop`. Seen inside and outside under the same path. */
  readonly folder: string;
  /** Path of dockerd's socket. */
  readonly socket: string;
  /** The node's address on its link to the client. */
  readonly address: string;
  /** The node's first process as seen from outside. */
  readonly pid: number;
  /** The inside's /proc as seen from outside: process ids that dockerd tells are valid there. */
  readonly procRoot: string;
  /** A machine outside the node that reaches it at `address`, and through it nothing else. */
  readonly client: Namespace & { readonly address: string };
  /** Runs a command on the node. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  spawnInside(argv: readonly string[], options?: SpawnOptions): Promise<InsideProcess>;
  /** The docker CLI against dockerd itself; rejects with its words when it fails, resolves with its trimmed output. */
  docker(...args: string[]): Promise<string>;
  /** The same without rejecting, for a given socket (default: dockerd's). */
  tryDocker(args: readonly string[], options?: ExecOptions & { readonly socket?: string }): Promise<ExecResult>;
  importBusybox(tag: string, ...changes: string[]): Promise<string>;
  /** Ends dockerd with a signal and waits for its end; containers go on or not as dockerd has it. */
  stopDaemon(signal?: NodeJS.Signals): Promise<void>;
  /** Stops dockerd where it stands: it holds its socket and says nothing. Call what it returns to let it go on. */
  freezeDaemon(): () => void;
  /** Starts dockerd again after `stopDaemon`, with more arguments for this once. */
  startDaemon(...args: readonly string[]): Promise<void>;
  /** The last lines of dockerd's log, for a test that failed. */
  daemonLog(): Promise<string>;
  stop(): Promise<void>;
}

export interface EngineOptions {
  readonly name?: string;
  /** More arguments for dockerd, for instance `--live-restore` or `--label a=b`. */
  readonly daemonArgs?: readonly string[];
  /** The binary, to try another version: `SKEP_TEST_DOCKERD` for all tests, with its containerd in the same folder or on the path. */
  readonly daemon?: string;
  /** Another engine altogether: its whole command line, and what must be done before its containers can be killed with it. */
  readonly other?: {
    readonly argv: (folder: string, socket: string) => Promise<readonly string[]> | readonly string[];
    readonly beforeEnd: (node: Namespace, folder: string) => Promise<void>;
  };
}

export async function startEngine({
  name = 'engine',
  daemonArgs = [],
  daemon = process.env['SKEP_TEST_DOCKERD'] ?? 'dockerd',
  other,
}: EngineOptions = {}): Promise<TestEngine> {
  const folder = await mkdtemp(join(tmpdir(), `skep-${name}-`));
  const id = `${name}-${randomBytes(4).toString('hex')}`;
  const cgroup = `skep-test-${id}`;
  const removeFiles = () => {
    removeCgroups([cgroup]);
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  const node = await createNamespace('node');
  const client = await createNamespace('client');
  process.once('exit', removeFiles);
  const socket = join(folder, 'docker.sock');
  const argv = other === undefined ? [daemon, ...daemonArguments(folder, socket, cgroup), ...daemonArgs] : await other.argv(folder, socket);
  const dockerd = createDaemon({ node, folder, socket, argv });
  const [addresses] = await Promise.all([link(node, client), dockerd.start()]);
  const tryDocker: TestEngine['tryDocker'] = (args, { socket: other = socket, ...options } = {}) =>
    run(['docker', '--config', join(folder, 'docker-cli'), '-H', `unix://${other}`, ...args], options);
  return {
    name,
    folder,
    socket,
    address: addresses.node,
    pid: node.pid,
    procRoot: `/proc/${node.pid}/root/proc`,
    client: { ...client, address: addresses.client },
    exec: (argv, options) => node.exec(argv, options),
    spawnInside: (argv, options) => node.spawnInside(argv, options),
    tryDocker,
    docker: async (...args) => {
      const result = await tryDocker(args);
      if (result.code !== 0) throw new Error(`docker ${args.join(' ')}: ${result.stderr.trim()}`);
      return result.stdout.trim();
    },
    importBusybox: (tag, ...changes) => importBusybox(socket, tag, changes),
    stopDaemon: (signal) => dockerd.stop(signal),
    freezeDaemon: () => dockerd.freeze(),
    startDaemon: (...args) => dockerd.start(args),
    daemonLog: () => dockerd.log(),
    async stop() {
      await other?.beforeEnd(node, folder).catch(() => {});
      await Promise.all([node.destroy(), client.destroy()]);
      process.off('exit', removeFiles);
      removeCgroups([cgroup]);
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

function daemonArguments(folder: string, socket: string, cgroup: string): readonly string[] {
  const files = ['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'exec'), '--pidfile', join(folder, 'dockerd.pid'), '-H', `unix://${socket}`];
  return [...files, '--bip', '172.30.0.1/24', '--default-address-pool', 'base=172.31.0.0/16,size=24', '--cgroup-parent', `/${cgroup}`];
}

interface Daemon {
  start(more?: readonly string[]): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<void>;
  freeze(): () => void;
  log(): Promise<string>;
}

function createDaemon({
  node,
  folder,
  socket,
  argv,
}: {
  readonly node: Namespace;
  readonly folder: string;
  readonly socket: string;
  readonly argv: readonly string[];
}): Daemon {
  const logFile = join(folder, 'dockerd.log');
  let current: InsideProcess | undefined;
  const log = async () => (await readFile(logFile, 'utf8').catch(() => '')).split('\n').slice(-30).join('\n');
  return {
    log,
    async start(more = []) {
      // After a kill -9 containerd goes on without its dockerd, and its pid file makes the next start fail: it is killed first.
      await node.exec([
        'sh',
        '-c',
        `kill -9 $(cat ${folder}/exec/containerd/containerd.pid) ; rm -f ${folder}/exec/containerd/containerd.pid ${folder}/dockerd.pid`,
      ]);
      const output = openSync(logFile, 'a');
      current = await node.spawnInside([...argv, ...more], { stdio: ['ignore', output, output] });
      closeSync(output);
      current.child.unref();
      const started = current;
      await until('dockerd answers', async () => {
        if (started.child.exitCode !== null) throw new Error(`dockerd ended at once:\n${await log()}`);
        return ping(socket);
      });
    },
    async stop(signal = 'SIGTERM') {
      current?.signal(signal);
      await current?.exited;
      current = undefined;
    },
    freeze() {
      const frozen = current;
      frozen?.signal('SIGSTOP');
      return () => {
        // The nsenter in front of it stops itself along with it, and would not see its end later.
        frozen?.child.kill('SIGCONT');
        frozen?.signal('SIGCONT');
      };
    },
  };
}

/** Connects both namespaces by a veth pair with addresses of a random 10.x.y.0/24, so that tests side by side cannot be mistaken for each other. */
async function link(node: Namespace, client: Namespace): Promise<{ readonly node: string; readonly client: string }> {
  const [x = 0, y = 0] = randomBytes(2);
  const base = `10.${200 + (x % 50)}.${y}`;
  const inNode = (...args: string[]) => runOrThrow(['nsenter', `--net=/proc/${node.pid}/ns/net`, 'ip', ...args]);
  const inClient = (...args: string[]) => runOrThrow(['nsenter', `--net=/proc/${client.pid}/ns/net`, 'ip', ...args]);
  await inNode('link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(client.pid));
  await inNode('addr', 'add', `${base}.1/24`, 'dev', 'uplink');
  await inNode('link', 'set', 'uplink', 'up');
  await inClient('addr', 'add', `${base}.2/24`, 'dev', 'eth0');
  await inClient('link', 'set', 'eth0', 'up');
  return { node: `${base}.1`, client: `${base}.2` };
}
