// The two sides of a comparison: skepd, and the same version of dockerd in its own swarm mode; each alone on an engine of its own, in its own namespaces.
import { Agent } from 'node:http';
import { startEngine, type TestEngine, until } from '../test/lib/engine.ts';
import { type HttpRequest, sendJson } from '../test/lib/http.ts';
import { startSkepd } from '../test/lib/skepd.ts';

export interface Target {
  readonly name: 'skep' | 'swarm';
  readonly engine: TestEngine;
  /** A swarm's API, as the only node of an initialised swarm. */
  readonly socket: string;
  http(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Resident memory in MB of what makes the swarm: skepd and skep-netd, or dockerd (which also is the engine). */
  residentMegabytes(): Promise<number>;
  /** CPU time in ms that the same processes have used so far: unlike time by the clock, it hardly depends on what else the machine does. */
  cpuMs(): Promise<number>;
  stop(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly ms: number;
}

const MEGABYTE_IN_KILOBYTES = 1_024;
/** Linux tells times to user space in hundredths of a second (USER_HZ). */
const MS_PER_TICK = 10;

export async function startTarget(name: Target['name']): Promise<Target> {
  // Debug logs are for tests.
  const skepd = name === 'skep' ? await startSkepd({ args: ['--log-level', 'warn'] }) : undefined;
  const engine = skepd?.engine ?? (await startEngine());
  const socket = skepd?.socket ?? engine.socket;
  if (skepd) await skepd.init();
  else await engine.docker('swarm', 'init', '--advertise-addr', engine.address);
  const ours = name === 'skep' ? /skepd\.ts|skep-netd\.ts/ : /^\S*dockerd /;
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  return {
    name,
    engine,
    socket,
    http: (method, path, body) => timed({ agent, socketPath: socket, method, path, body }),
    residentMegabytes: () => residentMegabytes(engine, ours),
    cpuMs: () => cpuMs(engine, ours),
    async stop() {
      agent.destroy();
      await (skepd ?? engine).stop();
    },
  };
}

/** An answer of 2xx, or an error with its words. */
export async function ok(answer: Promise<Answer>): Promise<Answer> {
  const result = await answer;
  if (result.status >= 300) throw new Error(`${result.status}: ${result.text}`);
  return result;
}

async function timed(asked: HttpRequest): Promise<Answer> {
  const start = performance.now();
  const { status, text } = await sendJson(asked);
  return { status, text, ms: performance.now() - start };
}

async function residentMegabytes(engine: TestEngine, isOurs: RegExp): Promise<number> {
  return (await columnOf(engine, 'rss', isOurs)).reduce((sum, kilobytes) => sum + kilobytes, 0) / MEGABYTE_IN_KILOBYTES;
}

async function cpuMs(engine: TestEngine, isOurs: RegExp): Promise<number> {
  let ticks = 0;
  for (const pid of await columnOf(engine, 'pid', isOurs)) {
    const { stdout } = await engine.exec(['cat', `/proc/${pid}/stat`]);
    // proc(5): user and system time are fields 14 and 15; the name before them may hold spaces, but ends with the last parenthesis.
    const fields = stdout.slice(stdout.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * MS_PER_TICK;
}

/** A column of ps for the processes that make the swarm. */
async function columnOf(engine: TestEngine, column: 'rss' | 'pid', isOurs: RegExp): Promise<number[]> {
  const { stdout } = await engine.exec(['ps', '-eo', `${column}=,args=`]);
  const rows = stdout.split('\n').map((line) => /^\s*(\d+) (.*)$/.exec(line));
  return rows.filter((row) => row !== null && isOurs.test(row[2] ?? '')).map((row) => Number(row?.[1]));
}

export { until };
