// `node test/beside/run.ts [--only WORD] [--swarm FILE] …`: plays scenarios of services on dockerd's own swarm mode and on Skep, on the same engines one after the
// other, and prints where what was seen differs. `--swarm FILE` keeps what dockerd did (or takes it from there when it is there already), to look at one side again and again.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startCluster } from '../lib/cluster.ts';
import { startEngine } from '../lib/engine.ts';
import { explained } from './explained.ts';
import { compare, play, type Result } from './play.ts';
import { scenarios } from './scenarios/index.ts';
import { formSide } from './side.ts';
import { IMAGE } from './stage.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    swarm: { type: 'string' },
    show: { type: 'boolean', default: false },
    skep: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const chosen = scenarios.filter(({ name }) => values.only.split(',').some((word) => name.includes(word)));
const kept: Record<string, Result> = values.swarm !== undefined && existsSync(values.swarm) ? JSON.parse(readFileSync(values.swarm, 'utf8')) : {};
const missing = chosen.filter(({ name }) => kept[name] === undefined);

const engineArgs = ['--node-generic-resource', 'gpu=2'];
const cluster = await startCluster({ nodes: 3, args: ['--log-level', 'warn'], engineOf: (name) => startEngine({ name, daemonArgs: engineArgs }) });
try {
  await Promise.all(cluster.nodes.map(({ engine }) => engine.importBusybox(IMAGE)));
  if (missing.length > 0) {
    const swarm = await formSide('swarm', cluster);
    Object.assign(kept, await play(swarm, missing));
    await swarm.stop();
    if (values.swarm !== undefined) writeFileSync(values.swarm, JSON.stringify(kept, null, 1));
  }
  if (values.skep) {
    const skep = await formSide('skep', cluster);
    const results = await play(skep, chosen);
    if (values.swarm !== undefined) writeFileSync(`${values.swarm}.skep`, JSON.stringify(results, null, 1));
    await skep.stop();
    let unexplained = 0;
    for (const { name } of chosen) {
      const [theirs, ours] = [kept[name], results[name]];
      if (theirs === undefined || ours === undefined) continue;
      const differences = compare(theirs, ours);
      const why = explained[name];
      if (differences.length > 0 && why === undefined) unexplained++;
      console.log(`${differences.length === 0 ? 'same' : why === undefined ? 'DIFFERS' : `differs on purpose (${why})`}: ${name}`);
      for (const line of differences) console.log(`    ${line}`);
      if (values.show) console.log(JSON.stringify(ours, null, 1));
    }
    console.log(`${chosen.length} scenarios, ${unexplained} that differ without a reason`);
  }
} finally {
  await cluster.stop();
}
process.exit(0);
