// Who leads, on a real etcd. All campaigns here run beside one member, which leads etcd: each is a manager that could take the key at any time.
import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { createLeadership, type Leadership } from '#manager/leadership.ts';
import { systemClock } from '#platform/clock.ts';
import type { Fence } from '#store/backend.ts';
import { quietLog, startTestEtcd, type TestEtcd } from '../lib/etcd.ts';
import { until } from '../lib/namespace.ts';

let etcd: TestEtcd;
let prefixes = 0;
before(async () => {
  etcd = await startTestEtcd();
});
after(() => etcd.stop());

interface Candidate {
  readonly leadership: Leadership;
  /** The fences of its terms. */
  readonly fences: Fence[];
  isLeading(): boolean;
  stop(): Promise<void>;
}

function campaign(t: TestContext, prefix: string, nodeId: string): Candidate {
  const fences: Fence[] = [];
  const stop = new AbortController();
  let leading = 0;
  const leadership = createLeadership({
    client: etcd.process.client,
    self: { nodeId, address: `${nodeId}:2377` },
    async lead(fence, signal) {
      fences.push(fence);
      leading++;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      leading--;
    },
    clock: systemClock,
    log: quietLog,
    prefix,
  });
  const running = leadership.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
  };
  t.after(end);
  return { leadership, fences, isLeading: () => leading > 0, stop: end };
}

const newPrefix = () => `live${++prefixes}/`;

test('of two managers one leads, both know it, and both are seen to be alive', async (t) => {
  const prefix = newPrefix();
  const candidates = [campaign(t, prefix, 'a'), campaign(t, prefix, 'b')];
  await until('one leads', async () => candidates.some((candidate) => candidate.isLeading()));
  await until('both know', async () => candidates.every(({ leadership }) => leadership.leader() !== undefined && leadership.live().size === 2));
  assert.equal(candidates.filter((candidate) => candidate.isLeading()).length, 1);
  const [one, two] = candidates.map(({ leadership }) => leadership.leader()?.nodeId);
  assert.equal(one, two);
});

test('when the leader stops the other leads at once, under a later fence', async (t) => {
  const prefix = newPrefix();
  const a = campaign(t, prefix, 'a');
  await until('a leads', async () => a.isLeading());
  const b = campaign(t, prefix, 'b');
  await until('b is there', async () => a.leadership.live().has('b'));
  const stoppedAt = Date.now();
  await a.stop();
  await until('b leads', async () => b.isLeading());
  assert.ok(Date.now() - stoppedAt < 2_000, `${Date.now() - stoppedAt} ms`);
  assert.ok((b.fences[0]?.revision ?? 0) > (a.fences[0]?.revision ?? Infinity));
});

test('a leader whose daemon hangs while its etcd goes on loses the lead with its lease, and does not take it back', async (t) => {
  const prefix = newPrefix();
  const key = `${prefix}leader`;
  const lease = await etcd.process.client.grantLease(2);
  const { term } = await etcd.process.client.status();
  // What a manager leaves that stopped in the middle: its key, on a lease that nobody keeps.
  const value = JSON.stringify({ nodeId: 'hung', address: 'hung:2377', term });
  await etcd.process.client.txn({ compare: [], success: [{ key, value, lease }] });
  const b = campaign(t, prefix, 'b');
  await until('b knows who leads', async () => b.leadership.leader()?.nodeId === 'hung');
  assert.equal(b.isLeading(), false);
  await until('b leads', async () => b.isLeading());
  assert.equal(b.leadership.leader()?.nodeId, 'b');
});

test('a leader whose key was taken over stops leading', async (t) => {
  const prefix = newPrefix();
  const a = campaign(t, prefix, 'a');
  await until('a leads', async () => a.isLeading());
  const { term } = await etcd.process.client.status();
  const value = JSON.stringify({ nodeId: 'other', address: 'other:2377', term: term + 1 });
  await etcd.process.client.txn({ compare: [], success: [{ key: `${prefix}leader`, value }] });
  await until('a has stopped', async () => !a.isLeading());
  assert.equal(a.leadership.leader()?.nodeId, 'other');
});
