import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { serviceSpecShape } from '#docker-api/service-spec.ts';
import { decodeBody } from '#docker-api/shape.ts';
import { swarmSpecShape } from '#docker-api/swarm.ts';
import type { ClusterSpec, ServiceSpec } from '#domain/spec.ts';
import { anyClusterSpec, anyServiceSpec } from './arbitraries.ts';
import { serviceSpecFromJson, serviceSpecToJson } from './service.ts';
import { swarmSpecFromJson, swarmSpecToJson } from './swarm.ts';
import { withUnknownFields } from './unknown-fields.ts';

const understood = (spec: ServiceSpec) => serviceSpecFromJson(decodeBody(serviceSpecShape, JSON.parse(JSON.stringify(serviceSpecToJson(spec)))), undefined);

test('without anything unknown an update is what was sent', () => {
  fc.assert(
    fc.property(anyServiceSpec, anyServiceSpec, (stored, next) => {
      assert.deepEqual(withUnknownFields(stored, understood(stored), next), next);
    }),
  );
});

test('likewise the swarm’s: a signing certificate of an earlier update is no part of the next', () => {
  fc.assert(
    fc.property(anyClusterSpec, anyClusterSpec, (before, next) => {
      const stored = { ...before, ca: { ...before.ca, signingCaCert: 'of an earlier update' } };
      const known = swarmSpecFromJson(decodeBody(swarmSpecShape, JSON.parse(JSON.stringify(swarmSpecToJson(stored)))));
      assert.deepEqual(withUnknownFields<ClusterSpec>(stored, known, next), next);
    }),
  );
});

test('what a newer daemon stored survives a change of something else, at any depth', () => {
  const container = {
    image: 'a',
    env: ['A=1'],
    ofTheFuture: { a: [1] },
    mounts: [
      { type: 'volume', target: '/a', future: 1 },
      { type: 'volume', target: '/b', future: 2 },
    ],
  };
  const stored = {
    name: 's',
    labels: {},
    future: 'x',
    mode: { kind: 'replicated', replicas: 1, spread: true },
    task: { runtime: { kind: 'container', container }, forceUpdate: 0 },
  };
  const spec = stored as unknown as ServiceSpec;
  const known = understood(spec);
  assert.equal(JSON.stringify(known).includes('uture'), false);
  assert(known.task.runtime.kind === 'container');
  const [first] = known.task.runtime.container.mounts ?? [];
  assert(first !== undefined);
  const { env: _env, ...rest } = known.task.runtime.container;
  const next: ServiceSpec = {
    ...known,
    labels: { changed: 'yes' },
    task: {
      ...known.task,
      runtime: { ...known.task.runtime, container: { ...rest, image: 'b', mounts: [{ ...first, target: '/c' }, ...(rest.mounts ?? []).slice(1)] } },
    },
  };
  const result = withUnknownFields(spec, known, next) as unknown as typeof stored;
  assert.deepEqual([result.future, result.mode.spread, result.labels], ['x', true, { changed: 'yes' }]);
  const { container: kept } = result.task.runtime;
  assert.deepEqual([kept.image, kept.ofTheFuture, kept.env, kept.mounts.map(({ future }) => future)], ['b', { a: [1] }, undefined, [undefined, 2]]);
});

test('credentials are nobody’s unknown field, and names that every object has are names', () => {
  const stored = { registryAuth: 'old', labels: {}, ['__proto__x']: 1 };
  assert.deepEqual(withUnknownFields<object>(stored, { labels: {} }, { labels: { a: 'b' } }), { labels: { a: 'b' }, ['__proto__x']: 1 });
  const hostile = JSON.parse('{"__proto__":{"polluted":1}}') as object;
  const result = withUnknownFields<object>(hostile, {}, {});
  assert.deepEqual([Object.keys(result), ({} as { polluted?: number }).polluted], [['__proto__'], undefined]);
});
