import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { rpcError } from '#lib/errors.ts';
import { startTestApi, type TestApi, until } from '../test-api.ts';
import { type ContainerNetworks, OWNER_LABEL } from './container-networks.ts';
import { answer, type EngineCall } from './fake-engine.ts';

let api: TestApi;
const asJson = { 'Content-Type': 'application/json' };

interface Asked {
  readonly what: string;
  readonly body: unknown;
}

/** An engine with fixed answers per request; what it was asked is noted, without its version. */
function engineWith(answers: Readonly<Record<string, readonly [string, unknown]>>, asked: Asked[]) {
  return (call: EngineCall): void => {
    const length = Number(call.headers['content-length'] ?? 0);
    const finish = (bytes: Buffer): void => {
      if (bytes.length < length) return void call.socket.once('data', (chunk: Buffer) => finish(Buffer.concat([bytes, chunk])));
      const what = decodeURIComponent(call.firstLine.replace(/\/v1\.\d+/, '').replace(/ HTTP.*/, ''));
      asked.push({ what, body: length > 0 ? (JSON.parse(bytes.toString()) as unknown) : undefined });
      const [status, body] = answers[what] ?? ['404 Not Found', { message: `page not found: ${what}` }];
      answer(call, status, body === undefined ? '' : JSON.stringify(body));
    };
    finish(call.rest);
  };
}

/** Two networks of the swarm: open can be attached to, closed cannot. */
function swarmNetworks(live: Map<string, { owner: string; networkId: string }>): ContainerNetworks {
  let count = 0;
  return {
    resolve: async (ref) => (ref === 'open' || ref === 'closed' ? { id: `${ref}-id`, name: ref } : undefined),
    async attach(network, owner, addresses) {
      if (network.name === 'closed') throw rpcError('permissionDenied', 'network closed not manually attachable');
      count += 1;
      live.set(`task${count}`, { owner, networkId: network.id });
      return { id: `task${count}`, engineNetwork: 'open-on-engine', ipv4Address: addresses[0] ?? `10.0.1.${count}`, dns: ['169.254.53.53'] };
    },
    async detach(id) {
      live.delete(id);
    },
    attachments: async () => [...live].map(([id, attachment]) => ({ id, ...attachment })),
  };
}

const networkList = [{ Id: 'e1', Name: 'open-on-engine', Labels: { 'com.docker.skep.network': 'open-id' } }];

