// etcd as a child process of skepd: started with the member's settings, watched, started again when it ends by itself, and stopped with skepd.
// It must not go on without skepd, or a machine without a manager would lead the others' store: the kernel ends it with its parent (setpriv), and one that
// is left over all the same is ended by its pid file before the next is started.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createBackoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { findProgram, requireEtcd } from './binary.ts';
import { createEtcdClient, type EtcdClient } from './client.ts';
import { endLeftover } from './leftover.ts';
import { openMemoryFile } from './memory-file.ts';
import { type EtcdTrouble, isDiskFull, lastOutput, troubleOf } from './trouble.ts';

export interface EtcdSettings {
  /** The member's name: the node's id. */
  readonly name: string;
  /** The address that it listens on for other members. */
  readonly listenPeerUrl: string;
  /** Where other members find it. */
  readonly peerUrl: string;
  /** "name=url" of each member, comma-separated; looked at only at the very first start. */
  readonly initialCluster: string;
  readonly isNew: boolean;
}

export interface EtcdProcessOptions {
  /** Holds its data, its certificates (peer.crt, ca.crt), its log and its socket. */
  readonly folder: string;
  /** Of peer.crt, as PEM. The folder may have it in a form that etcd cannot read, so it gets it from memory. */
  readonly peerKey: string;
  readonly settings: EtcdSettings;
  /** Of its file; default QUOTA_BYTES. */
  readonly quotaBytes?: number;
  /** Forgets all other members and goes on alone with this one's data. */
  readonly forceNewCluster?: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface EtcdProcess {
  readonly client: EtcdClient;
  /** Resolves when the member answers; a learner does, too. Rejects with AppError when it does not within `timeoutMs`. */
  answering(signal: AbortSignal, timeoutMs?: number): Promise<void>;
  /** Resolves when the others have removed this member: it will never start again. */
  readonly removed: Promise<void>;
  /** Resolves with what is wrong when the member's data is damaged: it will not start with it again. */
  readonly damaged: Promise<string>;
  /** Why it is not running now, in words for a user; undefined when it is. */
  trouble(): string | undefined;
  /** Ends the member at once, as a crash would; it is started again. */
  kill(): void;
  stop(): Promise<void>;
}

const STOP_TIMEOUT_MS = 5_000;
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 25;
/** A log that has grown beyond this is put aside at the next start; one older log is kept. */
const MAX_LOG_BYTES = 8 * 1024 * 1024;
const SOCKET = 'localhost:2379';
/** Where etcd finds its key: the first descriptor after its input and output. It reads it anew for every connection. */
const KEY_DESCRIPTOR = 3;
/** A member that gives up this soon, this many times in a row, does so because of its data. */
const SHORT_RUN_MS = 15_000;
const MAX_SHORT_RUNS = 3;

/**
 * A leader is missed after ELECTION_MS and replaced within about twice that. Local networks and disks answer in a few milliseconds; a stall of half a second
 * costs one change of leader and nothing else.
 */
const HEARTBEAT_MS = 50;
const ELECTION_MS = 500;
/** A commit of the control loops is at most 2,000 changes with a few claims each; a decision on one very large service may exceed that. */
export const MAX_TXN_OPERATIONS = 65_536;
export const MAX_REQUEST_BYTES = 64 * 1024 * 1024;
export const QUOTA_BYTES = 4 * 1024 * 1024 * 1024;
/** Revisions that are kept for managers that were away for a moment; whoever was away longer reads everything again. */
const KEPT_REVISIONS = 10_000;

/** Starts the member and keeps it running until `stop`. */
export function startEtcd(options: EtcdProcessOptions): EtcdProcess {
  return new SupervisedEtcd(options, requireEtcd());
}

class SupervisedEtcd implements EtcdProcess {
  readonly client: EtcdClient;
  readonly removed: Promise<void>;
  readonly damaged: Promise<string>;
  private readonly options: EtcdProcessOptions;
  private readonly binary: string;
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;
  private readonly removal = Promise.withResolvers<void>();
  private readonly damage = Promise.withResolvers<string>();
  private child: ChildProcess | undefined;
  private lastEnd: { readonly at: number; readonly trouble: EtcdTrouble } | undefined;
  private failure: unknown;

  constructor(options: EtcdProcessOptions, binary: string) {
    this.options = options;
    this.binary = binary;
    this.removed = this.removal.promise;
    this.damaged = this.damage.promise;
    this.client = createEtcdClient(join(options.folder, SOCKET));
    this.running = this.keepRunning();
    this.running.catch((error: unknown) => {
      this.failure = error;
    });
  }

  async answering(signal: AbortSignal, timeoutMs = START_TIMEOUT_MS): Promise<void> {
    const { clock, folder } = this.options;
    const deadline = clock.elapsed() + timeoutMs;
    for (;;) {
      try {
        await this.client.status();
        return;
      } catch (error) {
        if (this.failure !== undefined) throw this.failure;
        if (clock.elapsed() > deadline)
          throw new AppError('unavailable', `etcd does not answer on this manager (${errorMessage(error)}); see ${join(folder, 'etcd.log')}`, { cause: error });
      }
      await clock.sleep(POLL_MS, signal);
    }
  }

  trouble(): string | undefined {
    if (this.lastEnd === undefined || this.options.clock.elapsed() - this.lastEnd.at > SHORT_RUN_MS) return undefined;
    return `etcd does not run on this manager: ${this.lastEnd.trouble.detail} (see ${join(this.options.folder, 'etcd.log')})`;
  }

  kill(): void {
    this.child?.kill('SIGKILL');
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.client.close();
    await end(this.child, this.options.clock);
    await this.running.catch(() => {});
    rmSync(join(this.options.folder, 'etcd.pid'), { force: true });
  }

