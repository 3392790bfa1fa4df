import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServer } from 'node:net';
import type { Node } from '#domain/objects.ts';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import { systemClock } from '#platform/clock.ts';
import { createStore } from '#store/create-store.ts';
import { createMemoryBackend } from '#store/memory.ts';
import { type Answer, knock } from '#transport/knock.ts';
import { createMachines } from './machines.ts';

const aNode = (id: string, address: string, manager?: Node['manager']): Node => ({
  ...({ kind: 'node', id, index: id.length, version: 1, createdAt: 0, updatedAt: 0, role: 'worker' } as const),
  spec: { labels: {}, role: 'worker', availability: 'active' },
  status: { state: 'ready', address },
  ...(manager === undefined ? {} : { manager }),
});

async function setUp(answers: Record<string, Answer>) {
  const clock = createFakeClock();
  const nodes = [
    aNode('w', '192.0.2.1'),
    aNode('m1', '192.0.2.2', { address: '192.0.2.2:7', leader: false, reachability: 'reachable' }),
    aNode('fw1', '192.0.2.3'),
  ];
  const store = await createStore({ backend: createMemoryBackend(nodes), clock });
  const asked: string[] = [];
  const knockAt = async (host: string, port: number) => {
    asked.push(`${host}:${port}`);
    return answers[host] ?? 'silent';
  };
  return { clock, asked, machines: createMachines({ store, clock, knockAt }) };
}

test('managers are knocked at where they listen, workers at their address; a refusal says that a worker lives, and that no manager runs', async () => {
  const { machines, asked } = await setUp({ '192.0.2.1': 'refuses', '192.0.2.2': 'refuses' });
  assert.deepEqual(await Promise.all(['w', 'm1', 'fw1', 'gone'].map((id) => machines.knock(id))), ['alive', 'no daemon', 'silent', 'silent']);
  assert.deepEqual(asked, ['192.0.2.1:2377', '192.0.2.2:7', '192.0.2.3:2377']);
});

test('a machine used to answer when it did within the last minutes, once a minute while all is well', async () => {
  const answers: Record<string, Answer> = { '192.0.2.1': 'refuses', '192.0.2.2': 'accepts' };
  const { machines, clock, asked } = await setUp(answers);
  const stop = new AbortController();
  const running = machines.run(stop.signal);
  await clock.advance(10_000);
  assert.deepEqual([asked.length, ...['w', 'm1', 'fw1'].map((id) => machines.usedToAnswer(id))], [3, true, true, false]);
  // One silence is no habit.
  answers['192.0.2.1'] = 'silent';
  await clock.advance(62_000);
  assert.deepEqual([asked.length, machines.usedToAnswer('w')], [6, true]);
  await clock.advance(180_000);
  assert.deepEqual([machines.usedToAnswer('w'), machines.usedToAnswer('m1')], [false, true]);
  stop.abort();
  await running;
});

test('a port that listens accepts, and one that does not refuses', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  assert.equal(await knock('127.0.0.1', port, 5_000, systemClock), 'accepts');
  await new Promise((resolve) => server.close(resolve));
  assert.equal(await knock('127.0.0.1', port, 5_000, systemClock), 'refuses');
});
