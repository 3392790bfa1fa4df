import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Control } from '#control/control.ts';
import type { Network } from '#domain/objects.ts';
import { createTestMembership } from '../fixtures.ts';
import { answer } from '../proxy/fake-engine.ts';
import { startTestApi, type TestApi } from '../test-api.ts';
import { networkRoutes } from './networks.ts';

const net: Network = {
  kind: 'network',
  id: 'netid',
  version: 1,
  createdAt: 0,
  updatedAt: 0,
  spec: { name: 'app', labels: {}, attachable: false, ingress: false, internal: false, ipv6: false },
  state: { driver: { name: 'overlay' }, pools: [] },
} as unknown as Network;

let api: TestApi;

/** A manager's API in front of an engine; returns what was created and removed. */
async function start(): Promise<{ readonly done: string[] }> {
  const done: string[] = [];
  const networks = {
    list: () => [net],
    find: () => undefined,
    create: (spec: { readonly name: string }) => (done.push(`create ${spec.name}`), Promise.resolve('newid')),
    remove: (id: string) => (done.push(`remove ${id}`), Promise.resolve()),
  };
  const control = { networks, services: { list: () => [] } } as unknown as Control;
  const membership = { ...createTestMembership({ state: 'active', controlAvailable: true }), control: () => control };
  api = await startTestApi((call) => answer(call, '200 OK', JSON.stringify([{ Id: 'plain', Name: 'local', Scope: 'local', Labels: null }])), {
    routes: networkRoutes,
    membership,
  });
  return { done };
}

const body = (name: string) => JSON.stringify({ Name: name, Driver: 'overlay' });
const json = { 'Content-Type': 'application/json' };

describe("the swarm's networks", () => {
  afterEach(() => api.stop());

  it('are shown, made and removed while the engine is away, and what only the engine knows is an error', async () => {
    const { done } = await start();
    await api.engine.down();
    const names = async (path: string) => ((await api.ask({ path })).json as { readonly Name: string }[]).map(({ Name }) => Name);
    assert.deepEqual(await names(`/networks?filters=${encodeURIComponent('{"scope":["swarm"]}')}`), ['app']);
    for (const term of ['app', 'netid']) assert.equal((await api.ask({ path: `/networks/${term}` })).status, 200, term);
    assert.equal((await api.ask({ method: 'POST', path: '/networks/create', headers: json }, body('more'))).status, 201);
    assert.equal((await api.ask({ method: 'DELETE', path: '/networks/app' })).status, 204);
    assert.deepEqual(done, ['create more', 'remove netid']);
    for (const path of ['/networks', '/networks/local', '/networks/nosuch']) assert.equal((await api.ask({ path })).status, 503, path);
  });

  it('share their names with those of the engine when it is there', async () => {
    const { done } = await start();
    const { status, json: answered } = await api.ask({ method: 'POST', path: '/networks/create', headers: json }, body('local'));
    assert.deepEqual([status, answered], [409, { message: 'network with name local already exists' }]);
    assert.deepEqual(done, []);
  });
});
