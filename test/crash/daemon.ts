// The real skepd on a test's engine, in the engine's namespaces, to be started, killed and asked over its socket.
import { closeSync, openSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type InsideProcess, type TestEngine, until } from '../lib/engine.ts';

export interface ApiAnswer {
  readonly status: number;
  // Tests say what they expect of it.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

export interface TestDaemon {
  readonly socket: string;
  readonly stateDirectory: string;
  /** Its process as seen from outside; 0 while it does not run. */
  pid(): number;
  /** Starts it; does not wait for anything. */
  start(): Promise<void>;
  /** Starts it if need be and waits until its API answers for the swarm (or says that there is none). */
  ready(): Promise<void>;
  /** Ends it with the signal and waits for its end. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Rejects when the connection breaks before the whole answer is there. */
  call(method: string, path: string, body?: unknown): Promise<ApiAnswer>;
  /** As `call`, but rejects with the message of an answer that is no success. */
  must(method: string, path: string, body?: unknown): Promise<ApiAnswer['body']>;
  log(): string;
}

/** Longer than anything that skepd lets a client wait for. */
const CALL_TIMEOUT_MS = 40_000;

const mainFile = fileURLToPath(new URL('../../src/main/skepd.ts', import.meta.url));

export function createTestDaemon(engine: TestEngine, name = 'skep'): TestDaemon {
  const stateDirectory = join(engine.folder, name);
  const socket = join(engine.folder, `${name}.sock`);
  const logFile = join(engine.folder, `${name}.log`);
  const argv = [process.execPath, mainFile, '--host', `unix://${socket}`, '--engine', `unix://${engine.socket}`, '--state-dir', stateDirectory];
  let current: InsideProcess | undefined;

  const call: TestDaemon['call'] = (method, path, body) => exchange(socket, method, path, body);
  const log = () => readFileSync(logFile, 'utf8').split('\n').slice(-60).join('\n');
  const daemon: TestDaemon = {
    socket,
    stateDirectory,
    pid: () => current?.pid ?? 0,
    call,
    log,
    async start() {
      const output = openSync(logFile, 'a');
      current = await engine.spawnInside([...argv, '--log-level', 'debug'], { stdio: ['ignore', output, output] });
      closeSync(output);
    },
    async ready() {
      if (current === undefined) await daemon.start();
      const started = current;
      await until('skepd answers', async () => {
        if (started?.child.exitCode !== null) throw new Error(`skepd ended by itself:\n${log()}`);
        // 503 while the manager is being prepared, but also without a swarm.
        const { status, body } = await call('GET', '/info').catch(() => ({ status: 0, body: {} }));
        return status === 200 && body.Swarm?.LocalNodeState !== 'pending';
      });
    },
    async end(signal) {
      const ended = current;
      current = undefined;
      ended?.signal(signal);
      await ended?.exited;
    },
    async must(method, path, body) {
      const answer = await call(method, path, body);
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body?.message}`);
      return answer.body;
    },
  };
  return daemon;
}

function exchange(socketPath: string, method: string, path: string, body: unknown): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const outgoing = request({ socketPath, method, path: `/v1.41${path}`, headers, agent: false, timeout: CALL_TIMEOUT_MS }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('aborted', () => reject(new Error(`${method} ${path}: the answer was cut`)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parse(Buffer.concat(chunks).toString()) }));
    });
    outgoing.on('error', reject);
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer within ${CALL_TIMEOUT_MS} ms`)));
    outgoing.end(text);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { message: text };
  }
}
