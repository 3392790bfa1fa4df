import assert from 'node:assert/strict';
import { it } from 'node:test';
import { connectKeys, createKeys, withKeys } from './body-keys.ts';

it('leaves a body alone whose names are right', () => {
  const body = { Image: 'x', hostname: 'h', HostConfig: { NetworkMode: 'a', Mounts: [{ Type: 'bind' }] }, NetworkingConfig: { EndpointsConfig: { a: {} } } };
  assert.equal(withKeys(body, createKeys), body);
});

it('reads names whatever their case, but not those of maps', () => {
  const body = {
    image: 'x',
    labels: { dns: '1' },
    hostConfig: { networkmode: 'dns', mounts: [{ volumeoptions: { subpath: 'p' } }] },
    networkingconfig: { endpointsConfig: { labels: { ipamconfig: { ipv4address: '10.0.0.9' } } } },
  };
  assert.deepEqual(withKeys(body, createKeys), {
    image: 'x',
    Labels: { dns: '1' },
    HostConfig: { NetworkMode: 'dns', Mounts: [{ VolumeOptions: { Subpath: 'p' } }] },
    NetworkingConfig: { EndpointsConfig: { labels: { IPAMConfig: { IPv4Address: '10.0.0.9' } } } },
  });
  assert.deepEqual(withKeys({ container: 'c', endpointconfig: null }, connectKeys), { Container: 'c', EndpointConfig: null });
});

it('prefers the exact name, and takes what is no object as it is', () => {
  assert.deepEqual(withKeys({ container: 'a', Container: 'b' }, connectKeys), { container: 'a', Container: 'b' });
  for (const value of [undefined, null, 1, 'text', []]) assert.equal(withKeys(value, connectKeys), value);
});
