import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createEngineConnection } from '#engine-link/link.ts';
import { AppError } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import type { ContainerInspect } from './api-types.ts';
import { createLogKeeper, keptTask } from './keep-log.ts';
import { createKeptLogs } from './kept-logs.ts';

const TASK = 'a'.repeat(25);

function aContainer(taskName: string, startedAt = '2026-11-20T12:00:00Z'): ContainerInspect {
  const labels = {
    'com.docker.swarm.task.id': TASK,
    'com.docker.swarm.task.name': taskName,
    'com.docker.swarm.node.id': 'node1',
    'com.docker.swarm.service.id': 'service1',
    'com.docker.swarm.service.name': 'my.web',
  };
  return {
    Id: 'c1',
    Name: `/${taskName}`,
    Created: '2026-11-20T11:59:59.5Z',
    State: { Status: 'exited', Running: false, OOMKilled: false, Pid: 0, ExitCode: 3, Error: '', StartedAt: startedAt },
    Config: { Labels: labels, Tty: false, Image: 'a:1' },
    HostConfig: { NetworkMode: 'default' },
    NetworkSettings: { Ports: null, Networks: null },
  };
}

async function world(context: TestContext, answerLogs: (response: ServerResponse, tail: number) => void, container = aContainer(`my.web.2.${TASK}`)) {
  const folder = mkdtempSync(join(tmpdir(), 'skep-keep-'));
  const tails: number[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://engine');
    if (url.pathname.endsWith('/json')) return void response.writeHead(200).end(JSON.stringify(container));
    tails.push(Number(url.searchParams.get('tail')));
    answerLogs(response, Number(url.searchParams.get('tail')));
  });
  server.listen(join(folder, 'engine.sock'));
  await once(server, 'listening');
  const clock = createFakeClock();
  const link = createEngineConnection({ address: `unix://${join(folder, 'engine.sock')}`, clock });
  const kept = createKeptLogs({ folder: join(folder, 'kept'), limits: { taskBytes: 40_000, totalBytes: 1e6, maxAgeMs: 1e9 }, clock, log: silentLogger });
  const end = () => {
    server.closeAllConnections();
    server.close();
  };
  context.after(() => {
    kept.close();
    link.close();
    end();
    rmSync(folder, { recursive: true });
  });
  const keeper = createLogKeeper({ link, kept, clock, log: silentLogger });
  const lines = async () => {
    const texts: string[] = [];
    for await (const { line } of kept.read(TASK, { stdout: true, stderr: true })) texts.push(Buffer.from(line).toString().trimEnd());
    return texts;
  };
  return { keeper, kept, lines, clock, tails, end };
}

const signal = new AbortController().signal;

function sendLine(response: ServerResponse, text: string): void {
  const payload = Buffer.from(`2026-11-20T12:00:01.5Z  ${text}\n`);
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(payload.length, 4);
  response.write(Buffer.concat([header, payload]));
}

test('a container’s log is kept with whose it is, and no more lines are asked for than can be kept', async (context) => {
  const { keeper, kept, lines, tails, clock } = await world(context, (response) => {
    sendLine(response, 'the end');
    response.end();
  });
  await keeper.keep('c1', signal);
  assert.deepEqual(await lines(), ['the end']);
  assert.deepEqual(tails, [1_000]);
  const [task] = await kept.list();
  assert.deepEqual(
    { ...task, bytes: 0 },
    {
      taskId: TASK,
      serviceId: 'service1',
      serviceName: 'my.web',
      slot: 2,
      nodeId: 'node1',
      image: 'a:1',
      containerId: 'c1',
      exitCode: 3,
      tty: false,
      createdAt: Date.parse('2026-11-20T11:59:59.5Z'),
      keptAt: clock.now(),
      bytes: 0,
    },
  );
});

test('a log that does not come in time is asked for once more, much shorter', async (context) => {
  const { keeper, lines, tails, clock } = await world(context, (response, tail) => {
    sendLine(response, `of ${tail}`);
    // The first answer never ends.
    if (tail < 1_000) response.end();
  });
  const keeping = keeper.keep('c1', signal);
  for (let round = 0; tails.length < 2 && round < 1_000; round++) await clock.advance(1_000);
  await keeping;
  assert.deepEqual([tails, await lines()], [[1_000, 20], ['of 20']]);
});

test('an engine that refuses does not keep the container from being removed; one that is away does', async (context) => {
  const { keeper, lines, end } = await world(context, (response) => void response.writeHead(500).end('{"message":"the log is damaged"}'));
  await keeper.keep('c1', signal);
  assert.deepEqual(await lines(), []);
  end();
  await assert.rejects(keeper.keep('c1', signal), (error) => error instanceof AppError && error.code === 'unavailable');
});

test('of a container that never ran nothing is asked', async (context) => {
  const { keeper, tails } = await world(context, () => assert.fail('it was asked'), aContainer(`my.web.2.${TASK}`, '0001-01-01T00:00:00Z'));
  await keeper.keep('c1', signal);
  assert.deepEqual(tails, []);
});

test('a task that is bound to its node has no slot, and a plain container is no task', () => {
  assert.equal(keptTask(aContainer(`my.web.gip90vs47i1wtmsvdoqoez1wi.${TASK}`), 0)?.slot, undefined);
  assert.equal(keptTask({ ...aContainer('x'), Config: { Labels: {}, Tty: false } }, 0), undefined);
});
