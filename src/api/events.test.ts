import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventLine, type EventMessage, matchesFilters, mayComeFromEngine, parseEventFilters, toEvent } from './events.ts';
import { aNode, aService } from './fixtures.ts';
import { makeNetwork } from '../../test/lib/swarm.ts';

const now = Date.UTC(2026, 10, 20, 12);

test('a new service is an event with its name, and the line is what dockerd writes', () => {
  const created = toEvent({ action: 'create', object: aService({ id: 's1', createdAt: now }) }, 0);
  assert.ok(created);
  assert.equal(
    eventLine(created),
    `{"Type":"service","Action":"create","Actor":{"ID":"s1","Attributes":{"name":"web"}},"scope":"swarm","time":${now / 1000},"timeNano":${now}000000}\n`,
  );
});

test('an update of a service names image, replicas and update state as they were and are', () => {
  const before = aService({ image: 'a:1', replicas: 1 });
  const after = aService({ image: 'a:2', replicas: 2, updateState: 'updating', updatedAt: now });
  assert.deepEqual(toEvent({ action: 'update', object: after, previous: before }, 0)?.Actor.Attributes, {
    'image.new': 'a:2',
    'image.old': 'a:1',
    name: 'web',
    'replicas.new': '2',
    'replicas.old': '1',
    'updatestate.new': 'updating',
  });
  const done = aService({ image: 'a:2', replicas: 2, updateState: 'completed' });
  assert.deepEqual(toEvent({ action: 'update', object: done, previous: after }, 0)?.Actor.Attributes, {
    name: 'web',
    'updatestate.new': 'completed',
    'updatestate.old': 'updating',
  });
});

test('an update of a node names what changed, and only the name when nothing that Docker tells did', () => {
  const before = aNode({ state: 'ready', availability: 'active' });
  const after = aNode({ state: 'down', availability: 'drain' });
  assert.deepEqual(toEvent({ action: 'update', object: after, previous: before }, 0)?.Actor.Attributes, {
    'availability.new': 'drain',
    'availability.old': 'active',
    name: 'n1',
    'state.new': 'down',
    'state.old': 'ready',
  });
  assert.deepEqual(toEvent({ action: 'update', object: before, previous: before }, 0)?.Actor.Attributes, { name: 'n1' });
});

test('an address that is given out in a network is no event, what becomes of the network is', () => {
  const fresh = makeNetwork('front');
  const state = { driver: { name: 'overlay' }, vxlanId: 4097, pools: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1' }] };
  const allocated = { ...fresh, version: 2, state };
  assert.equal(toEvent({ action: 'update', object: allocated, previous: fresh }, 0)?.Action, 'update');
  const given = { ...allocated, version: 3, updatedAt: now, state: { ...state, cursor: '10.0.1.2' } };
  assert.equal(toEvent({ action: 'update', object: given, previous: allocated }, 0), undefined);
  assert.equal(toEvent({ action: 'update', object: { ...given, spec: { ...given.spec, labels: { a: 'b' } } }, previous: allocated }, 0)?.Action, 'update');
});

test('what the managers note for themselves about a service is no event, what a user or an allocation does is one', () => {
  const before = { ...aService({}), version: 3 };
  const rollout = { specVersion: 3, startedAt: now, totalSlots: 1, failedTaskIds: [] };
  const silent = [
    { ...before, rollout },
    { ...before, restartedFor: now },
    { ...before, endpoint: { spec: {}, ports: [], virtualIps: [] } },
  ];
  for (const after of silent) assert.equal(toEvent({ action: 'update', object: { ...after, version: 4, updatedAt: now }, previous: before }, 0), undefined);
  const told = [
    { ...before, specVersion: 4 },
    { ...before, endpoint: { spec: {}, ports: [], virtualIps: [{ networkId: 'n', address: '10.0.1.2/24' }] } },
    { ...before, spec: { ...before.spec, labels: { a: 'b' } } },
  ];
  for (const after of told) assert.equal(toEvent({ action: 'update', object: after, previous: before }, 0)?.Action, 'update');
});

test('a removal has the time at which it was seen', () => {
  assert.equal(toEvent({ action: 'remove', object: aService({}) }, now)?.timeMs, now);
});

function event(fields: { Type?: string; Action?: string; name?: string; attributes?: Record<string, string> }): EventMessage {
  return {
    Type: fields.Type ?? 'service',
    Action: fields.Action ?? 'update',
    Actor: { ID: 'abc123', Attributes: { name: fields.name ?? 'web', ...fields.attributes } },
    scope: 'swarm',
    timeMs: now,
  };
}

test('filters compare as Docker does: exact types and scopes, prefixes of names and ids, every label', () => {
  const matches = (filters: unknown) => matchesFilters(event({ attributes: { tier: 'front' } }), parseEventFilters(JSON.stringify(filters)) ?? {});
  for (const passing of [
    {},
    { type: ['service'] },
    { type: { service: true, node: true } },
    { scope: ['swarm'] },
    { service: ['we'] },
    { service: ['abc'] },
    { event: ['update'] },
    { label: ['tier=front', 'name'] },
  ])
    assert.ok(matches(passing), JSON.stringify(passing));
  for (const failing of [
    { type: ['serv'] },
    { scope: ['local'] },
    { service: ['eb'] },
    { event: ['create'] },
    { label: ['tier=front', 'missing'] },
    { type: ['service'], service: ['db'] },
  ])
    assert.ok(!matches(failing), JSON.stringify(failing));
});

test('the engine is not asked for what only the swarm has', () => {
  assert.ok(mayComeFromEngine({}));
  assert.ok(mayComeFromEngine({ type: ['network'] }));
  assert.ok(!mayComeFromEngine({ type: ['service', 'node'] }));
  assert.ok(!mayComeFromEngine({ scope: ['swarm'] }));
});

test('filters that cannot be read are nobody’s', () => {
  assert.equal(parseEventFilters('{'), undefined);
  assert.deepEqual(parseEventFilters(null), {});
});
