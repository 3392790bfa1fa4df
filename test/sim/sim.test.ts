// A thousand swarms on which everything goes wrong. SKEP_SIM_SEEDS says how many, SKEP_SIM_FROM with which seed to begin; a failing seed prints itself, and
// `node test/sim/replay.ts <seed>` shows what happened.
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { simulate } from './simulation.ts';
import type { Share, ShareResult } from './worker.ts';

const SEEDS = Number(process.env['SKEP_SIM_SEEDS'] ?? 1_000);
const FROM = Number(process.env['SKEP_SIM_FROM'] ?? 1);
/** Threads cost memory each; more of them than this do not pay. */
const MAX_THREADS = 8;

function run(share: Share): Promise<ShareResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: share });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the worker from seed ${share.from} ended with ${code} before it was done`)));
  });
}

test(`${SEEDS} swarms from seed ${FROM} on keep what they promise, and come to rest`, async (context) => {
  const threads = Math.max(1, Math.min(availableParallelism(), MAX_THREADS, SEEDS));
  const shares = Array.from({ length: threads }, (_, index) => ({ from: FROM + index, step: threads, count: Math.ceil((SEEDS - index) / threads) }));
  const results = await Promise.all(shares.map(run));
  const failed = results.flatMap((result) => result.failed).toSorted((a, b) => a.seed - b.seed);
  const sum = (of: (result: ShareResult) => number) => results.reduce((total, result) => total + of(result), 0);
  context.diagnostic(
    `${sum(({ simulations }) => simulations)} simulations, ${sum(({ commits }) => commits)} commits, ${Math.round(sum(({ simulatedMs }) => simulatedMs) / 3_600_000)} simulated hours`,
  );
  assert.equal(
    sum(({ simulations }) => simulations),
    SEEDS,
  );
  const report = failed.map(({ seed, violations }) => `node test/sim/replay.ts ${seed}\n  ${violations.join('\n  ')}`).join('\n');
  assert.equal(failed.length, 0, `${failed.length} of ${SEEDS} seeds failed:\n${report}`);
});

test('the same seed gives the same history, another seed another', async () => {
  for (const seed of [FROM, FROM + 17, FROM + 4_711]) {
    const [first, second] = [await simulate(seed), await simulate(seed)];
    assert.equal(first.hash, second.hash, `seed ${seed}`);
    assert.ok(first.commits > 0, `seed ${seed} does something`);
  }
  assert.notEqual((await simulate(FROM)).hash, (await simulate(FROM + 1)).hash);
});
