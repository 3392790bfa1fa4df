import assert from 'node:assert/strict';
import { after, before, describe, it, test } from 'node:test';
import { AppError } from '#lib/errors.ts';
import { createTestMembership } from './fixtures.ts';
import { answer } from './proxy/fake-engine.ts';
import { empty, json, jsonText, type Route, type RouteContext, type RouteRequest, toEngine } from './route.ts';
import { systemRoutes } from './system.ts';
import { startTestApi, type TestApi, until } from './test-api.ts';

const asJson = { 'Content-Type': 'application/json' };
let lastRequest: RouteRequest;
let streamEnded = false;

async function* ticks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield Buffer.from('one ');
    yield Buffer.from('two ');
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  } finally {
    streamEnded = true;
  }
}

const routes: readonly Route[] = [
  {
    method: 'POST',
    path: '/things/{id}/update',
    handler(request) {
      lastRequest = request;
      return json({ got: request.body ?? null });
    },
  },
  { method: 'GET', path: '/things', handler: () => jsonText('[1,2]') },
  { method: 'DELETE', path: '/things/{id}', handler: () => empty(204) },
  { method: 'POST', path: '/things/leave', handler: () => empty() },
  {
    method: 'GET',
    path: '/things/{id}',
    handler(request) {
      if (request.params['id'] === 'bug') throw new TypeError('a bug');
      throw new AppError('notFound', `thing ${request.params['id']} not found`);
    },
  },
  { method: 'GET', path: '/things/{id}/logs', handler: ({ signal }) => ({ kind: 'stream', status: 200, contentType: 'text/plain', body: ticks(signal) }) },
  {
    method: 'POST',
    path: '/things/create',
    handler: ({ query }) => (query.has('other') ? toEngine({ path: '/others/create', query: new URLSearchParams({ a: 'b c' }), body: { x: 1 } }) : toEngine()),
  },
];

