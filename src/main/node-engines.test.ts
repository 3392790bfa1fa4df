// What these sockets lead to is tested with real engines (test/cluster).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import type { EngineLink } from '#engine-link/connection.ts';
import { AppError } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock, createSeededRandom } from '#lib/testing/fake-clock.ts';
import { until } from '../../test/lib/namespace.ts';
import type { TunnelTarget } from '#protocol/messages.ts';
import type { TunnelCall } from '#transport/tunnel.ts';
import { createNodeEngines, type Leads, type NodeEngines } from './node-engines.ts';

test('a socket that could not be made once is made when the next one asks', async (context) => {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'skep-engines-'));
  context.after(() => rmSync(stateDirectory, { recursive: true, force: true }));
  const engines = createNodeEngines({
    stateDirectory,
    self: { nodeId: 'self', engine: {} as EngineLink, keptLogs: {} as EngineLink },
    leader: () => undefined,
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

/** A manager that asks `leads`, and what it is asked for. */
function setUp(context: TestContext, leads: Leads) {
  const stateDirectory = mkdtempSync(join(tmpdir(), 'skep-engines-'));
  const clock = createFakeClock();
  const self = { nodeId: 'self', engine: {} as EngineLink, keptLogs: {} as EngineLink };
  const engines: NodeEngines = createNodeEngines({
    ...{ stateDirectory, self, leader: () => leads, nameOf: (id) => id, clock, random: createSeededRandom(1), log: silentLogger },
  });
  context.after(() => {
    engines.close();
    rmSync(stateDirectory, { recursive: true, force: true });
  });
  return { clock, engines };
}

/** A tunnel that answers with its name. */
function aTunnel(name: string): TunnelCall {
  const call = new Duplex({ objectMode: true, read() {}, write: (_chunk, _encoding, done) => done() });
  call.push(Buffer.from(`\0${name}`));
  return Object.assign(call, { cancel: () => call.destroy() }) as unknown as TunnelCall;
}

async function firstWord(engines: NodeEngines, nodeId: string): Promise<string> {
  const socket = await (await engines.linkTo(nodeId)).dial();
  const word = await new Promise<string>((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    // Half-open: nothing but its end is seen of one that the other side destroyed.
    socket.once('end', () => resolve('closed'));
  });
  socket.destroy();
  return word;
}

test('a manager that leads has the node come to it on a way of its own, and one that does not has the leader ask for that', async (context) => {
  const asked: unknown[] = [];
  const requestTunnel = (nodeId: string, id: string, to: TunnelTarget, at?: string) => {
    asked.push([nodeId, to, at]);
    leading.engines.accept(nodeId, id, aTunnel('direct'));
    return true;
  };
  const leading = setUp(context, { dispatcher: { requestTunnel }, at: '192.0.2.1:2377' });
  assert.equal(await firstWord(leading.engines, 'n1'), 'direct');
  assert.deepEqual(asked, [['n1', 'engine', '192.0.2.1:2377']]);
  const askTunnel = async (nodeId: string, id: string) => following.engines.accept(nodeId, id, aTunnel('asked for'));
  const following = setUp(context, { askTunnel, openRelay: () => assert.fail('no relay is needed') });
  assert.equal(await firstWord(following.engines, 'n1'), 'asked for');
});

test('a node that does not come is reached through the leader, and is not waited for again for a minute', async (context) => {
  let asked = 0;
  const openRelay = () => aTunnel('relayed') as ReturnType<Extract<Leads, { askTunnel: unknown }>['openRelay']>;
  const askTunnel = async () => void asked++;
  const { engines, clock } = setUp(context, { askTunnel, openRelay });
  const first = firstWord(engines, 'n1');
  await until('it is asked for', () => asked === 1);
  await clock.advance(2_600);
  assert.deepEqual([await first, await firstWord(engines, 'n1'), asked], ['relayed', 'relayed', 1]);
  await clock.advance(60_000);
  const later = firstWord(engines, 'n1');
  await until('it is asked for again', () => asked === 2);
  await clock.advance(2_600);
  assert.equal(await later, 'relayed');
});

test('a leader that has no session of the node says so at once, and one that is older is used as a relay', async (context) => {
  const failing = (code: 'unavailable' | 'unimplemented') => {
    const openRelay = () => aTunnel('relayed') as ReturnType<Extract<Leads, { askTunnel: unknown }>['openRelay']>;
    return setUp(context, { askTunnel: () => Promise.reject(new AppError(code, 'no')), openRelay }).engines;
  };
  assert.equal(await firstWord(failing('unavailable'), 'n1'), 'closed');
  assert.equal(await firstWord(failing('unimplemented'), 'n1'), 'relayed');
});

test('nothing stays of a node that is no member any more', async (context) => {
  const { engines } = setUp(context, { askTunnel: async () => {}, openRelay: () => assert.fail('nobody asks') });
  const [gone, other] = [await engines.linkTo('n1'), await engines.linkTo('n2')];
  engines.forget('n1');
  engines.forget('unheard-of');
  await assert.rejects(gone.dial(), { code: 'unavailable' });
  assert.notEqual(await engines.linkTo('n1'), gone);
  assert.equal(await engines.linkTo('n2'), other);
});