  private async keepRunning(): Promise<void> {
    const { clock, log, folder } = this.options;
    const { signal } = this.stopping;
    const backoff = createBackoff({ initialMs: 100, maximumMs: 5_000 });
    await endLeftover(folder, clock, log, signal);
    let shortRuns = 0;
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      const startedAt = clock.elapsed();
      const logStart = sizeOf(join(folder, 'etcd.log'));
      // A full disk may keep it from being started at all.
      const code = await this.runOnce(isFirst && this.options.forceNewCluster === true).catch(errorMessage);
      if (signal.aborted) return;
      const output = lastOutput(folder, logStart);
      if (output.includes('the member has been permanently removed from the cluster')) {
        log.info({}, 'this manager was removed from the etcd cluster');
        this.removal.resolve();
        return;
      }
      const trouble = troubleOf(`${output}\n${typeof code === 'string' ? code : ''}`, code, isDiskFull(folder));
      this.lastEnd = { at: clock.elapsed(), trouble };
      shortRuns = trouble.kind === 'damaged' && clock.elapsed() - startedAt < SHORT_RUN_MS ? shortRuns + 1 : 0;
      if (shortRuns >= MAX_SHORT_RUNS) {
        log.error({ detail: trouble.detail, log: join(folder, 'etcd.log') }, "etcd's data on this manager is damaged");
        this.damage.resolve(trouble.detail);
        return;
      }
      log.error({ code, reason: trouble.detail, log: join(folder, 'etcd.log') }, 'etcd ended; it is started again');
      if (clock.elapsed() - startedAt > START_TIMEOUT_MS) backoff.reset();
      await clock.sleep(backoff.nextMs(), signal).catch(() => {});
    }
  }

  private async runOnce(forceNewCluster: boolean): Promise<number | string> {
    const { folder, peerKey } = this.options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    rmSync(join(folder, SOCKET), { force: true });
    const logFile = join(folder, 'etcd.log');
    if (existsSync(logFile) && statSync(logFile).size > MAX_LOG_BYTES) renameSync(logFile, `${logFile}.1`);
    const output = openSync(logFile, 'a', 0o600);
    let key: number | undefined;
    try {
      key = openMemoryFile(peerKey, folder);
      const [command = '', ...argv] = [...boundToParent(), this.binary, ...arguments_(this.options, forceNewCluster)];
      const child = spawn(command, argv, { cwd: folder, stdio: ['ignore', output, output, key], env: environment() });
      this.child = child;
      const ended = Promise.race([
        once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string),
        once(child, 'error').then(([error]) => errorMessage(error)),
      ]);
      this.notePid(child);
      if (this.stopping.signal.aborted) child.kill('SIGTERM');
      return await ended;
    } finally {
      closeSync(output);
      if (key !== undefined) closeSync(key);
    }
  }

  /** For a skepd that finds it left over. The kernel ends it with this one anyway, so a disk that does not take the file is no reason to do without a member. */
  private notePid({ pid }: ChildProcess): void {
    try {
      if (pid !== undefined) writeFileSync(join(this.options.folder, 'etcd.pid'), String(pid), { mode: 0o600 });
    } catch (error) {
      this.options.log.warn({ error: errorMessage(error) }, "etcd's process id could not be written down");
    }
  }
}

/** The kernel sends it SIGTERM when this process ends, however that ends: it hands over its leadership and stops. */
function boundToParent(): readonly string[] {
  const setpriv = findProgram('setpriv');
  return setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'TERM'];
}

/** etcd reads ETCD_… of its environment: nothing of that may reach it but what it is told here. */
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], GOGC: '50' };
}

function arguments_({ settings, quotaBytes = QUOTA_BYTES }: EtcdProcessOptions, forceNewCluster: boolean): readonly string[] {
  const { name, listenPeerUrl, peerUrl, initialCluster, isNew } = settings;
  const values: Readonly<Record<string, string | number | boolean>> = {
    name,
    'data-dir': 'data',
    // Only who may enter this member's folder can connect.
    'listen-client-urls': `unix://${SOCKET}`,
    'advertise-client-urls': `unix://${SOCKET}`,
    'listen-peer-urls': listenPeerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': initialCluster,
    'initial-cluster-state': isNew ? 'new' : 'existing',
    'initial-cluster-token': 'skep',
    'peer-cert-file': 'peer.crt',
    'peer-key-file': `/proc/self/fd/${KEY_DESCRIPTOR}`,
    'peer-trusted-ca-file': 'ca.crt',
    'peer-client-cert-auth': true,
    // The authority signs managers only; a manager may call from an address that it does not advertise.
    'experimental-peer-skip-client-san-verification': true,
    'heartbeat-interval': HEARTBEAT_MS,
    'election-timeout': ELECTION_MS,
    'pre-vote': true,
    // It would keep a manager out for 5 s after the last one came in; a learner costs no quorum, and who may be removed is checked before (control/nodes.ts).
    'strict-reconfig-check': false,
    'max-txn-ops': MAX_TXN_OPERATIONS,
    'max-request-bytes': MAX_REQUEST_BYTES,
    'quota-backend-bytes': quotaBytes,
    'auto-compaction-mode': 'revision',
    'auto-compaction-retention': KEPT_REVISIONS,
    logger: 'zap',
    'log-outputs': 'stderr',
    'log-level': 'warn',
    ...(forceNewCluster ? { 'force-new-cluster': true } : {}),
  };
  return Object.entries(values).map(([flag, value]) => `--${flag}=${value}`);
}

async function end(child: ChildProcess | undefined, clock: Clock): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const cancel = clock.schedule(STOP_TIMEOUT_MS, () => child.kill('SIGKILL'));
  await exited;
  cancel();
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
