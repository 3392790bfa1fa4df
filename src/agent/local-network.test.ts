import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import type { LocalNetworkState } from '#protocol/network-state.ts';
import { createLocalNetwork } from './local-network.ts';

const endpoint = (taskId: string) => ({ taskId, containerId: `c-${taskId}`, pid: 1, networkIds: [] });

async function withNetwork(
  use: (parts: { network: ReturnType<typeof createLocalNetwork>; applied: LocalNetworkState[]; clock: ReturnType<typeof createFakeClock> }) => Promise<void>,
) {
  const clock = createFakeClock();
  const applied: LocalNetworkState[] = [];
  const network = createLocalNetwork({ apply: async (state) => void applied.push(state), clock, log: silentLogger });
  const stop = new AbortController();
  const running = network.run(stop.signal);
  await use({ network, applied, clock });
  stop.abort();
  await running;
}

const signal = new AbortController().signal;
const ids = (state: LocalNetworkState | undefined) => state?.endpoints.map(({ taskId }) => taskId);

test('each change hands over the whole set with a growing version', () =>
  withNetwork(async ({ network, applied, clock }) => {
    await network.set(endpoint('a'), 1_000, signal);
    await network.set(endpoint('b'), 1_000, signal);
    network.delete('a');
    await clock.settle();
    assert.deepEqual(applied.map(ids), [['a'], ['a', 'b'], ['b']]);
    assert.ok(applied.every(({ version }, index) => index === 0 || version > (applied[index - 1]?.version ?? 0)));
  }));

test('after a restart nothing is handed over before all that ran is found again', () =>
  withNetwork(async ({ network, applied, clock }) => {
    network.expect(['a', 'b']);
    const first = network.set(endpoint('a'), 1_000, signal);
    await clock.advance(100);
    assert.deepEqual(applied, []);
    network.delete('b');
    await first;
    assert.deepEqual(applied.map(ids), [['a']]);
  }));

test('an engine that stays away takes nothing out of service; one that forgot a container does not hold up the others', () =>
  withNetwork(async ({ network, applied, clock }) => {
    network.expect(['a', 'b']);
    await clock.advance(3_600_000);
    assert.deepEqual(applied, []);
    void network.set(endpoint('a'), 1_000, signal);
    await clock.advance(10_000);
    assert.deepEqual(ids(applied.at(-1)), ['a']);
  }));
