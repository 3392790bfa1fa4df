// A real skepd on an engine of its own (engine.ts), for tests that talk to it as users do: through the docker CLI or plain HTTP.
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ExecResult, type InsideProcess, type ExecOptions } from './namespace.ts';
import { assertNoCrash } from './crashes.ts';
import { type HttpAnswer, sendJson } from './http.ts';
import { errorMessage } from '#lib/errors.ts';
import { LOG_FILE } from '#network/netd/protocol.ts';
import { type EngineOptions, startEngine, type TestEngine, until } from './engine.ts';

export interface TestSkepd {
  readonly engine: TestEngine;
  /** Path of skepd's API socket. */
  readonly socket: string;
  readonly stateDirectory: string;
  /** The docker CLI against skepd; rejects with its words when it fails, resolves with its trimmed standard output. */
  docker(...args: string[]): Promise<string>;
  /** The same without rejecting. */
  tryDocker(args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** One HTTP request to skepd; `body` is sent as JSON unless it is a string. */
  http(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<HttpAnswer>;
  /** `docker swarm init` with the node's address; resolves with the node's id. */
  init(...args: string[]): Promise<string>;
  /** Ends skepd with a signal and waits for its end. Containers and skep-netd go on. */
  stopDaemon(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again after `stopDaemon`, on the same state, with more arguments for this once; resolves when it answers. */
  startDaemon(more?: readonly string[], options?: DaemonStart): Promise<void>;
  /** The last lines of skepd's log. */
  daemonLog(lines?: number): Promise<string>;
  /** Leaves the swarm, stops skepd and its engine, and removes every file. Rejects after that when skepd or skep-netd had ended by an exception. */
  stop(): Promise<void>;
}

export interface DaemonStart {
  /** More environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface SkepdOptions {
  readonly engine?: TestEngine;
  readonly engineOptions?: EngineOptions;
  readonly args?: readonly string[];
}

const skepdCommand = join(import.meta.dirname, '../../bin/skepd');

export async function startSkepd({ engine: given, engineOptions, args = [] }: SkepdOptions = {}): Promise<TestSkepd> {
  const engine = given ?? (await startEngine(engineOptions));
  const stateDirectory = join(engine.folder, 'skep');
  const socket = join(engine.folder, 'skep.sock');
  const logFile = join(engine.folder, 'skepd.log');
  await mkdir(stateDirectory, { recursive: true });
  let current: InsideProcess | undefined;

  const daemonLog = async (lines = 40) => (await readFile(logFile, 'utf8').catch(() => '')).split('\n').slice(-lines).join('\n');
  const http: TestSkepd['http'] = (method, path, body, headers) => sendJson({ socketPath: socket, method, path, body, headers });
  const tryDocker: TestSkepd['tryDocker'] = (dockerArgs, options) => engine.tryDocker(dockerArgs, { ...options, socket });

  async function startDaemon(more: readonly string[] = [], { env = {} }: DaemonStart = {}): Promise<void> {
    const output = openSync(logFile, 'a');
    const argv = ['--host', `unix://${socket}`, '--engine', `unix://${engine.socket}`, '--state-dir', stateDirectory, '--log-level', 'debug', ...args, ...more];
    current = await engine.spawnInside([skepdCommand, ...argv], { stdio: ['ignore', output, output], env: { ...process.env, ...env } });
    closeSync(output);
    current.child.unref();
    const started = current;
    await until('skepd answers', async () => {
      if (started.child.exitCode !== null) throw new Error(`skepd ended at once:\n${await daemonLog()}`);
      return http('GET', '/info').then(
        ({ status, json }) => status === 200 && (json as { Swarm: { LocalNodeState: string } }).Swarm.LocalNodeState !== 'pending',
        () => false,
      );
    }).catch(async (error: unknown) => {
      throw new Error(`${errorMessage(error)}; skepd's log:\n${await daemonLog()}`);
    });
  }

  async function docker(...dockerArgs: string[]): Promise<string> {
    const result = await tryDocker(dockerArgs);
    if (result.code !== 0) throw new Error(`docker ${dockerArgs.join(' ')}: ${result.stderr.trim()}\n-- skepd's log:\n${await daemonLog()}`);
    return result.stdout.trim();
  }

  async function stopDaemon(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    current?.child.ref();
    current?.signal(signal);
    await current?.exited;
    current = undefined;
  }

  try {
    await startDaemon();
  } catch (error) {
    if (given === undefined) await engine.stop();
    throw error;
  }
  return {
    engine,
    socket,
    stateDirectory,
    docker,
    tryDocker,
    http,
    async init(...initArgs) {
      await docker('swarm', 'init', '--advertise-addr', engine.address, ...initArgs);
      return docker('info', '--format', '{{.Swarm.NodeID}}');
    },
    stopDaemon,
    startDaemon,
    daemonLog,
    async stop() {
      if (current !== undefined) await http('POST', '/swarm/leave?force=1').catch(() => {});
      await stopDaemon();
      try {
        await assertNoCrash(engine, [logFile, join(stateDirectory, LOG_FILE)]);
      } finally {
        if (given === undefined) await engine.stop();
      }
    },
  };
}
