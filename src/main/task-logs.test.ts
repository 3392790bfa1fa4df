import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTestSwarm } from '#control/testing/swarm.ts';
import { createEngineConnection } from '#engine-link/link.ts';
import { encodeLine } from '#engine/log-codec.ts';
import type { Clock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';
import { systemClock } from '#platform/clock.ts';
import { createGoneTasks } from './gone-tasks.ts';
import { TASK_ATTRIBUTE } from './kept-logs-server.ts';
import type { NodeEngines } from './node-engines.ts';
import { logsOfTasks } from './task-logs.ts';

/** A fiftieth of the limits in the code, for those that begin once `isFast` says so. */
function hastyClock(isFast: () => boolean): Clock {
  const delay = (ms: number) => (isFast() ? ms / 50 : ms);
  return {
    now: () => systemClock.now(),
    elapsed: () => systemClock.elapsed(),
    sleep: (delayMs, signal) => systemClock.sleep(delay(delayMs), signal),
    schedule: (delayMs, callback) => systemClock.schedule(delay(delayMs), callback),
  };
}

test('a node that falls silent in the middle of what it kept holds nobody up, and is named', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-task-logs-'));
  const path = join(folder, 'kept.sock');
  const line = { stream: 'stdout', timestamp: '2026-11-20T12:00:00.000000001Z', attributes: { [TASK_ATTRIBUTE]: 't1' }, line: Buffer.from('hello\n') } as const;
  let begun = 0;
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/kept/logs')) {
      response.writeHead(200).write(encodeLine(line));
      begun++;
    } else response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify([{ taskId: 't1', serviceId: 's1' }]));
  });
  server.listen(path);
  await once(server, 'listening');
  const link = createEngineConnection({ address: `unix://${path}`, clock: systemClock });
  context.after(() => {
    link.close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const { store } = await createTestSwarm();
  const nodes = [...store.view.list('node')].filter(({ status }) => status.state === 'ready');
  assert.ok(nodes.length > 0);
  const logs = logsOfTasks(
    {
      store,
      engines: { linkTo: async () => link } as unknown as NodeEngines,
      gone: createGoneTasks(),
      clock: hastyClock(() => begun === nodes.length),
      log: silentLogger,
    },
    { wanted: { taskIds: () => [], kept: { service: 's1' } }, options: { follow: false, stdout: true, stderr: true }, signal: new AbortController().signal },
  );
  const texts: string[] = [];
  const reading = async () => {
    for await (const chunk of logs) texts.push(Buffer.from(chunk.line).toString());
  };
  await assert.rejects(reading(), { message: /incomplete log stream\..+: node \w+ is not available/ });
  assert.deepEqual(
    texts,
    nodes.map(() => 'hello\n'),
  );
});
