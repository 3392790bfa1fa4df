import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock, createSeededRandom } from '#lib/testing/fake-clock.ts';
import { createAgent } from './agent.ts';
import { createMemoryAgentState } from './state.ts';
import { createFakeExecutor } from './testing/fake-executor.ts';
import { createFakeManager } from './testing/fake-manager.ts';
import { testDescription } from './testing/tasks.ts';

const SILENT_MS = 5_000;

test('while no manager answers, hardly any time passes in which none is tried', async () => {
  const clock = createFakeClock();
  const begun: number[] = [];
  const connection = createFakeManager().connect();
  const agent = createAgent({
    nodeId: 'node-1',
    connect: () => ({
      ...connection,
      // A link that is cut: nothing comes until the agent gives up.
      async *openSession(_description, signal) {
        begun.push(clock.elapsed());
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        yield* [];
      },
    }),
    executor: createFakeExecutor({ clock, description: testDescription }),
    dataPlane: { applyCluster: async () => {}, applyLocal: async () => {}, portsInUse: () => [] },
    state: createMemoryAgentState(),
    clock,
    random: createSeededRandom(1),
    log: silentLogger,
  });
  const stopping = new AbortController();
  const running = agent.run(stopping.signal);
  await clock.settle();
  await clock.advance(60_000);
  const pauses = begun.slice(1).map((at, index) => at - (begun[index] ?? 0) - SILENT_MS);
  assert.ok(pauses.length >= 11, `${pauses.length + 1} sessions were tried`);
  assert.ok(
    pauses.every((pauseMs) => pauseMs >= 0 && pauseMs <= 100),
    `pauses: ${pauses.join(', ')}`,
  );
  stopping.abort(new Error('stopped'));
  await clock.settle();
  await running;
});
