// The store's promise under kill -9: what was acknowledged is there, what is there is whole.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore } from '#store/create-store.ts';
import { openSqliteBackend } from '#store/sqlite/backend.ts';
import { createSeededRandom, seedFromEnvironment } from './seeded-random.ts';

const ROUNDS = 30;

test('a store that is killed at any moment loses nothing acknowledged and keeps nothing half', async (t) => {
  const seed = seedFromEnvironment();
  // At once: a run that hangs must be repeatable, too.
  console.log(`seed ${seed} (SKEP_SEED=${seed} repeats it)`);
  const random = createSeededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), 'skep-crash-'));
  const path = join(folder, 'store.db');
  const acknowledged = new Set<number>();
  let first = 0;
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const number of await writeUntilKilled(path, first, 1 + random(150), random(3))) acknowledged.add(number);
      const found = await pairsIn(path);
      for (const number of acknowledged) assert.ok(found.has(number), `${number} was acknowledged and is lost (seed ${seed}, round ${round})`);
      first = Math.max(-1, ...found) + 1;
    }
    t.diagnostic(`${acknowledged.size} commits acknowledged over ${ROUNDS} kills`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Kills the writer some `delayMs` after that many acknowledgements, and returns all that it gave. */
async function writeUntilKilled(path: string, first: number, count: number, delayMs: number): Promise<readonly number[]> {
  const writer = fileURLToPath(new URL('store-writer.ts', import.meta.url));
  const child = spawn(process.execPath, [writer, path, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const numbers: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    // A line to a pipe is written whole or not at all.
    numbers.push(Number(line));
    if (numbers.length === count) setTimeout(() => child.kill('SIGKILL'), delayMs);
  }
  const [, signal] = await ended;
  assert.equal(signal, 'SIGKILL', 'the writer ended by itself');
  return numbers;
}

async function pairsIn(path: string): Promise<ReadonlySet<number>> {
  const store = await createStore({ backend: openSqliteBackend({ path }) });
  try {
    const numbers = new Set<number>();
    for (const { id, version } of store.view.list('service')) {
      const [side = '', number = ''] = id.split('-');
      const other = store.view.get('service', `${side === 'left' ? 'right' : 'left'}-${number}`);
      assert.equal(other?.version, version, `${id} is there without its other half`);
      assert.deepEqual(store.view.claimant(`service/name/service-${id}`), { kind: 'service', id });
      numbers.add(Number(number));
    }
    return numbers;
  } finally {
    await store.close();
  }
}
