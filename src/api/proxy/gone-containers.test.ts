import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { LogChunk, LogOptions, LogsWanted } from '#control/control.ts';
import type { Task } from '#domain/objects.ts';
import { createTestMembership } from '../fixtures.ts';
import { startTestApi } from '../test-api.ts';
import { answer } from './fake-engine.ts';

const TASK = 't'.repeat(25);
const GONE = 'c'.repeat(64);
const THERE = 'd'.repeat(64);

const task: Task = {
  kind: 'task',
  id: TASK,
  version: 0,
  createdAt: 1_000,
  updatedAt: 2_000,
  serviceId: 's1',
  serviceName: 'web',
  serviceLabels: {},
  slot: 1,
  nodeId: 'n1',
  spec: { runtime: { kind: 'container', container: { image: 'a:1' } }, forceUpdate: 0 },
  status: { state: 'shutdown', timestamp: 2_000, message: '', container: { containerId: GONE, pid: 0, exitCode: 3 } },
  desiredState: 'remove',
  networks: [],
};

/** An engine with one container, THERE; one task's log is kept, and what was asked of the membership is noted. */
async function world(context: TestContext) {
  const asked: unknown[] = [];
  const chunk = (second: number): LogChunk => ({
    taskId: TASK,
    nodeId: 'n1',
    serviceId: 's1',
    stream: 'stdout',
    timestamp: `2026-11-20T12:00:0${second}.000000001Z`,
    attributes: {},
    line: Buffer.from(`line ${second}\n`),
  });
  const membership = {
    ...createTestMembership(),
    async goneContainer(ref: string) {
      asked.push(ref);
      return [GONE, GONE.slice(0, 12), `web.1.${TASK}`, TASK].includes(ref) ? task : undefined;
    },
    async *logs({ kept }: LogsWanted, options: LogOptions) {
      asked.push(kept, options);
      yield* [chunk(1), chunk(2)];
    },
  };
  const api = await startTestApi(
    (call) => {
      const isThere = call.firstLine.includes(THERE);
      if (isThere && call.firstLine.includes('/logs')) answer(call, '200 OK', 'of the engine');
      else if (isThere) answer(call, '200 OK', '{"Id":"there"}');
      else answer(call, '404 Not Found', '{"message":"No such container"}');
    },
    { membership },
  );
  context.after(() => api.stop());
  return { asked, get: (path: string) => api.ask({ method: 'GET', path }) };
}

test('the log of a container that is gone is what was kept, under each of its names, and ends at once', async (context) => {
  const { asked, get } = await world(context);
  for (const name of [GONE, GONE.slice(0, 12), `web.1.${TASK}`, TASK]) {
    const { status, body } = await get(`/v1.45/containers/${name}/logs?stdout=1&follow=1&tail=5`);
    assert.equal(status, 200, name);
    assert.equal(body.toString('latin1'), `\x01\0\0\0\0\0\0\x07line 1\n\x01\0\0\0\0\0\0\x07line 2\n`);
  }
  assert.deepEqual(asked.slice(-2), [{ task: TASK }, { follow: false, stdout: true, stderr: false, tail: 5 }]);
  const until = await get(`/containers/${GONE}/logs?stdout=1&until=${Date.UTC(2026, 10, 20, 12, 0, 1) / 1_000}.5`);
  assert.equal(until.body.toString('latin1').replaceAll(/^.{8}/g, ''), 'line 1\n');
});

test('it is no container for whoever inspects it', async (context) => {
  const { asked, get } = await world(context);
  assert.equal((await get(`/v1.45/containers/${GONE}/json`)).status, 404);
  assert.deepEqual(asked, []);
});

test('what the engine has is the engine’s, and what can be no task’s is asked of nobody else', async (context) => {
  const { asked, get } = await world(context);
  assert.equal((await get(`/v1.41/containers/${THERE}/logs?stdout=1`)).body.toString(), 'of the engine');
  assert.deepEqual((await get(`/v1.41/containers/${THERE}/json`)).json, { Id: 'there' });
  for (const name of ['web', 'web.1', 'my_container', 'cccc']) assert.equal((await get(`/v1.41/containers/${name}/logs?stdout=1`)).status, 404);
  assert.deepEqual(asked, []);
  assert.equal((await get(`/v1.41/containers/${'e'.repeat(64)}/json`)).status, 404);
  assert.equal((await get(`/v1.41/containers/${GONE}/top`)).status, 404, 'only the log is left');
});

test('a reader of no stream is told so', async (context) => {
  const { get } = await world(context);
  const { json } = await get(`/containers/${GONE}/logs`);
  assert.deepEqual(json, { message: 'Bad parameters: you must choose at least one stream' });
});
