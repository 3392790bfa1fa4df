import assert from 'node:assert/strict';
import { test } from 'node:test';
import { translateCreate, translateNetworkCreate } from './translate.ts';

const old = { client: 50, engine: 41 };
const current = { client: 50, engine: 50 };

function withEndpoints(endpoints: object, mode = 'a') {
  return { Image: 'x', HostConfig: { NetworkMode: mode }, NetworkingConfig: { EndpointsConfig: endpoints } };
}

test('an engine that takes several endpoints gets the body as it came', () => {
  const body = withEndpoints({ a: { MacAddress: '02:00:00:00:00:01' }, b: {} });
  const translated = translateCreate(body, current);
  assert.equal(translated.body, body);
  assert.deepEqual([translated.connect, translated.warnings], [[], []]);
});

test('an older engine gets the endpoint of the network mode, and the others afterwards', () => {
  const { body, connect } = translateCreate(withEndpoints({ b: { Aliases: ['x'] }, a: { Aliases: ['y'] }, c: null }), old);
  assert.deepEqual(body['NetworkingConfig'], { EndpointsConfig: { a: { Aliases: ['y'] } } });
  assert.deepEqual(connect, [
    { network: 'b', config: { Aliases: ['x'] } },
    { network: 'c', config: {} },
  ]);
});

test('the MAC address of the first endpoint is a field of the container for an older engine', () => {
  const { body } = translateCreate(withEndpoints({ a: { MacAddress: '02:00:00:00:00:01', Aliases: ['y'] } }), old);
  assert.equal(body['MacAddress'], '02:00:00:00:00:01');
  assert.deepEqual(body['NetworkingConfig'], { EndpointsConfig: { a: { Aliases: ['y'] } } });
  assert.throws(() => translateCreate(withEndpoints({ a: {}, b: { MacAddress: '02:00:00:00:00:01' } }), old), /MAC address.*API 1\.44.*has 1\.41/);
});

test('a client of the engine’s own version is never translated', () => {
  const body = withEndpoints({ a: {}, b: {} });
  assert.equal(translateCreate(body, { client: 41, engine: 41 }).body, body);
});

test('mount options that an older engine would drop are refused, because the data would be other data', () => {
  const mount = (options: object) => ({ HostConfig: { Mounts: [{ Type: 'volume', ...options }] } });
  assert.throws(() => translateCreate(mount({ VolumeOptions: { Subpath: 'x' } }), old), /Subpath.*API 1\.45/);
  assert.throws(() => translateCreate(mount({ BindOptions: { ReadOnlyForceRecursive: true } }), old), /ReadOnlyForceRecursive/);
  assert.throws(() => translateCreate(mount({ TmpfsOptions: { Options: [['noexec']] } }), old), /TmpfsOptions/);
  assert.doesNotThrow(() => translateCreate(mount({ VolumeOptions: { Subpath: 'x' } }), current));
});

test('what only makes less of a container is told as a warning', () => {
  const { warnings } = translateCreate({ Healthcheck: { StartInterval: 1e9 }, HostConfig: { Annotations: { a: 'b' } } }, old);
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] ?? '', /StartInterval was ignored/);
});

test('an older engine is told to refuse a second network of the same name', () => {
  assert.deepEqual(translateNetworkCreate({ Name: 'a' }, old), { Name: 'a', CheckDuplicate: true });
  assert.deepEqual(translateNetworkCreate({ Name: 'a' }, current), { Name: 'a' });
  assert.throws(() => translateNetworkCreate({ Name: 'a', EnableIPv4: false }, old), /without IPv4/);
});
