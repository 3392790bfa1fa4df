// `npm run stop`: leaves the swarm that `npm start` made and stops its daemon, and Docker if that was started with it. Images, volumes and packages stay.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answersPing, call, messageOf } from './docker-api.ts';
import { endOwnEngine } from './engine.ts';
import { ownAddress, stateFolder } from './paths.ts';
import { waitFor } from './wait.ts';

async function stopDaemon(): Promise<void> {
  if (!(await answersPing(ownAddress))) return console.log('skep: no daemon of this clone runs');
  const { status, text } = await call(ownAddress, 'POST', '/swarm/leave?force=1');
  // 503 is the answer of a daemon that is in no swarm.
  if (status !== 200 && status !== 503) throw new Error(`cannot leave the swarm: ${messageOf(text)}`);
  const pid = Number(readFileSync(join(stateFolder, 'state', 'skepd.pid'), 'utf8'));
  process.kill(pid, 'SIGTERM');
  if (!(await waitFor(async () => !(await answersPing(ownAddress)), 30_000))) throw new Error(`skepd (pid ${pid}) does not stop`);
  console.log('skep: stopped');
}

try {
  await stopDaemon();
  const left = await endOwnEngine(stateFolder);
  if (left !== undefined) console.log(`skep: ${left}`);
} catch (error) {
  console.error(`skep: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
process.exit(0);
