import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import type { EngineLink } from '#engine-link/connection.ts';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import type { ManagerClient } from '#transport/client.ts';
import { createNodeTunnels } from './node-tunnels.ts';

class FakeCall extends EventEmitter {
  isCancelled = false;
  cancel(): void {
    this.isCancelled = true;
    this.emit('status', {});
  }
}

function setUp() {
  const clock = createFakeClock();
  const tls = { certificate: 'first', key: 'k', roots: 'r' };
  const log: string[] = [];
  const calls: FakeCall[] = [];
  const clientOf = (name: string) => {
    const openTunnel = (id: string) => {
      log.push(`${name} opens ${id}`);
      calls.push(new FakeCall());
      return calls.at(-1);
    };
    return { openTunnel, close: () => void log.push(`${name} closes`) } as unknown as ManagerClient;
  };
  // An engine that is away: what is joined to a tunnel is tested elsewhere.
  const link = { dial: () => Promise.reject(new Error('away')) } as unknown as EngineLink;
  const connect = (address: string, { certificate }: typeof tls) => clientOf(`${address} with the ${certificate}`);
  const tunnels = createNodeTunnels({ worker: { engine: link, keptLogs: link }, tls: () => ({ ...tls }), clock, connect });
  return { clock, tls, log, calls, tunnels, clientOf };
}

test('tunnels go to the manager that is named, over one connection, which ends half a minute after the last of them', async () => {
  const { clock, log, calls, tunnels, clientOf } = setUp();
  tunnels.open({ id: 'a', at: 'm1' });
  tunnels.open({ id: 'b', at: 'm1' });
  tunnels.open({ id: 'c' }, clientOf('the session'));
  assert.deepEqual(log, ['m1 with the first opens a', 'm1 with the first opens b', 'the session opens c']);
  await clock.settle();
  assert(
    calls.every(({ isCancelled }) => isCancelled),
    'without an engine they end at once',
  );
  await clock.advance(29_000);
  tunnels.open({ id: 'd', at: 'm1' });
  await clock.advance(29_000);
  assert.equal(log.length, 4);
  await clock.advance(2_000);
  assert.deepEqual(log.slice(3), ['m1 with the first opens d', 'm1 with the first closes']);
});

test('a new certificate means a new connection; the old one ends with its last tunnel', async () => {
  const { clock, tls, log, calls, tunnels } = setUp();
  tunnels.open({ id: 'a', at: 'm1' });
  tls.certificate = 'second';
  tunnels.open({ id: 'b', at: 'm1' });
  assert.deepEqual(log, ['m1 with the first opens a', 'm1 with the second opens b']);
  await clock.settle();
  assert.deepEqual(log.slice(2), ['m1 with the first closes']);
  assert.equal(calls.length, 2);
  tunnels.close();
  assert.deepEqual(log.slice(3), ['m1 with the second closes']);
});
