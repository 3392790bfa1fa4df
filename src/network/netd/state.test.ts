import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '#lib/log.ts';
import { cluster, inputs, local } from '../fixtures.ts';
import { createLogFile } from './log-file.ts';
import { createSerial } from './serial.ts';
import { openState } from './state.ts';

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skep-netd-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('what was told is there after a restart, readable by nobody else', async () => {
  await inFolder(async (directory) => {
    const state = openState({ directory, log: silentLogger });
    assert.deepEqual([state.cluster.networks, state.local.endpoints, state.driverNetworks], [[], [], []]);
    state.setCluster({ ...cluster, version: 1 });
    state.setCluster(cluster);
    state.setLocal(local);
    state.setDriverNetworks(inputs.driverNetworks);
    await state.flush();
    const again = openState({ directory, log: silentLogger });
    assert.deepEqual([again.cluster, again.local, again.driverNetworks], [cluster, local, inputs.driverNetworks]);
    for (const file of readdirSync(directory)) assert.equal(statSync(join(directory, file)).mode & 0o777, 0o600, file);
  });
});

test('a damaged file counts as none', async () => {
  await inFolder(async (directory) => {
    writeFileSync(join(directory, 'cluster.json'), '{"version":');
    assert.deepEqual(openState({ directory, log: silentLogger }).cluster.networks, []);
    return Promise.resolve();
  });
});

test('the log never takes more than twice its bound', async () => {
  await inFolder(async (folder) => {
    const path = join(folder, 'netd.log');
    const log = createLogFile({ path, clock: { now: () => 0, elapsed: () => 0, sleep: () => Promise.resolve(), schedule: () => () => {} } });
    const text = 'x'.repeat(100_000);
    for (let line = 0; line < 100; line++) log.info({ line }, text);
    log.debug({}, 'not at this level');
    assert.deepEqual(readdirSync(folder).sort(), ['netd.log', 'netd.log.1']);
    for (const file of readdirSync(folder)) assert.ok(statSync(join(folder, file)).size <= 4 * 1024 * 1024);
    return Promise.resolve();
  });
});

test('serial work goes on after a failure, in order', async () => {
  const serial = createSerial();
  const done: number[] = [];
  const results = await Promise.allSettled(
    [3, 2, 1].map((value) =>
      serial(async () => {
        await Promise.resolve();
        done.push(value);
        if (value === 2) throw new Error('no');
        return value;
      }),
    ),
  );
  assert.deepEqual(done, [3, 2, 1]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
});
