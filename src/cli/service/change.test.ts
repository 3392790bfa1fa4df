import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Client } from '#client/client.ts';
import type { Service } from '#docker-api/service.ts';
import { AppError } from '#lib/errors.ts';
import { writeService } from './change.ts';

/** A service that others write to just before each of the first `writes` attempts; `spec` of what they make of it, when they change that. */
function busyService(writes: number, spec?: object) {
  let service = { ID: 'x', Version: { Index: 7 }, Spec: { Name: 'web', Labels: {} } } as unknown as Service;
  const seen = service;
  const versions: unknown[] = [];
  const call = async (method: string, _path: string, { query }: { query: { version?: number } }) => {
    if (method === 'GET') return service;
    if (versions.length < writes) service = { ...service, Version: { Index: (service.Version.Index ?? 0) + 1 }, ...(spec === undefined ? {} : { Spec: spec }) };
    versions.push(query.version);
    if (query.version !== service.Version.Index)
      throw new AppError('unknown', 'Error response from daemon: rpc error: code = Unknown desc = update out of sequence');
    return { Warnings: ['w'] };
  };
  return { seen, versions, client: { call } as unknown as Client };
}

test('a service whose update goes on meanwhile is changed all the same', async () => {
  const { client, seen, versions } = busyService(2);
  assert.deepEqual(await writeService(client, seen, { ...seen.Spec, Labels: { a: 'b' } }), ['w']);
  assert.deepEqual(versions, [7, 8, 9]);
});

test('one that somebody else changed is not', async () => {
  const { client, seen, versions } = busyService(1, { Name: 'web', Labels: { by: 'another' } });
  await assert.rejects(writeService(client, seen, seen.Spec), /update out of sequence/);
  assert.deepEqual(versions, [7]);
});

test('one that never rests is given up', async () => {
  const { client, seen, versions } = busyService(100);
  await assert.rejects(writeService(client, seen, seen.Spec), /update out of sequence/);
  assert.equal(versions.length, 5);
});
