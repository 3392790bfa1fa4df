import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { LogOptions } from '#control/control.ts';
import type { Task } from '#domain/objects.ts';
import { encodeLine } from '#engine/log-codec.ts';
import { createEngineConnection } from '#engine-link/link.ts';
import type { Store } from '#store/store.ts';
import type { Clock } from '#lib/clock.ts';
import { systemClock } from '../platform/clock.ts';
import type { NodeEngines } from './node-engines.ts';
import { readTaskLog } from './read-task-log.ts';

/** Time goes twenty times as fast: what waits for a second is over soon. */
const fastClock: Clock = {
  now: () => systemClock.now() * 20,
  elapsed: () => systemClock.elapsed() * 20,
  sleep: (delayMs, signal) => systemClock.sleep(delayMs / 20, signal),
  schedule: (delayMs, callback) => systemClock.schedule(delayMs / 20, callback),
};

const all: LogOptions = { follow: false, stdout: true, stderr: true };

/** Times in nanoseconds; some lines have the same. */
const LINES = ['000000001 a', '000000002 b', '000000002 c', '000000002 d', '000000003 e', '000000004 f'] as const;

function frameOf(line: string): Buffer {
  const [nanoseconds = '', text = ''] = line.split(' ');
  return encodeLine({ stream: 'stdout', timestamp: `2026-11-20T12:00:00.${nanoseconds}Z`, attributes: {}, line: Buffer.from(`${text}\n`) });
}

interface World {
  /** Answers each request for the container's log. */
  readonly logs: (response: ServerResponse, query: URLSearchParams) => void;
  /** Answers each request for what is kept of it. */
  readonly kept?: (response: ServerResponse) => void;
  /** Of the node, whenever it is asked for. */
  readonly state?: () => 'ready' | 'down';
}

