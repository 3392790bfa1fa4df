import assert from 'node:assert/strict';
import { test } from 'node:test';
import { empty, type Route, type RouteMethod } from './route.ts';
import { createRouter } from './router.ts';

function route(method: RouteMethod, path: string): Route {
  return { method, path, handler: () => empty() };
}

const router = createRouter([
  route('GET', '/services'),
  route('POST', '/services/create'),
  route('GET', '/services/{id}'),
  route('POST', '/services/{id}/update'),
  route('GET', '/distribution/{name...}'),
]);

test('a path is found with its parameters decoded', () => {
  assert.equal(router.find('GET', '/services')?.route.path, '/services');
  assert.deepEqual(router.find('POST', '/services/a%2Fb/update')?.params, { id: 'a/b' });
  assert.deepEqual(router.find('GET', '/distribution/library/busybox:1/json')?.params, { name: 'library/busybox:1/json' });
});

test('a fixed segment wins over a parameter, and a parameter serves the methods that it lacks', () => {
  assert.equal(router.find('POST', '/services/create')?.route.path, '/services/create');
  assert.deepEqual(router.find('GET', '/services/create')?.params, { id: 'create' });
});

test('what is not ours is not found', () => {
  for (const [method, path] of [
    ['PUT', '/services'],
    ['GET', '/services/'],
    ['GET', '/'],
    ['GET', '/services/a/b'],
    ['GET', ''],
  ] as const)
    assert.equal(router.find(method, path), undefined, `${method} ${path}`);
});

test('a broken escape is taken as it is', () => {
  assert.deepEqual(router.find('GET', '/services/%zz')?.params, { id: '%zz' });
});

test('two routes for the same request are a mistake', () => {
  assert.throws(() => createRouter([route('GET', '/a/{id}'), route('GET', '/a/{id}')]), /two routes/);
  assert.throws(() => createRouter([route('GET', '/a/{id}'), route('POST', '/a/{name}')]), /differently/);
});
