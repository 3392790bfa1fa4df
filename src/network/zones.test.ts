import assert from 'node:assert/strict';
import { test } from 'node:test';
import { both, cluster, local, overlayNetwork } from './fixtures.ts';
import { createZones } from './zones.ts';

const zoneOf = (networkIds: readonly string[] = ['net-a'], state = cluster) => {
  const endpoints = local.endpoints.map((endpoint) => ({ ...endpoint, networkIds }));
  const zone = createZones(state, { version: 1, endpoints }, { position: 0 }).zoneFor('172.18.0.2');
  assert.ok(zone);
  return zone;
};
const sorted = (addresses: readonly string[] | undefined) => addresses && [...addresses].sort();

test('a service is its virtual address, under its name, its alias and the name with its network', () => {
  for (const name of ['web', 'www', 'web.app']) assert.deepEqual(zoneOf().lookup(name), ['10.0.1.2'], name);
});

test('tasks.name and names of services without a virtual address are all addresses, in turns', () => {
  const zone = zoneOf();
  for (const name of ['tasks.web', 'tasks.www', 'tasks.web.app', 'rr', 'www2']) assert.deepEqual(sorted(zone.lookup(name)), ['10.0.1.11', '10.0.1.12'], name);
  for (const stride of [1, 2, 3]) {
    const first = { '10.0.1.11': 0, '10.0.1.12': 0 };
    for (let query = 0; query < 200 * stride; query++) {
      const [address] = zone.lookup('rr') ?? [];
      if (query % stride === 0) first[address as keyof typeof first]++;
    }
    assert.ok(Math.abs(first['10.0.1.11'] - 100) <= 10, `every ${stride}. query: ${JSON.stringify(first)}`);
  }
});

test('a service without tasks keeps its virtual address; its tasks are none, which is not the same as unknown', () => {
  assert.deepEqual(zoneOf().lookup('none'), ['10.0.1.3']);
  assert.deepEqual(zoneOf().lookup('tasks.none'), []);
  assert.equal(zoneOf().lookup('nobody'), undefined);
});

test('containers are found by name and hostname', () => {
  assert.deepEqual(zoneOf().lookup('web.1.t1'), ['10.0.1.11']);
  assert.deepEqual(zoneOf().lookup('web.1.t1.app'), ['10.0.1.11']);
  assert.deepEqual(zoneOf().lookup('host-a'), ['10.0.1.11']);
});

test('a container’s name does not hide a service, nor does an alias', () => {
  const endpoints = [{ taskId: 'x', nodeId: 'one', address: '10.0.1.66', names: ['web', 'www'] }];
  const services = [...cluster.services, { serviceId: 's0', networkId: 'net-a', name: 'thief', aliases: ['web'], virtualIp: '10.0.1.77', backends: [] }];
  const zone = zoneOf(['net-a'], { ...cluster, services, networks: [{ ...overlayNetwork, endpoints }] });
  assert.deepEqual(zone.lookup('web'), ['10.0.1.2']);
  assert.deepEqual(zone.lookup('www'), ['10.0.1.2']);
});

test('an alias of several services stands for all of them', () => {
  const services = cluster.services.map((service) => ({ ...service, aliases: ['shared'] }));
  assert.deepEqual(sorted(zoneOf(['net-a'], { ...cluster, services }).lookup('shared')), ['10.0.1.11', '10.0.1.12', '10.0.1.2', '10.0.1.3']);
});

test('names of other networks do not exist', () => {
  assert.equal(zoneOf(['net-b']).lookup('web'), undefined);
  assert.equal(zoneOf([]).lookup('web'), undefined);
  assert.equal(createZones(cluster, local, { position: 0 }).zoneFor('172.18.0.9'), undefined);
});

test('addresses have names', () => {
  assert.equal(zoneOf().reverse('10.0.1.2'), 'Web.App');
  assert.equal(zoneOf().reverse('10.0.1.11'), 'web.1.t1.App');
  assert.equal(zoneOf().reverse('10.0.1.200'), undefined);
});

test('with IPv6 names have addresses of both families, each in turns, and addresses of both have names', () => {
  const zone = zoneOf(['net-a'], both.cluster);
  assert.deepEqual(sorted(zone.lookup('web')), ['10.0.1.2', 'fd00:1::2']);
  assert.deepEqual(sorted(zone.lookup('web.1.t1')), ['10.0.1.11', 'fd00:1::11']);
  assert.deepEqual([zone.reverse('fd00:1::2'), zone.reverse('fd00:1::12')], ['Web.App', 'web.2.t2.App']);
  for (const family of [/^10\./, /^fd/]) {
    const first = new Map<string, number>();
    for (let query = 0; query < 200; query++) {
      const address = zone.lookup('rr')?.find((candidate) => family.test(candidate)) ?? '';
      first.set(address, (first.get(address) ?? 0) + 1);
    }
    assert.ok(first.size === 2 && [...first.values()].every((count) => Math.abs(count - 100) <= 10), JSON.stringify([...first]));
  }
});
