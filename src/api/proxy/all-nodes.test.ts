import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import type { Control } from '#control/control.ts';
import type { Node } from '#domain/objects.ts';
import type { EngineLink, EngineRequest } from '#engine-link/connection.ts';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import { AppError } from '#lib/errors.ts';
import { aNode, createTestMembership } from '../fixtures.ts';
import type { RouteContext, RouteRequest } from '../route.ts';
import { createRouter } from '../router.ts';
import { type AllNodes, allNodesRoutes } from './all-nodes.ts';
import { openAllNodesEvents } from './all-nodes-events.ts';
import { createOtherEngines } from './other-engines.ts';

type Ask = (request: EngineRequest) => { readonly status: number; readonly body: unknown };

function nodeNamed(name: string, state: Node['status']['state'] = 'ready'): Node {
  const node = aNode({ state, availability: 'active' });
  return { ...node, id: `id-${name}`, ...(node.description === undefined ? {} : { description: { ...node.description, hostname: name } }) };
}

/** `engines`: what each node's answers; a node without one cannot be reached. */
function world(nodes: readonly Node[], engines: Readonly<Record<string, Ask>>, streamOf: (name: string) => Readable = () => Readable.from([])) {
  const links = new Map(
    Object.entries(engines).map(([name, ask]): [string, EngineLink] => [
      `id-${name}`,
      {
        request: (request: EngineRequest) => Promise.resolve({ headers: {}, ...ask(request) }),
        json: (request: EngineRequest) => Promise.resolve(request.path === '/networks' ? [] : ask(request).body),
        facts: () => Promise.resolve({ apiVersion: 41, minApiVersion: 12, pingHeaders: {} }),
        stream: () => Promise.resolve(streamOf(name)),
      } as unknown as EngineLink,
    ]),
  );
  const control = { nodes: { list: ({ id }: { id?: readonly string[] }) => nodes.filter((node) => id === undefined || id.includes(node.id)) } };
  const membership = { ...createTestMembership(), control: () => control as unknown as Control };
  const clock = createFakeClock();
  const all: AllNodes = {
    engineOf: (id) => Promise.resolve(links.get(id) ?? Promise.reject(new AppError('unavailable', 'no answer'))),
    others: createOtherEngines({ membership, onExec: () => {} }),
  };
  const own = { stream: () => Promise.resolve(Readable.from([])) } as unknown as EngineLink;
  const context: RouteContext = { membership, engine: own, log: silentLogger, clock };
  const requestOf = (method: string, path: string, query: Record<string, string> = {}): RouteRequest => ({
    method,
    path,
    params: {},
    query: new URLSearchParams(query),
    body: undefined,
    headers: {},
    apiVersion: 50,
    signal: new AbortController().signal,
    rawBody: Readable.from([]),
  });
  const router = createRouter(allNodesRoutes(all));
  async function ask(method: string, path: string, query: Record<string, string> = {}) {
    const result = await router.find(method, path)?.route.handler(requestOf(method, path, query), context);
    assert(result?.kind === 'json');
    return { value: result.value, missing: result.headers?.['X-Skep-Missing-Nodes'] };
  }
  return { ask, all, context, clock, requestOf };
}

const ok =
  (body: unknown): Ask =>
  () => ({ status: 200, body });

test('items of all nodes come in one list, each with where it lives, newest first', async () => {
  const { ask } = world([nodeNamed('n1'), nodeNamed('n2')], {
    n1: ok([{ Id: 'a', Created: 1, Labels: { x: 'y' } }]),
    n2: ok([{ Id: 'b', Created: 2, Labels: null }]),
  });
  const at = (name: string) => ({ Node: { ID: `id-${name}`, Name: name } });
  const expected = [
    { Id: 'b', Created: 2, Labels: { 'com.docker.swarm.node.name': 'n2' }, ...at('n2') },
    { Id: 'a', Created: 1, Labels: { x: 'y', 'com.docker.swarm.node.name': 'n1' }, ...at('n1') },
  ];
  assert.deepEqual(await ask('GET', '/images/json'), { value: expected, missing: undefined });
  assert.deepEqual(await ask('GET', '/containers/json'), { value: expected, missing: undefined });
  assert.deepEqual(((await ask('GET', '/containers/json', { limit: '1' })).value as readonly unknown[]).length, 1);
});

