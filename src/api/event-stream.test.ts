import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { aService } from './fixtures.ts';
import { answer, type Script } from './proxy/fake-engine.ts';
import { startTestApi, type TestApi, until } from './test-api.ts';

let api: TestApi;

const networks = [
  { Id: 'backing', Name: 'open', Labels: { 'com.docker.skep.network': 'swarmnet' } },
  { Id: 'plain', Name: 'local', Labels: null },
];

function engineLine(fields: { readonly type: string; readonly action: string; readonly id: string; readonly ms: number }): string {
  return `{"status":"x","Type":"${fields.type}","Action":"${fields.action}","Actor":{"ID":"${fields.id}","Attributes":{"name":"open","type":"skep"}},"scope":"local","time":1,"timeNano":${fields.ms}123456}\n`;
}

/** An engine that sends these lines and goes on, or ends when there is an `until`. */
function engineWith(lines: readonly string[]): Script {
  return (call) => {
    if (call.firstLine.includes('/networks')) return answer(call, '200 OK', JSON.stringify(networks));
    const ends = call.firstLine.includes('until=');
    call.socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`);
    for (const line of lines) call.socket.write(`${Buffer.byteLength(line).toString(16)}\r\n${line}\r\n`);
    if (ends) call.socket.write('0\r\n\r\n');
    call.socket.resume();
  };
}

const query = (filters: object) => `filters=${encodeURIComponent(JSON.stringify(filters))}`;
const typesIn = (text: string) => [...text.matchAll(/"Type":"(\w+)","Action":"(\w+)"/g)].map(([, type, action]) => `${type} ${action}`);

describe('GET /events', () => {
  afterEach(() => api.stop());

  it('sorts the past of the swarm into the past of the engine', async () => {
    api = await startTestApi(
      engineWith([engineLine({ type: 'container', action: 'start', id: 'a', ms: 1000 }), engineLine({ type: 'container', action: 'die', id: 'a', ms: 3000 })]),
    );
    api.membership.emit({ action: 'create', object: aService({ createdAt: 2000 }) });
    const { body } = await api.ask({ path: '/v1.41/events?since=0&until=5' });
    assert.deepEqual(typesIn(body.toString()), ['container start', 'service create', 'container die']);
    assert.ok(body.includes('"timeNano":1000123456'), 'the engine’s lines are passed on as they are');
  });

  it('leaves out what is before `since` and after `until`', async () => {
    api = await startTestApi(engineWith([]));
    for (const createdAt of [1000, 2000, 3000]) api.membership.emit({ action: 'create', object: aService({ createdAt, id: `s${createdAt}` }) });
    const { body } = await api.ask({ path: '/v1.41/events?since=1.5&until=2.5' });
    assert.deepEqual(
      [...body.toString().matchAll(/"ID":"(\w+)"/g)].map(([, id]) => id),
      ['s2000'],
    );
  });

  it('remembers the last 256 events of the swarm', async () => {
    api = await startTestApi(engineWith([]));
    for (let index = 1; index <= 300; index += 1) api.membership.emit({ action: 'create', object: aService({ createdAt: index, id: `s${index}` }) });
    const { body } = await api.ask({ path: `/v1.41/events?since=0&until=5&${query({ type: ['service'] })}` });
    assert.equal(typesIn(body.toString()).length, 256);
    assert.deepEqual(api.engine.calls, [], 'the engine is not asked for events of services');
  });

  it('sends live events of both as they come, filtered', async () => {
    api = await startTestApi(engineWith([engineLine({ type: 'container', action: 'start', id: 'a', ms: 1000 })]));
    const client = api.connect(`GET /v1.41/events?${query({ event: ['update', 'start'] })} HTTP/1.1\r\nHost: d\r\n\r\n`);
    await until('the engine’s event is there', () => client.received().includes('"start"'));
    api.membership.emit({ action: 'create', object: aService({}) }, { action: 'update', object: aService({ replicas: 2 }), previous: aService({}) });
    await until('the swarm’s event is there', () => client.received().includes('replicas.new'));
    assert.deepEqual(typesIn(client.received()), ['container start', 'service update']);
    client.socket.destroy();
    await until('the engine’s stream is cut with the client', () => api.engine.calls.every(({ socket }) => socket.readableEnded || socket.destroyed));
  });

  it('shows containers join the swarm’s network, and hides the engine’s network that carries it', async () => {
    const lines = ['create', 'connect', 'disconnect', 'destroy'].map((action, index) =>
      engineLine({ type: 'network', action, id: 'backing', ms: 1000 + index }),
    );
    api = await startTestApi(engineWith([...lines, engineLine({ type: 'network', action: 'create', id: 'plain', ms: 2000 })]));
    const { body } = await api.ask({ path: '/v1.41/events?since=0&until=5' });
    assert.deepEqual(typesIn(body.toString()), ['network connect', 'network disconnect', 'network create']);
    assert.match(body.toString(), /"ID":"swarmnet","Attributes":\{"name":"open","type":"overlay"\}\},"scope":"local","time":1,"timeNano":1001123456\}/);
  });

  it('ends at a time in the future', async () => {
    api = await startTestApi(engineWith([]));
    const end = api.clock.now() / 1000 + 10;
    const answered = api.ask({ path: `/v1.41/events?until=${end}&${query({ scope: ['swarm'] })}` });
    // The timer is set once the request has arrived.
    while (api.clock.nextDue() === undefined) await api.clock.settle();
    await api.clock.advance(10_000);
    assert.equal((await answered).body.length, 0);
  });

  it('lets go of the engine at a time in the future, even when the engine does not end its stream', async () => {
    api = await startTestApi((call) => {
      call.socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n');
      call.socket.resume();
    });
    const answered = api.ask({ path: `/v1.41/events?until=${api.clock.now() / 1000 + 10}` });
    await until('the engine is asked', () => api.engine.calls.length > 0);
    // The timers are set once the engine has answered.
    let isOver = false;
    void answered.then(() => (isOver = true));
    while (!isOver) await api.clock.advance(1_000);
    await until('the engine’s stream is cut', () => api.engine.calls.every(({ socket }) => socket.readableEnded || socket.destroyed));
  });

  it('refuses what the engine refuses, in its words', async () => {
    api = await startTestApi((call) => answer(call, '400 Bad Request', '{"message":"invalid filter"}'));
    const { status, json } = await api.ask({ path: '/v1.41/events?filters=nonsense' });
    assert.deepEqual([status, json], [400, { message: 'invalid filter' }]);
  });
});
