import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiPath } from '#engine-link/path.ts';
import { compareVersions, engineVersion, expectsPlainTextErrors, negotiate, splitVersion } from './version.ts';

test('a version is split off the path only where it is one', () => {
  assert.deepEqual(splitVersion('/v1.41/services/web?x=1'), { requested: '1.41', path: '/services/web?x=1' });
  assert.deepEqual(splitVersion('/volumes'), { path: '/volumes' });
  assert.deepEqual(splitVersion('/v1.41'), { path: '/v1.41' });
  assert.deepEqual(splitVersion('/vault/x'), { path: '/vault/x' });
});

test('versions are compared as numbers, not as text', () => {
  assert.ok(compareVersions('1.9', '1.41') < 0);
  assert.equal(compareVersions('1.41', '1.41.0'), 0);
  assert.ok(compareVersions('2', '1.50') > 0);
});

test('versions that we do not speak are refused in Docker’s words', () => {
  assert.equal(negotiate(undefined), 50);
  assert.equal(negotiate('1.24'), 24);
  assert.throws(() => negotiate('1.51'), { message: 'client version 1.51 is too new. Maximum supported API version is 1.50' });
  assert.throws(() => negotiate('1.23'), {
    message: 'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
  });
  assert.ok(expectsPlainTextErrors('1.9'));
  assert.ok(!expectsPlainTextErrors('1.24') && !expectsPlainTextErrors(undefined));
});

test('the engine is asked with a version that it speaks', () => {
  assert.equal(engineVersion(50, { apiVersion: 41, minApiVersion: 12 }), 41);
  assert.equal(engineVersion(30, { apiVersion: 41, minApiVersion: 12 }), 30);
  assert.equal(engineVersion(24, { apiVersion: 52, minApiVersion: 44 }), 44);
  assert.equal(apiPath(41, '/events', new URLSearchParams({ since: '1' })), '/v1.41/events?since=1');
  assert.equal(apiPath(undefined, '/info'), '/info');
});