test('containers of tasks are told apart on every node', async () => {
  const task = (id: string) => ({ Id: id, Created: 1, Labels: { 'com.docker.swarm.task.id': id } });
  const { ask } = world([nodeNamed('n1'), nodeNamed('n2')], { n1: ok([task('a'), { Id: 'plain', Created: 3, Labels: {} }]), n2: ok([task('b')]) });
  const idsOf = async (isTask: string) => {
    const { value } = await ask('GET', '/containers/json', { filters: JSON.stringify({ 'is-task': [isTask] }) });
    return (value as readonly { readonly Id: string }[]).map(({ Id }) => Id).sort();
  };
  assert.deepEqual([await idsOf('true'), await idsOf('false')], [['a', 'b'], ['plain']]);
});

test('nodes that are down or do not answer are named, and hold up nobody', async () => {
  const { ask } = world([nodeNamed('n1'), nodeNamed('n2', 'down'), nodeNamed('n3')], { n1: ok({ Volumes: [{ Name: 'v' }], Warnings: null }) });
  const { value, missing } = await ask('GET', '/volumes');
  assert.equal(missing, 'n2 (down), n3 (no answer)');
  assert.deepEqual((value as { Warnings: unknown }).Warnings, ['node n2 does not answer: down', 'node n3 does not answer: no answer']);
});

test('the names of very many nodes that do not answer are cut, because no client takes a header of any length', async () => {
  const away = Array.from({ length: 1_000 }, (_, index) => nodeNamed(`node-number-${index}`, 'down'));
  const { missing = '' } = await world([nodeNamed('n1'), ...away], { n1: ok([]) }).ask('GET', '/images/json');
  assert(missing.startsWith('node-number-0 (down), ') && missing.endsWith('... (1000 nodes in all)') && missing.length < 10_000);
});

test('when no node can do it, an engine’s own words are the answer', async () => {
  const refused: Ask = () => ({ status: 400, body: { message: "invalid filter 'x'" } });
  const { ask } = world([nodeNamed('n1'), nodeNamed('n2')], { n1: refused, n2: refused });
  await assert.rejects(ask('GET', '/images/json'), { message: "invalid filter 'x'", httpStatus: 400 });
});

test('a node that never answers is not waited for longer than the time of a list', async () => {
  const { context, clock, all, requestOf } = world([nodeNamed('n1'), nodeNamed('n2')], { n1: ok([]) });
  const hanging = {
    request: ({ signal }: EngineRequest) =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason instanceof Error ? signal.reason : new Error('aborted')))),
  } as unknown as EngineLink;
  const router = createRouter(allNodesRoutes({ ...all, engineOf: (id) => (id === 'id-n2' ? Promise.resolve(hanging) : all.engineOf(id)) }));
  const answer = router.find('GET', '/images/json')?.route.handler(requestOf('GET', '/images/json'), context);
  await clock.advance(20_000);
  const result = await answer;
  assert(result?.kind === 'json');
  assert.equal(result.headers?.['X-Skep-Missing-Nodes'], 'n2 (it does not answer in time)');
});

test('disk usage is summed up, and each thing says where it is', async () => {
  const usage = (size: number) => ok({ LayersSize: size, Images: [{ Id: 'i' }], Containers: [], Volumes: null, BuildCache: [], BuilderSize: 1 });
  const { ask } = world([nodeNamed('n1'), nodeNamed('n2')], { n1: usage(10), n2: usage(5) });
  const value = (await ask('GET', '/system/df')).value as Record<string, readonly { Node: { Name: string } }[]>;
  assert.deepEqual([value['LayersSize'], value['BuilderSize'], value['Images']?.map(({ Node: { Name } }) => Name)], [15, 2, ['n1', 'n2']]);
});

