import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createTestSwarm } from '#control/testing/swarm.ts';
import { createKeptLogs, type KeptTask } from '#engine/kept-logs.ts';
import { encodeLine } from '#engine/log-codec.ts';
import { silentLogger } from '#lib/log.ts';
import { systemClock } from '#platform/clock.ts';
import { findGoneContainer } from './gone-containers.ts';
import { createGoneTasks } from './gone-tasks.ts';
import { startKeptLogsServer } from './kept-logs-server.ts';
import type { NodeEngines } from './node-engines.ts';

const line = encodeLine({ stream: 'stdout', timestamp: '2026-11-20T12:00:00.000000001Z', attributes: {}, line: Buffer.from('hello\n') });
const limits = { taskBytes: 10_000, totalBytes: 1_000_000, maxAgeMs: 3_600_000 };
const idOf = (letter: string) => letter.repeat(25);

/** A swarm of one node that kept the logs of these. */
async function world(context: TestContext, ...kept: readonly Pick<KeptTask, 'taskId' | 'containerId'>[]) {
  const folder = mkdtempSync(join(tmpdir(), 'skep-gone-'));
  const logs = createKeptLogs({ folder: join(folder, 'logs'), limits, clock: systemClock, log: silentLogger });
  const now = systemClock.now();
  const rest = { serviceId: 's', serviceName: 'web', slot: 1, nodeId: 'n', image: 'a:1', exitCode: 0, tty: false, createdAt: now, keptAt: now };
  for (const task of kept) await logs.save({ ...rest, ...task }, [line]);
  const server = await startKeptLogsServer({ kept: logs, path: join(folder, 'kept.sock'), clock: systemClock, log: silentLogger });
  context.after(async () => {
    await server.close();
    logs.close();
    rmSync(folder, { recursive: true });
  });
  const { store } = await createTestSwarm();
  const gone = createGoneTasks();
  let isThere = true;
  const linkTo = async () => {
    if (!isThere) throw new Error('it does not answer');
    return server.link;
  };
  const sources = { store, engines: { linkTo } as unknown as NodeEngines, gone, clock: systemClock, log: silentLogger };
  return {
    gone,
    find: async (ref: string) => (await findGoneContainer(sources, ref, new AbortController().signal))?.id,
    silence: () => {
      isThere = false;
    },
  };
}

test('a container that is gone is found by its id, a beginning of it, its name and its task, and is known from then on', async (context) => {
  const { find, gone } = await world(context, { taskId: idOf('a'), containerId: 'a1'.repeat(32) }, { taskId: idOf('b'), containerId: 'b1'.repeat(32) });
  for (const ref of ['a1'.repeat(32), 'a1'.repeat(6), `web.1.${idOf('a')}`, idOf('a')]) assert.equal(await find(ref), idOf('a'), ref);
  assert.equal(gone.find(idOf('a'))?.serviceName, 'web');
  for (const ref of ['c1'.repeat(32), `other.1.${idOf('a')}`, idOf('c')]) assert.equal(await find(ref), undefined, ref);
});

test('a beginning of two ids names neither', async (context) => {
  const { find } = await world(context, { taskId: idOf('a'), containerId: 'a'.repeat(64) }, { taskId: idOf('b'), containerId: 'a'.repeat(63).padEnd(64, 'b') });
  assert.equal(await find('a'.repeat(12)), undefined);
  assert.equal(await find('a'.repeat(64)), idOf('a'));
});

test('a node that does not answer has nothing, and that is no error', async (context) => {
  const { find, silence } = await world(context, { taskId: idOf('a'), containerId: 'a'.repeat(64) });
  silence();
  assert.equal(await find(idOf('a')), undefined);
});