async function world(context: TestContext, { logs, kept, state = () => 'ready' }: World) {
  const folder = mkdtempSync(join(tmpdir(), 'skep-read-log-'));
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://engine');
    if (url.pathname === '/kept/logs') return kept === undefined ? response.writeHead(404).end() : kept(response.writeHead(200));
    if (url.pathname.endsWith('/logs')) return logs(response, url.searchParams);
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ Config: { Tty: false } }));
  });
  server.listen(join(folder, 'engine.sock'));
  await once(server, 'listening');
  const link = createEngineConnection({ address: `unix://${join(folder, 'engine.sock')}`, clock: systemClock });
  const task: Task = {
    kind: 'task',
    id: 'task1',
    version: 1,
    createdAt: 0,
    updatedAt: 0,
    serviceId: 'service1',
    serviceName: 'web',
    serviceLabels: {},
    nodeId: 'node1',
    spec: { runtime: { kind: 'container', container: { image: 'a:1' } }, forceUpdate: 0 },
    status: { state: 'running', timestamp: 0, message: '', container: { containerId: 'c1', pid: 1, exitCode: 0 } },
    desiredState: 'running',
    networks: [],
  };
  const stop = new AbortController();
  context.after(() => {
    stop.abort();
    link.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const missing: string[] = [];
  async function read(options: LogOptions, until = Infinity): Promise<readonly string[]> {
    const texts: string[] = [];
    const view = { get: (kind: string) => (kind === 'task' ? task : { status: { state: state() } }) };
    const chunks = readTaskLog(task, {
      store: { view } as unknown as Store,
      engines: { linkTo: () => Promise.resolve(link) } as unknown as NodeEngines,
      clock: fastClock,
      options,
      signal: stop.signal,
      missing: (reason) => void missing.push(reason),
      changed: () => new Promise(() => {}),
    });
    for await (const { stream, line } of chunks) if (texts.push(`${stream === 'stderr' ? '! ' : ''}${Buffer.from(line).toString().trim()}`) === until) break;
    return texts;
  }
  return { read, missing };
}

test('a followed log goes on after each cut and gives each line once', async (context) => {
  let asked = 0;
  const { read } = await world(context, {
    logs(response, query) {
      asked += 1;
      // An engine gives what is not older than asked for, in whole seconds or better; each time a bit more, and then the way is cut.
      assert.equal(query.has('since'), asked > 1);
      response.writeHead(200);
      const end = asked * 2 + 1;
      for (const line of LINES.slice(0, end)) response.write(frameOf(line));
      if (end >= LINES.length) response.end();
      else setImmediate(() => response.destroy());
    },
  });
  const lines = await read({ ...all, follow: true, tail: 1_000 });
  assert.deepEqual(lines, ['a', 'b', 'c', 'd', 'e', 'f']);
});

test('a followed log that cannot be got on with for some seconds says so once', async (context) => {
  let asked = 0;
  const { read } = await world(context, {
    logs(response) {
      asked += 1;
      if (asked > 1 && asked < 14) return void response.destroy();
      response.writeHead(200);
      for (const line of LINES.slice(0, asked === 1 ? 2 : 6)) response.write(frameOf(line));
      if (asked > 1) response.end();
      else setImmediate(() => response.destroy());
    },
  });
  const warning = '! warning: incomplete log stream. some logs could not be retrieved for the following reasons: node node1 disconnected unexpectedly';
  assert.deepEqual(await read({ ...all, follow: true }), ['a', 'b', warning, 'c', 'd', 'e', 'f']);
});

test('no line comes twice and none is lost when an engine tells whole seconds, also when reading began in the middle of one', async (context) => {
  const coarse = LINES.map((line) => `000000000 ${line.split(' ')[1]}`);
  let asked = 0;
  const { read } = await world(context, {
    logs(response) {
      asked += 1;
      response.writeHead(200);
      // The first time only the tail is asked for.
      for (const line of asked === 1 ? coarse.slice(2, 4) : coarse) response.write(frameOf(line));
      if (asked > 1) response.end();
      else setImmediate(() => response.destroy());
    },
  });
  assert.deepEqual(await read({ ...all, follow: true, tail: 2 }), ['c', 'd', 'e', 'f']);
});

test('what an engine does not tell of a log whose container goes while it is followed is read afterwards', async (context) => {
  for (const told of [0, 3]) {
    const { read } = await world(context, {
      logs(response, query) {
        response.writeHead(200);
        for (const line of query.get('follow') === '1' ? LINES.slice(0, told) : LINES) response.write(frameOf(line));
        response.end();
      },
    });
    assert.deepEqual(await read({ ...all, follow: true }), ['a', 'b', 'c', 'd', 'e', 'f']);
  }
});

test('without follow a log that is cut short is said to be', async (context) => {
  const { read, missing } = await world(context, {
    logs(response) {
      response.writeHead(200);
      response.write(frameOf(LINES[0]));
      setImmediate(() => response.destroy());
    },
  });
  assert.deepEqual(await read(all), ['a']);
  assert.deepEqual(missing, ['node node1 disconnected unexpectedly']);
});

test('a followed log of a node that goes down says so, and goes on when the node is back', async (context) => {
  let asked = 0;
  let looks = 0;
  const { read } = await world(context, {
    logs(response) {
      asked += 1;
      response.writeHead(200);
      for (const line of LINES.slice(0, asked === 1 ? 2 : 6)) response.write(frameOf(line));
      if (asked > 1) response.end();
      else setImmediate(() => response.destroy());
    },
    state: () => (asked === 0 || ++looks > 10 ? 'ready' : 'down'),
  });
  const warning = '! warning: incomplete log stream. some logs could not be retrieved for the following reasons: node node1 disconnected unexpectedly';
  assert.deepEqual(await read({ ...all, follow: true }), ['a', 'b', warning, 'c', 'd', 'e', 'f']);
});

test('of a node that is down nothing is asked', async (context) => {
  const { read, missing } = await world(context, { logs: () => assert.fail('it was asked'), state: () => 'down' });
  assert.deepEqual(await read(all), []);
  assert.deepEqual(missing, ['node node1 is not available']);
});

test('when the container is gone, what is kept comes in its place, and goes on where the container’s log was', async (context) => {
  let asked = 0;
  const { read } = await world(context, {
    logs(response) {
      asked += 1;
      if (asked > 1) return void response.writeHead(404, { 'Content-Type': 'application/json' }).end('{"message":"No such container: c1"}');
      response.writeHead(200);
      for (const line of LINES.slice(0, 3)) response.write(frameOf(line));
      setImmediate(() => response.destroy());
    },
    kept(response) {
      for (const line of LINES) response.write(frameOf(line));
      response.end();
    },
  });
  const lines = await read({ ...all, follow: true });
  assert.deepEqual(
    lines.filter((line) => !line.startsWith('!')),
    ['a', 'b', 'c', 'd', 'e', 'f'],
  );
});

test('an engine that cannot read the log of a driver gives nothing, and that is no failure', async (context) => {
  const { read, missing } = await world(context, {
    logs: (response) =>
      void response.writeHead(501, { 'Content-Type': 'application/json' }).end('{"message":"configured logging driver does not support reading"}'),
  });
  assert.deepEqual([await read(all), missing], [[], []]);
});
