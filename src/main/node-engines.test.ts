// What these sockets lead to is tested with real engines (test/cluster).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { EngineLink } from '#engine-link/connection.ts';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock, createSeededRandom } from '#lib/testing/fake-clock.ts';
import { createNodeEngines } from './node-engines.ts';

test('a socket that could not be made once is made when the next one asks', async (context) => {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'skep-engines-'));
  context.after(() => rmSync(stateDirectory, { recursive: true, force: true }));
  const engines = createNodeEngines({
    stateDirectory,
    self: { nodeId: 'self', engine: {} as EngineLink, keptLogs: {} as EngineLink },
    requestTunnel: () => false,
    relay: () => undefined,
    nameOf: (nodeId) => `the node ${nodeId}`,
    clock: createFakeClock(),
    random: createSeededRandom(1),
    log: silentLogger,
  });
  // No folder can be made where a file is.
  writeFileSync(join(stateDirectory, 'nodes'), '');
  await assert.rejects(engines.linkTo('n1'), { code: 'unavailable', message: /^no socket can be made for node the node n1: / });
  rmSync(join(stateDirectory, 'nodes'));
  await engines.linkTo('n1');
  engines.close();
});