describe('POST /containers/create', () => {
  afterEach(() => api.stop());

  async function create(body: object, answers: Record<string, readonly [string, unknown]>, live = new Map<string, { owner: string; networkId: string }>()) {
    const asked: Asked[] = [];
    api = await startTestApi(engineWith({ 'GET /events?filters={"type":["container"],"event":["destroy"]}': ['500 No', {}], ...answers }, asked), {
      containerNetworks: swarmNetworks(live),
    });
    const result = await api.ask({ method: 'POST', path: '/v1.50/containers/create?name=c', headers: asJson }, JSON.stringify(body));
    return { result, asked: asked.filter(({ what }) => !what.startsWith('GET /events')), live };
  }

  it('goes through byte for byte when there is nothing to translate', async () => {
    const { result, asked } = await create(
      { Image: 'x', HostConfig: { NetworkMode: 'bridge' } },
      { 'POST /containers/create?name=c': ['201 Created', { Id: 'c1', Warnings: [] }] },
    );
    assert.equal(result.status, 201);
    assert.deepEqual(asked, [{ what: 'POST /containers/create?name=c', body: { Image: 'x', HostConfig: { NetworkMode: 'bridge' } } }]);
  });

  it('connects the other networks before it answers', async () => {
    const body = { Image: 'x', HostConfig: { NetworkMode: 'a' }, NetworkingConfig: { EndpointsConfig: { a: {}, b: { Aliases: ['y'] } } } };
    const { result, asked } = await create(body, {
      'POST /containers/create?name=c': ['201 Created', { Id: 'c1', Warnings: ['w'] }],
      'POST /networks/b/connect': ['200 OK', undefined],
    });
    assert.deepEqual(result.json, { Id: 'c1', Warnings: ['w'] });
    assert.deepEqual(asked[1], { what: 'POST /networks/b/connect', body: { Container: 'c1', EndpointConfig: { Aliases: ['y'] } } });
  });

  it('removes the container again when a network refuses it, and says why in the engine’s words', async () => {
    const body = { Image: 'x', HostConfig: { NetworkMode: 'open' }, NetworkingConfig: { EndpointsConfig: { open: {}, b: {} } } };
    const { result, asked, live } = await create(body, {
      'POST /containers/create?name=c': ['201 Created', { Id: 'c1', Warnings: [] }],
      'POST /networks/b/connect': ['404 Not Found', { message: 'network b not found' }],
      'DELETE /containers/c1?v=1&force=1': ['204 No Content', undefined],
    });
    assert.deepEqual([result.status, result.json], [404, { message: 'network b not found' }]);
    assert.equal(asked.at(-1)?.what, 'DELETE /containers/c1?v=1&force=1');
    assert.equal(live.size, 0);
  });

  it('puts a swarm network’s stand-in and the swarm’s address into the request', async () => {
    const body = { Image: 'x', Labels: { a: 'b' }, HostConfig: { NetworkMode: 'open' }, NetworkingConfig: { EndpointsConfig: { open: { Aliases: ['y'] } } } };
    const { asked, live } = await create(body, { 'POST /containers/create?name=c': ['201 Created', { Id: 'c1', Warnings: [] }] });
    const [owner] = [...live.values()].map((attachment) => attachment.owner);
    assert.deepEqual(asked[0]?.body, {
      Image: 'x',
      Labels: { a: 'b', [OWNER_LABEL]: owner },
      HostConfig: { NetworkMode: 'open-on-engine', Dns: ['169.254.53.53'] },
      NetworkingConfig: { EndpointsConfig: { 'open-on-engine': { Aliases: ['y'], IPAMConfig: { IPv4Address: '10.0.1.1' } } } },
    });
  });

  it('adds the endpoint that a client only named as the network mode, and keeps the user’s name servers', async () => {
    const { asked } = await create(
      { HostConfig: { NetworkMode: 'open', Dns: ['1.1.1.1'] } },
      { 'POST /containers/create?name=c': ['201 Created', { Id: 'c1', Warnings: [] }] },
    );
    const sent = asked[0]?.body as { HostConfig: object; NetworkingConfig: object };
    assert.deepEqual(sent.HostConfig, { NetworkMode: 'open-on-engine', Dns: ['1.1.1.1'] });
    assert.deepEqual(sent.NetworkingConfig, { EndpointsConfig: { 'open-on-engine': { IPAMConfig: { IPv4Address: '10.0.1.1' } } } });
  });

  it('releases the address when the engine refuses, and passes its refusal on', async () => {
    const { result, live } = await create(
      { HostConfig: { NetworkMode: 'open' } },
      { 'POST /containers/create?name=c': ['409 Conflict', { message: 'Conflict. The container name "/c" is already in use' }] },
    );
    assert.deepEqual([result.status, result.json], [409, { message: 'Conflict. The container name "/c" is already in use' }]);
    assert.equal(live.size, 0);
  });

  it('says in Docker’s words that a network is not attachable, and asks the engine nothing', async () => {
    const { result, asked, live } = await create({ HostConfig: { NetworkMode: 'open' }, NetworkingConfig: { EndpointsConfig: { open: {}, closed: {} } } }, {});
    assert.deepEqual(result.json, {
      message: 'Could not attach to network closed: rpc error: code = PermissionDenied desc = network closed not manually attachable',
    });
    assert.deepEqual([result.status, asked, live.size], [500, [], 0]);
  });

  it('tells of what an older engine leaves out as a warning', async () => {
    const { result } = await create({ Healthcheck: { StartInterval: 5 } }, { 'POST /containers/create?name=c': ['201 Created', { Id: 'c1', Warnings: null }] });
    assert.deepEqual(result.json, {
      Id: 'c1',
      Warnings: ['Healthcheck.StartInterval was ignored: it needs an engine with API 1.44 or newer; the engine of this node has 1.41'],
    });
  });
});

