// node test/sim/replay.ts <seed> [count]: runs one simulation and prints all that happens, or runs `count` of them and prints what goes wrong.
import { simulate } from './simulation.ts';

const seed = Number(process.argv[2]);
const count = Number(process.argv[3] ?? 1);
if (!Number.isInteger(seed) || !Number.isInteger(count)) throw new Error('usage: node test/sim/replay.ts <seed> [count]');

let failed = 0;
for (let current = seed; current < seed + count; current++) {
  const result = await simulate(current, count === 1 ? (line) => console.log(line) : undefined);
  if (result.violations.length === 0 && count > 1) continue;
  if (result.violations.length > 0) failed++;
  console.log(`seed ${current}: ${result.commits} commits in ${result.simulatedMs / 1_000} s, trace ${result.hash}`);
  for (const violation of result.violations) console.log(`  ${violation}`);
}
if (count > 1) console.log(`${count} simulations, ${failed} with violations`);
process.exit(failed === 0 ? 0 : 1);