test('a prune of volumes on all nodes removes anonymous ones only, also where the engine would remove more', async () => {
  const anonymous = 'f'.repeat(64);
  const deleted: string[] = [];
  const engine: Ask = ({ method, path }) => {
    if (method === 'DELETE') deleted.push(path);
    if (method === 'POST') assert.fail('the engine must not prune by itself');
    return { status: method === 'DELETE' ? 204 : 200, body: { Volumes: [{ Name: anonymous }, { Name: 'data' }] } };
  };
  const { ask } = world([nodeNamed('n1'), nodeNamed('n2')], { n1: engine, n2: engine });
  const { value } = await ask('POST', '/volumes/prune');
  assert.deepEqual(deleted, [`/volumes/${anonymous}`, `/volumes/${anonymous}`]);
  assert.deepEqual((value as { VolumesDeleted: unknown }).VolumesDeleted, [anonymous, anonymous]);
});

test('a prune of networks on all nodes spares what carries a swarm network there', async () => {
  const asked: string[] = [];
  const engine: Ask = ({ query }) => {
    asked.push(query?.get('filters') ?? '');
    return { status: 200, body: { NetworksDeleted: ['old'] } };
  };
  const { ask } = world([nodeNamed('n1')], { n1: engine });
  const { value } = await ask('POST', '/networks/prune', { filters: '{"label":{"a":true}}' });
  assert.deepEqual(asked, ['{"label":["a"],"label!":["com.docker.skep.network"]}']);
  assert.deepEqual((value as { NetworksDeleted: unknown }).NetworksDeleted, ['old']);
});

test('events of all nodes are one stream in order of time, each with its node and with all its digits', async () => {
  const event = (nanoseconds: string, attributes: string) => `{"Type":"container","Actor":{"ID":"c","Attributes":{${attributes}}},"timeNano":${nanoseconds}}\n`;
  const streams: Record<string, PassThrough> = { n1: new PassThrough(), n2: new PassThrough() };
  const { all, context, clock, requestOf } = world(
    [nodeNamed('n1'), nodeNamed('n2')],
    { n1: ok([]), n2: ok([]) },
    (name) => streams[name] ?? new PassThrough(),
  );
  const stop = new AbortController();
  const lines: string[] = [];
  const reading = (async () => {
    for await (const line of await openAllNodesEvents({ ...requestOf('GET', '/events'), signal: stop.signal }, context, all)) lines.push(line);
  })();
  await clock.settle();
  streams['n2']?.write(event('1700000000000000002', '"name":"x"'));
  streams['n1']?.write(event('1700000000000000001', ''));
  for (let round = 0; lines.length < 2 && round < 100; round++) await clock.advance(100);
  stop.abort();
  await reading;
  const node = (name: string) => `{"Node":{"ID":"id-${name}","Name":"${name}"},`;
  const label = (name: string) => `"com.docker.swarm.node.name":"${name}"`;
  assert.deepEqual(lines, [
    event('1700000000000000001', label('n1')).replace('{', node('n1')),
    event('1700000000000000002', `${label('n2')},"name":"x"`).replace('{', node('n2')),
  ]);
});

test('events that this node’s engine refuses are refused before the stream begins', async () => {
  const { all, context, requestOf } = world([nodeNamed('n1')], { n1: ok([]) });
  const refusing = { ...context, engine: { stream: () => Promise.reject(new AppError('invalidArgument', "invalid filter 'x'")) } as unknown as EngineLink };
  await assert.rejects(openAllNodesEvents(requestOf('GET', '/events'), refusing, all), { message: "invalid filter 'x'" });
  const worker: RouteContext = { ...context, membership: createTestMembership() };
  await assert.rejects(openAllNodesEvents(requestOf('GET', '/events'), worker, all), { message: /not a swarm manager/ });
});
