import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, NodeDescription } from '#domain/objects.ts';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import type { ManagerConnection, SessionMessage } from '#protocol/messages.ts';
import { createStore } from '#store/create-store.ts';
import { createMemoryBackend } from '#store/memory.ts';
import { withNews } from './session-news.ts';

const managerStatus = (address: string, leader = false) => ({ address, leader, reachability: 'reachable' }) as NonNullable<Node['manager']>;

function makeNode(id: string, index: number): Node {
  return {
    kind: 'node',
    id,
    version: 0,
    createdAt: 0,
    updatedAt: 0,
    index,
    role: 'worker',
    spec: { labels: {}, role: 'worker', availability: 'active' },
    status: { state: 'unknown', address: '' },
  };
}

/** A session that says that it is open, and then nothing more of its own. */
async function* quiet(signal: AbortSignal): AsyncGenerator<SessionMessage> {
  yield { kind: 'session', sessionId: 's', nodeId: 'worker', heartbeatPeriodMs: 5000, managers: [] };
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

test('a node hears over an open session of managers that come and go, not of who leads', async () => {
  const store = await createStore({ backend: createMemoryBackend(), clock: createFakeClock() });
  const first = { ...makeNode('m1', 1), manager: managerStatus('192.0.2.1:2377', true) };
  const second = makeNode('m2', 2);
  await store.commit(
    'manager',
    [first, second, makeNode('worker', 3)].map((object) => ({ action: 'create', object }) as const),
  );
  const ending = new AbortController();
  const connection = { openSession: (_description: NodeDescription, signal: AbortSignal) => quiet(signal) } as unknown as ManagerConnection;
  const messages = withNews(connection, { store, nodeId: 'worker', role: 'worker' })
    .openSession({} as NodeDescription, ending.signal)
    [Symbol.asyncIterator]();
  const update = async (object: Node, manager: Node['manager']) => {
    const { manager: _before, ...rest } = store.view.get('node', object.id) ?? object;
    await store.commit('manager', [{ action: 'update', object: manager === undefined ? rest : { ...rest, manager } }]);
  };

  assert.equal((await messages.next()).value?.kind, 'session');
  const told = messages.next();
  await update(second, managerStatus('192.0.2.2:2377'));
  const both = [
    { nodeId: 'm1', address: '192.0.2.1:2377' },
    { nodeId: 'm2', address: '192.0.2.2:2377' },
  ];
  assert.deepEqual((await told).value, { kind: 'managers', managers: both });

  const later = messages.next();
  await update(first, managerStatus('192.0.2.1:2377'));
  await update(second, managerStatus('192.0.2.2:2377', true));
  await update(first, undefined);
  assert.deepEqual((await later).value, { kind: 'managers', managers: both.slice(1) });
  ending.abort();
  await messages.return?.();
});
