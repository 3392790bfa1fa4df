// `npm run stop`: leaves the swarm that `npm start` made and stops its daemon. Images and volumes stay.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answersPing, call, messageOf } from './docker-api.ts';
import { ownAddress, stateFolder } from './paths.ts';
import { waitFor } from './wait.ts';

if (!(await answersPing(ownAddress))) {
  console.log('skep: no daemon of this clone runs');
  process.exit(0);
}
const { status, text } = await call(ownAddress, 'POST', '/swarm/leave?force=1');
// 503 is the answer of a daemon that is in no swarm.
if (status !== 200 && status !== 503) {
  console.error(`skep: cannot leave the swarm: ${messageOf(text)}`);
  process.exit(1);
}
const pid = Number(readFileSync(join(stateFolder, 'state', 'skepd.pid'), 'utf8'));
process.kill(pid, 'SIGTERM');
const stopped = await waitFor(async () => !(await answersPing(ownAddress)), 30_000);
console.log(stopped ? 'skep: stopped' : `skep: skepd (pid ${pid}) does not stop`);
process.exit(stopped ? 0 : 1);
