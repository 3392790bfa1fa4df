// Runs a share of the seeds in a thread of its own and tells which went wrong.
import { parentPort, workerData } from 'node:worker_threads';
import { errorMessage } from '#lib/errors.ts';
import { type SimulationResult, simulate } from './simulation.ts';

export interface Share {
  readonly from: number;
  readonly count: number;
  readonly step: number;
}

export interface ShareResult {
  readonly simulations: number;
  readonly commits: number;
  readonly simulatedMs: number;
  readonly failed: readonly SimulationResult[];
}

const share: Share = workerData;
const { from, count, step } = share;
const failed: SimulationResult[] = [];
let commits = 0;
let simulatedMs = 0;
let simulations = 0;
let current = from;
// Nothing in a swarm may leave a promise alone: here that is a failure of the seed that runs.
process.on('unhandledRejection', (error) => {
  failed.push({ seed: current, hash: '', violations: [`unhandled rejection: ${errorMessage(error)}`], commits: 0, simulatedMs: 0 });
});
for (let index = 0; index < count; index++) {
  current = from + index * step;
  const result = await simulate(current);
  simulations++;
  commits += result.commits;
  simulatedMs += result.simulatedMs;
  if (result.violations.length > 0) failed.push(result);
}
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for browser windows, this is a thread
parentPort?.postMessage({ simulations, commits, simulatedMs, failed } satisfies ShareResult);
