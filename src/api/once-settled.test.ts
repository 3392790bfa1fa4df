import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onceSettled } from './once-settled.ts';
import { json, type Route, type RouteContext, type RouteRequest } from './route.ts';

const context = {} as RouteContext;
const request = (signal = new AbortController().signal) => ({ signal }) as RouteRequest;

function routesOf(called: string[], ...names: readonly string[]): readonly Route[] {
  return names.map((name) => {
    const [method = '', path = ''] = name.split(' ');
    return {
      method: method as Route['method'],
      path,
      handler() {
        called.push(name);
        return json({});
      },
    };
  });
}

test('what asks for the swarm waits until the daemon has taken up its place, and is then answered at once', async () => {
  const called: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const [info, services] = onceSettled(routesOf(called, 'GET /info', 'POST /services/create'), promise);
  const answers = Promise.all([info?.handler(request(), context), services?.handler(request(), context)]);
  await Promise.resolve();
  assert.deepEqual(called, []);
  resolve();
  await answers;
  assert.deepEqual(called, ['GET /info', 'POST /services/create']);
  await info?.handler(request(), context);
  assert.equal(called.length, 3);
});

test('what is the engine’s, and what changes the membership, does not wait', async () => {
  const called: string[] = [];
  const names = ['GET /_ping', 'GET /version', 'GET /containers/json', 'POST /swarm/leave', 'POST /swarm/unlock', 'POST /swarm/init'];
  for (const route of onceSettled(routesOf(called, ...names), new Promise(() => {}))) await route.handler(request(), context);
  assert.deepEqual(called, names);
});

test('a client that goes away while it waits has asked for nothing', async () => {
  const called: string[] = [];
  const [services] = onceSettled(routesOf(called, 'GET /services'), new Promise(() => {}));
  const client = new AbortController();
  const answer = services?.handler(request(client.signal), context) as Promise<unknown>;
  client.abort(new Error('the client has gone'));
  await assert.rejects(answer, /the client has gone/);
  await assert.rejects(services?.handler(request(client.signal), context) as Promise<unknown>, /the client has gone/);
  assert.deepEqual(called, []);
});