describe('other routes of the engine that need help', () => {
  afterEach(() => api.stop());

  async function start(answers: Record<string, readonly [string, unknown]>, containerNetworks?: ContainerNetworks): Promise<Asked[]> {
    const asked: Asked[] = [];
    api = await startTestApi(engineWith(answers, asked), containerNetworks ? { containerNetworks } : {});
    return asked;
  }

  const anonymous = 'f'.repeat(64);

  it('prunes only anonymous volumes for a client that means only these', async () => {
    const asked = await start({
      'GET /volumes?filters={"dangling":["true"]}': [
        '200 OK',
        {
          Volumes: [
            { Name: 'precious', Labels: null },
            { Name: anonymous, Labels: null },
          ],
        },
      ],
      'GET /system/df': ['200 OK', { Volumes: [{ Name: anonymous, UsageData: { Size: 42 } }] }],
      [`DELETE /volumes/${anonymous}`]: ['204 No Content', undefined],
    });
    const { json } = await api.ask({ method: 'POST', path: '/v1.50/volumes/prune' });
    assert.deepEqual(json, { VolumesDeleted: [anonymous], SpaceReclaimed: 42 });
    assert.ok(!asked.some(({ what }) => what.startsWith('POST') || what.includes('precious')));
  });

  it('prunes all volumes with the filter that says so, which the engine does not know', async () => {
    const asked = await start({ 'POST /volumes/prune?filters={"label":["a"]}': ['200 OK', { VolumesDeleted: [], SpaceReclaimed: 0 }] });
    await api.ask({ method: 'POST', path: `/v1.50/volumes/prune?filters=${encodeURIComponent('{"all":{"true":true},"label":{"a":true}}')}` });
    assert.equal(asked[0]?.what, 'POST /volumes/prune?filters={"label":["a"]}');
  });

  it('leaves an old client’s prune to the engine', async () => {
    const asked = await start({ 'POST /volumes/prune': ['200 OK', {}] });
    await api.ask({ method: 'POST', path: '/v1.41/volumes/prune' });
    assert.deepEqual(
      asked.map(({ what }) => what),
      ['POST /volumes/prune'],
    );
  });

  it('stops with the signal that was asked for', async () => {
    const asked = await start({
      'GET /containers/c/json': ['200 OK', { State: { Running: true }, Config: {} }],
      'POST /containers/c/kill?signal=SIGINT': ['204 No Content', undefined],
      'POST /containers/c/wait': ['200 OK', { StatusCode: 0 }],
    });
    const { status } = await api.ask({ method: 'POST', path: '/v1.50/containers/c/stop?signal=SIGINT&t=5' });
    assert.equal(status, 204);
    assert.deepEqual(
      asked.slice(1).map(({ what }) => what),
      ['POST /containers/c/kill?signal=SIGINT', 'POST /containers/c/wait'],
    );
  });

  it('leaves a stop without a signal to the engine', async () => {
    const asked = await start({ 'POST /containers/c/stop?t=5': ['304 Not Modified', undefined] });
    const { status } = await api.ask({ method: 'POST', path: '/v1.50/containers/c/stop?t=5' });
    assert.equal(status, 304);
    assert.deepEqual(
      asked.map(({ what }) => what),
      ['POST /containers/c/stop?t=5'],
    );
  });

  it('shows containers on the swarm’s network by its name and id', async () => {
    const container = {
      Id: 'c',
      HostConfig: { NetworkMode: 'open-on-engine' },
      NetworkSettings: { Networks: { 'open-on-engine': { NetworkID: 'e1', IPAddress: '10.0.1.1' }, bridge: { NetworkID: 'b1' } } },
    };
    await start({
      'GET /networks': ['200 OK', networkList],
      'GET /containers/c/json': ['200 OK', container],
      'GET /containers/json?all=1': ['200 OK', [container]],
    });
    const shown = {
      Id: 'c',
      HostConfig: { NetworkMode: 'open-on-engine' },
      NetworkSettings: { Networks: { 'open-on-engine': { NetworkID: 'open-id', IPAddress: '10.0.1.1' }, bridge: { NetworkID: 'b1' } } },
    };
    assert.deepEqual((await api.ask({ path: '/v1.41/containers/c/json' })).json, shown);
    assert.deepEqual((await api.ask({ path: '/v1.41/containers/json?all=1' })).json, [shown]);
  });

  it('names the swarm’s network of a container that has never run, which has no id of it yet', async () => {
    const networks = { 'open-on-engine': { NetworkID: '', Aliases: ['x'] }, bridge: { NetworkID: '' } };
    await start(
      { 'GET /networks': ['200 OK', networkList], 'GET /containers/c/json': ['200 OK', { Id: 'c', NetworkSettings: { Networks: networks } }] },
      swarmNetworks(new Map()),
    );
    const { json: shown } = await api.ask({ path: '/v1.41/containers/c/json' });
    const shownNetworks = (shown as { NetworkSettings: { Networks: Record<string, { NetworkID: string }> } }).NetworkSettings.Networks;
    assert.deepEqual(
      Object.values(shownNetworks).map(({ NetworkID }) => NetworkID),
      ['open-id', ''],
    );
  });

  it('lists what is no task without the engine’s help', async () => {
    const list = [
      { Id: 't', Labels: { 'com.docker.swarm.task.id': 't1' } },
      { Id: 'c', Labels: {} },
    ];
    await start({ 'GET /containers/json?all=1&filters={}': ['200 OK', list] });
    const { json: shown } = await api.ask({ path: '/v1.41/containers/json?all=1&filters=%7B%22is-task%22%3A%5B%22false%22%5D%7D' });
    assert.deepEqual(shown, [{ Id: 'c', Labels: {} }]);
  });

  it('connects and disconnects a container of a swarm network', async () => {
    const live = new Map<string, { owner: string; networkId: string }>();
    const asked = await start(
      {
        'GET /networks': ['200 OK', networkList],
        'GET /containers/name/json': ['200 OK', { Id: 'full-id', Config: { Labels: {} } }],
        'POST /networks/open-on-engine/connect': ['200 OK', undefined],
        'POST /networks/open-on-engine/disconnect': ['200 OK', undefined],
      },
      swarmNetworks(live),
    );
    await api.ask(
      { method: 'POST', path: '/v1.50/networks/open/connect', headers: asJson },
      '{"Container":"name","EndpointConfig":{"IPAMConfig":{"IPv4Address":"10.0.1.77"}}}',
    );
    assert.deepEqual([...live.values()], [{ owner: 'full-id', networkId: 'open-id' }]);
    assert.deepEqual(asked.find(({ what }) => what.endsWith('/connect'))?.body, {
      Container: 'name',
      EndpointConfig: { IPAMConfig: { IPv4Address: '10.0.1.77' } },
    });
    await api.ask({ method: 'POST', path: '/v1.50/networks/open/disconnect', headers: asJson }, '{"Container":"name"}');
    assert.equal(live.size, 0);
  });

  /** A container "name" that is on the network open with the alias old and the address 10.0.1.5. */
  async function connectAgain(isRunning: boolean, endpoint: object, connected: readonly [string, unknown] = ['200 OK', undefined]) {
    const live = new Map([['held', { owner: 'by-label', networkId: 'open-id' }]]);
    const networks = { 'open-on-engine': { Aliases: ['old'], IPAMConfig: { IPv4Address: '10.0.1.5' } } };
    const labels = { [OWNER_LABEL]: 'by-label' };
    const asked = await start(
      {
        'GET /networks': ['200 OK', networkList],
        'GET /containers/name/json': [
          '200 OK',
          { Id: 'full-id', Name: '/name', State: { Running: isRunning }, Config: { Labels: labels }, NetworkSettings: { Networks: networks } },
        ],
        'POST /networks/open-on-engine/disconnect': ['200 OK', undefined],
        'POST /networks/open-on-engine/connect': connected,
      },
      swarmNetworks(live),
    );
    const body = JSON.stringify({ Container: 'name', EndpointConfig: endpoint });
    const result = await api.ask({ method: 'POST', path: '/v1.41/networks/open/connect', headers: asJson }, body);
    return { result, live, asked: asked.filter(({ what }) => what.startsWith('POST')) };
  }

  it('refuses in Docker’s words to connect a running container to a network that it is on', async () => {
    const { result, live, asked } = await connectAgain(true, { Aliases: ['new'] });
    assert.deepEqual([result.status, result.json], [409, { message: 'name is already attached to network open' }]);
    assert.deepEqual([[...live.keys()], asked], [['held'], []]);
  });

  it('takes new settings for the old ones of a container that does not run, and keeps its address', async () => {
    const { result, live, asked } = await connectAgain(false, { Aliases: ['new'] });
    assert.equal(result.status, 200);
    assert.deepEqual(asked, [
      { what: 'POST /networks/open-on-engine/disconnect', body: { Container: 'name' } },
      {
        what: 'POST /networks/open-on-engine/connect',
        body: { Container: 'name', EndpointConfig: { Aliases: ['new'], IPAMConfig: { IPv4Address: '10.0.1.5' } } },
      },
    ]);
    assert.deepEqual([...live.keys()], ['held']);
  });

  it('gives a container that does not run another address when it is asked for one, and releases the old', async () => {
    const { live, asked } = await connectAgain(false, { IPAMConfig: { IPv4Address: '10.0.1.9' } });
    assert.deepEqual(asked.at(-1)?.body, { Container: 'name', EndpointConfig: { IPAMConfig: { IPv4Address: '10.0.1.9' } } });
    assert.deepEqual([...live.values()], [{ owner: 'full-id', networkId: 'open-id' }]);
  });

  it('connects a container as it was when the engine refuses the new settings', async () => {
    const refused = ['400 Bad Request', { message: 'invalid endpoint settings' }] as const;
    const { result, live, asked } = await connectAgain(false, { IPAMConfig: { IPv4Address: '10.0.1.9' } }, refused);
    assert.deepEqual([result.status, result.json], [400, { message: 'invalid endpoint settings' }]);
    assert.deepEqual(asked.at(-1)?.body, { Container: 'name', EndpointConfig: { Aliases: ['old'], IPAMConfig: { IPv4Address: '10.0.1.5' } } });
    assert.deepEqual([...live.keys()], ['held']);
  });

  it('releases attachments of containers that are not there any more', async () => {
    const live = new Map([
      ['task1', { owner: 'gone', networkId: 'open-id' }],
      ['task2', { owner: 'by-label', networkId: 'open-id' }],
      ['task3', { owner: 'by-id', networkId: 'open-id' }],
    ]);
    await start(
      {
        'GET /containers/json?all=1': [
          '200 OK',
          [
            { Id: 'x', Labels: { [OWNER_LABEL]: 'by-label' } },
            { Id: 'by-id', Labels: null },
          ],
        ],
      },
      swarmNetworks(live),
    );
    await api.clock.advance(10_000);
    await until('the one without a container is released', () => live.size === 2);
    assert.deepEqual([...live.keys()], ['task2', 'task3']);
  });
});