describe('our own routes', () => {
  let api: TestApi;
  const bodies: string[] = [];

  before(async () => {
    api = await startTestApi(
      (call) => {
        bodies.push(call.rest.toString());
        if (call.firstLine.includes('/info'))
          return answer(call, '200 OK', JSON.stringify({ ID: 'engine', Swarm: { LocalNodeState: 'inactive' }, Containers: 3 }));
        answer(call, '201 Created', '{"by":"engine"}');
      },
      {
        routes,
        membership: createTestMembership({
          state: 'active',
          controlAvailable: true,
          nodeId: 'n',
          nodeAddress: '10.0.0.1',
          remoteManagers: [{ nodeId: 'n', address: '10.0.0.1:2377' }],
          nodes: 1,
          managers: 1,
        }),
      },
    );
  });
  after(() => api.stop());

  it('answers with Docker’s headers and a newline behind JSON', async () => {
    const { status, headers, body } = await api.ask({ path: '/v1.41/things' });
    assert.equal(status, 200);
    assert.equal(body.toString(), '[1,2]\n');
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers['api-version'], '1.50');
    assert.equal(headers['docker-experimental'], 'false');
    assert.equal(headers['ostype'], 'linux');
    assert.equal(headers['server'], 'Skep/1.2.3 (linux)');
  });

  it('gives a handler the request’s parts', async () => {
    const { json: value } = await api.ask({ method: 'POST', path: '/v1.30/things/a%20b/update?version=7', headers: asJson }, '{"Name":"x"}');
    assert.deepEqual(value, { got: { Name: 'x' } });
    assert.deepEqual(
      [lastRequest.params, lastRequest.query.get('version'), lastRequest.apiVersion, lastRequest.path],
      [{ id: 'a b' }, '7', 30, '/things/a%20b/update'],
    );
  });

  it('takes no body and null for nothing', async () => {
    for (const body of [undefined, 'null'])
      assert.deepEqual((await api.ask({ method: 'POST', path: '/things/a/update', headers: body ? asJson : {} }, body)).json, { got: null });
  });

  it('refuses other content types and broken JSON in Docker’s words', async () => {
    const refused = async (headers: Record<string, string>, body: string) => (await api.ask({ method: 'POST', path: '/things/a/update', headers }, body)).json;
    assert.deepEqual(await refused({ 'Content-Type': 'text/plain' }, '{}'), {
      message: "unsupported Content-Type header (text/plain): must be 'application/json'",
    });
    assert.deepEqual(await refused({}, '{}'), { message: 'malformed Content-Type header (): mime: no media type' });
    assert.deepEqual(await refused(asJson, '{bad'), { message: "invalid JSON: invalid character 'b' looking for beginning of object key string" });
    assert.deepEqual(await refused({ 'Content-Type': 'application/json; charset=utf-8' }, '{}'), { got: {} });
  });

  it('takes JSON of any content type from clients of the API before 1.42, and tells them what is wrong with it in the words of that time', async () => {
    const answered = async (version: string, body: string) =>
      (await api.ask({ method: 'POST', path: `/${version}/things/a/update`, headers: { 'Content-Type': 'text/plain; charset=UTF-8' } }, body)).json;
    assert.deepEqual(await answered('v1.41', '{"a":1}'), { got: { a: 1 } });
    assert.deepEqual(await answered('v1.30', '{bad'), { message: "invalid character 'b' looking for beginning of object key string" });
    assert.deepEqual(await answered('v1.42', '{}'), {
      message: "unsupported Content-Type header (text/plain; charset=UTF-8): must be 'application/json'",
    });
  });

  it('answers without a body as Docker does', async () => {
    const removed = await api.ask({ method: 'DELETE', path: '/things/a' });
    assert.deepEqual([removed.status, removed.headers['content-length'], removed.body.length], [204, undefined, 0]);
    const left = await api.ask({ method: 'POST', path: '/things/leave' });
    assert.deepEqual([left.status, left.headers['content-length'], left.body.length], [200, '0', 0]);
  });

  it('tells errors with their status, and bugs as 500', async () => {
    const missing = await api.ask({ path: '/things/x' });
    assert.deepEqual([missing.status, missing.json], [404, { message: 'thing x not found' }]);
    const bug = await api.ask({ path: '/things/bug' });
    assert.deepEqual([bug.status, bug.json], [500, { message: 'a bug' }]);
  });

  it('tells versions that are too old in plain text', async () => {
    const { status, headers, body } = await api.ask({ path: '/v1.12/things' });
    assert.deepEqual([status, headers['content-type']], [400, 'text/plain; charset=utf-8']);
    assert.match(body.toString(), /^client version 1\.12 is too old\. .*\n$/);
    assert.deepEqual((await api.ask({ path: '/v1.99/_ping' })).json, { message: 'client version 1.99 is too new. Maximum supported API version is 1.50' });
  });

  it('flushes a stream as it grows, and ends it when the client goes', async () => {
    const client = api.connect('GET /things/a/logs HTTP/1.1\r\nHost: d\r\n\r\n');
    await until('both chunks are there', () => client.received().includes('two '));
    client.socket.destroy();
    await until('the source is told', () => streamEnded);
  });

  it('hands over to the engine, the body as it came or replaced', async () => {
    bodies.length = 0;
    assert.deepEqual((await api.ask({ method: 'POST', path: '/v1.50/things/create', headers: asJson }, '{"a" : 1}')).json, { by: 'engine' });
    await api.ask({ method: 'POST', path: '/v1.50/things/create?other=1', headers: asJson }, '{"a" : 1}');
    assert.deepEqual(
      api.engine.calls.slice(-2).map(({ firstLine }) => firstLine),
      ['POST /v1.41/things/create HTTP/1.1', 'POST /v1.41/others/create?a=b+c HTTP/1.1'],
    );
    assert.deepEqual(bodies, ['{"a" : 1}', '{"x":1}']);
  });

  it('pings with what a client decides by', async () => {
    const { status, headers, body } = await api.ask({ path: '/_ping' });
    assert.deepEqual([status, body.toString()], [200, 'OK']);
    assert.deepEqual(
      [headers['api-version'], headers['swarm'], headers['cache-control'], headers['pragma']],
      ['1.50', 'active/manager', 'no-cache, no-store, must-revalidate', 'no-cache'],
    );
    assert.equal((await api.ask({ method: 'HEAD', path: '/v1.41/_ping' })).body.length, 0);
  });

  it('puts the swarm’s block into the engine’s info', async () => {
    const { json: info } = await api.ask({ path: '/v1.41/info' });
    assert.deepEqual(info, {
      ID: 'engine',
      Swarm: {
        NodeID: 'n',
        NodeAddr: '10.0.0.1',
        LocalNodeState: 'active',
        ControlAvailable: true,
        Error: '',
        RemoteManagers: [{ NodeID: 'n', Addr: '10.0.0.1:2377' }],
        Nodes: 1,
        Managers: 1,
      },
      Containers: 3,
    });
  });

  it('adds what is to be warned of in its own addresses to the engine’s warnings', async () => {
    const warning = 'WARNING: API is accessible on http://0.0.0.0:2375 without encryption.';
    const [, , , route] = systemRoutes({ version: '1', gitCommit: 'a' }, () => [warning]);
    const request = { apiVersion: 50, signal: new AbortController().signal } as RouteRequest;
    const context = { membership: createTestMembership(), engine: { json: async () => ({ ID: 'e', Warnings: ['no swap'] }) } } as unknown as RouteContext;
    const answer = await route?.handler(request, context);
    assert.ok(answer?.kind === 'json' && route?.path === '/info');
    assert.deepEqual((answer.value as { Warnings: unknown }).Warnings, ['no swap', warning]);
  });

  it('tells of the swarm while the engine is away, with what the engine last said', async () => {
    const [, , , route] = systemRoutes({ version: '1', gitCommit: 'a' }, () => []);
    let isAway = true;
    const ask = () => (isAway ? Promise.reject(new AppError('unavailable', 'Cannot connect')) : Promise.resolve({ ID: 'e' }));
    const context = { membership: createTestMembership({ nodeId: 'n' }), engine: { json: ask } } as unknown as RouteContext;
    const info = async () => await route?.handler({ apiVersion: 50, signal: new AbortController().signal } as RouteRequest, context);
    await assert.rejects(info, { code: 'unavailable' }, 'nothing is known of it yet');
    isAway = false;
    assert.equal((await info())?.kind, 'json');
    isAway = true;
    const answer = await info();
    assert.ok(answer?.kind === 'json');
    const { ID, Swarm, Warnings } = answer.value as { ID: string; Swarm: { NodeID: string }; Warnings: string[] };
    assert.deepEqual([ID, Swarm.NodeID, Warnings], ['e', 'n', ['WARNING: Cannot connect. What is shown of the engine is what it last said.']]);
  });

  it('names itself beside the engine in version', async () => {
    const { json: version } = await api.ask({ path: '/v1.41/version' });
    assert.deepEqual(version, {
      ApiVersion: '1.50',
      MinAPIVersion: '1.24',
      Version: '20.10.24',
      Components: [
        { Name: 'Engine', Version: '20.10.24', Details: { ApiVersion: '1.50', MinAPIVersion: '1.24' } },
        { Name: 'Skep', Version: '1.2.3', Details: { GitCommit: 'abc', EngineApiVersion: '1.41' } },
      ],
    });
  });
});

test('a ping is answered although the engine is away', async () => {
  const api = await startTestApi(() => {});
  await api.engine.down();
  const { status, headers } = await api.ask({ path: '/_ping' });
  assert.deepEqual([status, headers['swarm']], [200, 'inactive']);
  await api.stop();
});
