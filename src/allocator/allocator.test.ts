// What the allocator promises, case by case. Random histories are in allocator.property.test.ts.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Network, Service, StoreObject, Task } from '#domain/objects.ts';
import type { EndpointSpec, NetworkSpec, PortConfig, ServiceSpec } from '#domain/spec.ts';
import { createSwarm, makeCluster, makeNetwork, makeService, makeTask, type Swarm } from '../../test/lib/swarm.ts';
import { createAllocator } from './allocator.ts';

const NOW = 5_000;

/** A swarm with an allocator that runs until it has nothing to do. */
function start(objects: readonly StoreObject[]) {
  const swarm = createSwarm([makeCluster(), ...objects]);
  const allocator = createAllocator();
  const dirty = new Set(allocator.allKeys(swarm.view));
  swarm.onEvent((event, view) => {
    for (const key of allocator.keysOf(event, view)) dirty.add(key);
  });
  const run = (): void => {
    for (let round = 0; dirty.size > 0; round++) {
      assert.ok(round < 100, 'the allocator does not come to rest');
      const keys = new Set(dirty);
      dirty.clear();
      const { changes, postponed } = allocator.decide(swarm.view, keys, NOW);
      for (const key of postponed) dirty.add(key);
      swarm.commit(changes, 'allocator');
    }
  };
  run();
  return {
    ...swarm,
    put(...puts: readonly StoreObject[]) {
      swarm.put(...puts);
      run();
    },
    remove(...removals: readonly StoreObject[]) {
      swarm.remove(...removals);
      run();
    },
  };
}

const network = (swarm: Pick<Swarm, 'view'>, id: string) => swarm.view.get('network', id) as Network;
const service = (swarm: Pick<Swarm, 'view'>, id: string) => swarm.view.get('service', id) as Service;
const task = (swarm: Pick<Swarm, 'view'>, id: string) => swarm.view.get('task', id) as Task;
const subnet = (swarm: Pick<Swarm, 'view'>, id: string) => network(swarm, id).state?.pools[0]?.subnet;
const addresses = (swarm: Pick<Swarm, 'view'>, id: string) => task(swarm, id).networks.flatMap((attachment) => attachment.addresses);
const vips = (swarm: Pick<Swarm, 'view'>, id: string) => (service(swarm, id).endpoint?.virtualIps ?? []).map((vip) => `${vip.networkId} ${vip.address}`);

const ingress = () => makeNetwork('ingress', { ingress: true });
const pool = (...configs: NonNullable<NetworkSpec['ipam']>['configs']): Partial<NetworkSpec> => ({ ipam: { configs } });
function onNetworks(id: string, networks: readonly string[], endpoint?: EndpointSpec, fields: Partial<ServiceSpec> = {}): Service {
  const base = makeService(id);
  const spec = { ...base.spec, task: { ...base.spec.task, networks: networks.map((target) => ({ target })) }, ...fields };
  return { ...base, spec: endpoint === undefined ? spec : { ...spec, endpoint } };
}
function newTask(id: string, of: Service, fields: Partial<Task> = {}): Task {
  return makeTask(id, { serviceId: of.id, spec: of.spec.task, status: { state: 'new', timestamp: 0, message: 'created' }, ...fields });
}
const tcp = (targetPort: number, publishedPort = 0): PortConfig => ({ protocol: 'tcp', targetPort, publishedPort, publishMode: 'ingress' });

describe('networks', () => {
  it('get subnets in series, the ingress network the first, and VXLAN ids as Swarm numbers them', () => {
    const swarm = start([makeNetwork('a', {}), ingress()]);
    swarm.put({ ...makeNetwork('b'), createdAt: 1 });
    assert.deepEqual(
      ['ingress', 'a', 'b'].map((id) => subnet(swarm, id)),
      ['10.0.0.0/24', '10.0.1.0/24', '10.0.2.0/24'],
    );
    assert.deepEqual(
      ['ingress', 'a', 'b'].map((id) => network(swarm, id).state?.vxlanId),
      [4096, 4097, 4098],
    );
    assert.equal(network(swarm, 'a').state?.pools[0]?.gateway, '10.0.1.1');
    assert.deepEqual(network(swarm, 'a').state?.driver, { name: 'overlay', options: { 'com.docker.network.driver.overlay.vxlanid_list': '4097' } });
  });

  it('keep what the user asked for, and leave it out of the series', () => {
    const wished = makeNetwork('w', pool({ subnet: '10.0.1.0/24', gateway: '10.0.1.254', range: '10.0.1.128/26', reserved: { router: '10.0.1.129' } }));
    const swarm = start([makeNetwork('a'), wished]);
    assert.deepEqual(network(swarm, 'w').state?.pools, [{ subnet: '10.0.1.0/24', gateway: '10.0.1.254', range: '10.0.1.128/26' }]);
    assert.equal(subnet(swarm, 'a'), '10.0.0.0/24');
    swarm.put(makeNetwork('b'));
    assert.equal(subnet(swarm, 'b'), '10.0.2.0/24');
    const user = onNetworks('s', ['w'], { mode: 'dnsrr' });
    swarm.put(user, newTask('t1', user), newTask('t2', user));
    assert.deepEqual([addresses(swarm, 't1'), addresses(swarm, 't2')], [['10.0.1.128/24'], ['10.0.1.130/24']]);
  });

  it('use the pools and the size that the swarm was made with', () => {
    const swarm = start([makeNetwork('a'), makeNetwork('b'), makeNetwork('c')]);
    swarm.put({
      ...(swarm.view.get('cluster', 'cluster') as StoreObject & { kind: 'cluster' }),
      defaultAddressPools: ['192.168.0.0/24', '172.20.0.0/16'],
      subnetSize: 25,
    });
    swarm.put(makeNetwork('d'));
    swarm.put(makeNetwork('e'));
    swarm.put(makeNetwork('f'));
    assert.deepEqual(
      ['d', 'e', 'f'].map((id) => subnet(swarm, id)),
      ['192.168.0.0/25', '192.168.0.128/25', '172.20.0.0/25'],
    );
  });

  it('say why they cannot be had, and are tried again when another one goes', () => {
    const swarm = start([makeNetwork('a', pool({ subnet: '10.9.0.0/16' }))]);
    swarm.put(makeNetwork('b', pool({ subnet: '10.9.3.0/24' })));
    assert.equal(network(swarm, 'b').allocationError, 'Pool overlaps with other one on this address space');
    const user = onNetworks('s', ['b']);
    swarm.put(user, newTask('t', user));
    assert.equal(task(swarm, 't').status.error, 'network b could not be allocated: Pool overlaps with other one on this address space');
    assert.equal(task(swarm, 't').status.state, 'new');
    swarm.remove(network(swarm, 'a'));
    assert.equal(network(swarm, 'b').allocationError, undefined);
    assert.equal(task(swarm, 't').status.state, 'pending');
    assert.deepEqual(vips(swarm, 's'), ['b 10.9.3.2/24']);
  });

  it('of the engine itself get neither subnet nor VXLAN id, and their tasks no addresses', () => {
    const swarm = start([makeNetwork('host', { driver: { name: 'host' } })]);
    const user = onNetworks('s', ['host'], { ports: [] });
    swarm.put(user, newTask('t', user));
    assert.deepEqual(network(swarm, 'host').state, { driver: { name: 'host' }, pools: [] });
    assert.deepEqual(task(swarm, 't').networks, [{ networkId: 'host', addresses: [], aliases: [] }]);
    assert.deepEqual(vips(swarm, 's'), []);
  });
});

describe('services', () => {
  it('get a virtual IP on the ingress network first, then on their own, and their ports', () => {
    const swarm = start([ingress(), makeNetwork('a'), onNetworks('s', ['a'], { ports: [tcp(80, 8080), tcp(81), { ...tcp(82, 82), publishMode: 'host' }] })]);
    assert.deepEqual(vips(swarm, 's'), ['ingress 10.0.0.2/24', 'a 10.0.1.2/24']);
    assert.deepEqual(
      service(swarm, 's').endpoint?.ports.map((port) => port.publishedPort),
      [8080, 30_000, 82],
    );
  });

  it('without networks and ports are not written: the version that their creator reads is the one to update them with', () => {
    const made = makeService('s');
    const swarm = start([made, newTask('t', made)]);
    assert.equal(task(swarm, 't').status.state, 'pending');
    assert.equal(service(swarm, 's').endpoint, undefined);
  });

  it('do not wait for an ingress network that is not there, and get its address when it comes', () => {
    const of = onNetworks('s', [], { ports: [tcp(80)] });
    const swarm = start([of, newTask('t', of)]);
    assert.equal(task(swarm, 't').status.state, 'pending');
    assert.deepEqual(vips(swarm, 's'), []);
    swarm.put(ingress());
    assert.deepEqual(vips(swarm, 's'), ['ingress 10.0.0.2/24']);
  });

  it('keep a dynamic port for the same target over updates, and give it back when they go', () => {
    const swarm = start([onNetworks('s', [], { ports: [tcp(80), { ...tcp(80), protocol: 'udp' }] })]);
    const [first] = service(swarm, 's').endpoint?.ports ?? [];
    assert.equal(first?.publishedPort, 30_000);
    swarm.put(onNetworks('r', [], { ports: [tcp(80)] }));
    assert.equal(service(swarm, 'r').endpoint?.ports[0]?.publishedPort, 30_001);
    const changed = service(swarm, 's');
    swarm.put({ ...changed, spec: { ...changed.spec, endpoint: { ports: [tcp(81), tcp(80)] } } });
    assert.deepEqual(
      service(swarm, 's').endpoint?.ports.map((port) => port.publishedPort),
      [30_002, 30_000],
    );
    swarm.remove(service(swarm, 's'));
    swarm.put(onNetworks('q', [], { ports: [tcp(9)] }));
    assert.equal(service(swarm, 'q').endpoint?.ports[0]?.publishedPort, 30_000);
  });

  it('never get a dynamic port that another service of the same moment asks for', () => {
    const swarm = start([onNetworks('a', [], { ports: [tcp(80)] }), onNetworks('b', [], { ports: [tcp(80), tcp(81, 30_000)] })]);
    assert.deepEqual(
      ['a', 'b'].map((id) => service(swarm, id).endpoint?.ports.map((port) => port.publishedPort)),
      [[30_002], [30_001, 30_000]],
    );
  });

  it('whose port is taken meanwhile say so in their tasks until it is free', () => {
    const late = onNetworks('late', [], { ports: [tcp(80, 8080)] });
    const swarm = start([onNetworks('early', [], { ports: [tcp(80, 8080)] })]);
    swarm.put(late, newTask('t', late));
    assert.equal(task(swarm, 't').status.error, "port '8080' is already in use by service 'early' (early) as an ingress port");
    swarm.remove(service(swarm, 'early'));
    assert.equal(task(swarm, 't').status.state, 'pending');
    assert.equal(task(swarm, 't').status.error, undefined);
  });

  it('whose port is no port say so in their tasks, whoever would publish it', () => {
    for (const port of [tcp(80, 70_000), tcp(70_000), { ...tcp(80, 70_000), publishMode: 'host' as const }]) {
      const high = onNetworks('high', [], { ports: [port] });
      const swarm = start([]);
      swarm.put(high, newTask('t', high));
      assert.deepEqual([task(swarm, 't').status.state, task(swarm, 't').status.error], ['new', "port '70000' is out of range: the highest is 65535"]);
    }
  });

  it('give their virtual IPs back for dnsrr, and get them again for vip', () => {
    const swarm = start([makeNetwork('a'), onNetworks('s', ['a'])]);
    assert.deepEqual(vips(swarm, 's'), ['a 10.0.0.2/24']);
    const asked = service(swarm, 's');
    swarm.put({ ...asked, spec: { ...asked.spec, endpoint: { mode: 'dnsrr' } } });
    assert.deepEqual(service(swarm, 's').endpoint, { spec: { mode: 'dnsrr' }, ports: [], virtualIps: [] });
    const again = service(swarm, 's');
    swarm.put({ ...again, spec: { ...again.spec, endpoint: { mode: 'vip' } } });
    assert.deepEqual(vips(swarm, 's'), ['a 10.0.0.3/24']);
  });

  it('keep the virtual IPs of the networks that stay', () => {
    const swarm = start([makeNetwork('a'), makeNetwork('b'), onNetworks('s', ['a'])]);
    const asked = service(swarm, 's');
    swarm.put({ ...asked, spec: onNetworks('s', ['b', 'a']).spec });
    assert.deepEqual(vips(swarm, 's'), ['b 10.0.1.2/24', 'a 10.0.0.2/24']);
  });
});

describe('tasks', () => {
  it('get an address on each network, none on the ingress network, and go on to pending', () => {
    const of = onNetworks('s', ['a', 'b'], { ports: [tcp(80)] });
    const swarm = start([ingress(), makeNetwork('a'), makeNetwork('b'), of, newTask('t', of)]);
    assert.deepEqual(task(swarm, 't').networks, [
      { networkId: 'a', addresses: ['10.0.1.3/24'], aliases: [] },
      { networkId: 'b', addresses: ['10.0.2.3/24'], aliases: [] },
    ]);
    assert.deepEqual(task(swarm, 't').status, { state: 'pending', timestamp: NOW, message: 'pending task scheduling' });
  });

  it('get addresses in order of slot', () => {
    const of = onNetworks('s', ['a'], { mode: 'dnsrr' });
    const swarm = start([makeNetwork('a'), of, newTask('z', of, { slot: 1 }), newTask('a', of, { slot: 2 })]);
    assert.deepEqual([addresses(swarm, 'z'), addresses(swarm, 'a')], [['10.0.0.2/24'], ['10.0.0.3/24']]);
  });

  it('give their addresses back when they have stopped, to be used again as late as possible', () => {
    const of = onNetworks('s', ['a'], { mode: 'dnsrr' });
    const swarm = start([makeNetwork('a', pool({ subnet: '10.5.0.0/29' })), of]);
    const state = (id: string) => task(swarm, id).status.state;
    // 10.5.0.2 … 10.5.0.6 are to be had.
    for (let n = 1; n <= 4; n++) swarm.put(newTask(`t${n}`, of));
    swarm.put({ ...task(swarm, 't1'), status: { state: 'failed', timestamp: 1, message: '' } });
    swarm.put(newTask('t5', of), newTask('t6', of), newTask('t7', of));
    assert.deepEqual([addresses(swarm, 't5'), addresses(swarm, 't6')], [['10.5.0.6/29'], ['10.5.0.2/29']]);
    assert.equal(state('t7'), 'new');
    assert.equal(task(swarm, 't7').status.error, "no available IPv4 addresses on this network's address pools: a (a)");
    swarm.remove(task(swarm, 't3'));
    assert.equal(state('t7'), 'pending');
    assert.deepEqual(addresses(swarm, 't7'), ['10.5.0.4/29']);
  });

  it('say that there is no address for the virtual IP, as Docker logs it', () => {
    const first = onNetworks('s', ['a'], { mode: 'dnsrr' });
    const second = onNetworks('v', ['a']);
    const swarm = start([makeNetwork('a', pool({ subnet: '10.5.0.0/30' })), first, newTask('t', first)]);
    swarm.put(second, newTask('w', second));
    assert.equal(task(swarm, 'w').status.error, 'could not find an available IP while allocating VIP');
    assert.equal(service(swarm, 'v').endpoint, undefined);
  });

  it('take nothing from one network when another one has nothing', () => {
    const of = onNetworks('s', ['a', 'b'], { mode: 'dnsrr' });
    const swarm = start([makeNetwork('a'), makeNetwork('b', pool({ subnet: '10.5.0.0/31', gateway: '10.5.0.0' })), of, newTask('t1', of), newTask('t2', of)]);
    assert.deepEqual(addresses(swarm, 't1'), ['10.0.0.2/24', '10.5.0.1/31']);
    assert.deepEqual(addresses(swarm, 't2'), []);
    const alone = onNetworks('r', ['a'], { mode: 'dnsrr' });
    swarm.put(alone, newTask('t3', alone));
    assert.equal(task(swarm, 't3').status.state, 'pending');
  });

  it('of plain containers get the address that was asked for', () => {
    const {
      serviceId: _s,
      slot: _n,
      specVersion: _v,
      ...base
    } = makeTask('attached', { nodeId: 'n', status: { state: 'new', timestamp: 0, message: 'created' } });
    const attach = (id: string, address: readonly string[]): Task => ({
      ...base,
      id,
      spec: { runtime: { kind: 'attachment', containerId: 'c' }, forceUpdate: 0 },
      networks: [{ networkId: 'a', addresses: address, aliases: [] }],
    });
    const swarm = start([makeNetwork('a'), attach('t1', ['10.0.0.77']), attach('t2', []), attach('t3', ['10.0.0.1']), attach('t4', ['10.7.7.7'])]);
    assert.deepEqual([addresses(swarm, 't1'), addresses(swarm, 't2')], [['10.0.0.77/24'], ['10.0.0.2/24']]);
    assert.equal(task(swarm, 't1').status.state, 'pending');
    assert.equal(task(swarm, 't3').status.error, 'Address already in use');
    assert.equal(task(swarm, 't4').status.error, 'Requested address is out of range');
  });

  it('that nobody wants any more get nothing', () => {
    const of = onNetworks('s', ['a'], { mode: 'dnsrr' });
    const swarm = start([makeNetwork('a'), of, newTask('t', of, { desiredState: 'shutdown' })]);
    assert.equal(task(swarm, 't').status.state, 'new');
  });
});

describe('networks with IPv6', () => {
  const both = (id: string, fields: Partial<NetworkSpec> = {}) => makeNetwork(id, { ipv6: true, ...fields });
  const pools = (swarm: Pick<Swarm, 'view'>, id: string) => (network(swarm, id).state?.pools ?? []).map((one) => `${one.subnet} ${one.gateway}`);

  it('get a subnet of each family, of IPv6 one after the other of the 48 bits that are the swarm’s', () => {
    const swarm = start([both('a'), both('b'), makeNetwork('c')]);
    const [four = '', six = ''] = pools(swarm, 'a');
    assert.equal(four, '10.0.0.0/24 10.0.0.1');
    assert.match(six, /^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}::\/64 fd\S+::1$/);
    const prefix = six.split('::')[0];
    assert.equal(pools(swarm, 'b')[1], `${prefix}:1::/64 ${prefix}:1::1`);
    assert.equal(pools(swarm, 'c').length, 1);
    const other = start([both('a')]);
    assert.equal(pools(other, 'a')[1], six);
  });

  it('get what the user asks for: subnet, range and gateway, and nothing reserved is given', () => {
    const reserved = { router: 'FD00:5:0::2:2' };
    const swarm = start([both('a', pool({ subnet: 'fd00:5::/64', range: 'fd00:5::2:0/112', gateway: 'fd00:5::99', reserved }))]);
    assert.deepEqual(pools(swarm, 'a'), ['10.0.0.0/24 10.0.0.1', 'fd00:5::/64 fd00:5::99']);
    const web = onNetworks('web', ['a'], { mode: 'dnsrr' });
    swarm.put(web, newTask('t1', web), newTask('t2', web), newTask('t3', web));
    assert.deepEqual(
      ['t1', 't2', 't3'].map((id) => addresses(swarm, id)[1]),
      ['fd00:5::2:0/64', 'fd00:5::2:1/64', 'fd00:5::2:3/64'],
    );
  });

  it('take their subnets from the pool that the swarm was made with', () => {
    const swarm = createSwarm([makeCluster({ defaultAddressPools: ['fd00:ab::/56', '10.20.0.0/16'] }), both('a')]);
    swarm.commit(createAllocator().decide(swarm.view, new Set(createAllocator().allKeys(swarm.view)), NOW).changes, 'allocator');
    assert.deepEqual(pools(swarm, 'a'), ['10.20.0.0/24 10.20.0.1', 'fd00:ab::/64 fd00:ab::1']);
  });

  it('give services and tasks an address of each family, and keep what they have', () => {
    const web = onNetworks('web', ['a']);
    const swarm = start([both('a', pool({ subnet: 'fd00:5::/64' })), web, newTask('t1', web)]);
    const before = service(swarm, 'web').endpoint?.virtualIps;
    assert.deepEqual(before, [{ networkId: 'a', address: '10.0.0.2/24', address6: 'fd00:5::2/64' }]);
    assert.deepEqual(addresses(swarm, 't1'), ['10.0.0.3/24', 'fd00:5::3/64']);
    swarm.put({ ...service(swarm, 'web'), spec: { ...web.spec, labels: { a: 'b' } } });
    assert.deepEqual(service(swarm, 'web').endpoint?.virtualIps, before);
  });

  it('take nothing of one family when the other has none left', () => {
    const web = onNetworks('web', ['a'], { mode: 'dnsrr' });
    const swarm = start([both('a', pool({ subnet: 'fd00:5::/126' })), web, newTask('t1', web), newTask('t2', web), newTask('t3', web)]);
    assert.match(task(swarm, 't3').status.error ?? '', /^no available IPv6 addresses on this network's address pools: a \(a\)$/);
    swarm.put({ ...task(swarm, 't1'), status: { state: 'failed', timestamp: 1, message: '' } });
    assert.deepEqual(addresses(swarm, 't3'), ['10.0.0.4/24', 'fd00:5::2/126']);
  });

  it('of plain containers give the address that was asked for, and another of the other family', () => {
    const attachment = (id: string, ...wanted: string[]): Task => {
      const { serviceId: _service, slot: _slot, specVersion: _version, ...base } = makeTask(id, { status: { state: 'new', timestamp: 0, message: 'created' } });
      const spec = { runtime: { kind: 'attachment', containerId: id }, forceUpdate: 0 } as const;
      return { ...base, spec, networks: [{ networkId: 'a', addresses: wanted, aliases: [] }] };
    };
    const swarm = start([
      both('a', pool({ subnet: 'fd00:5::/64' })),
      attachment('six', 'fd00:5::AB'),
      attachment('four', '10.0.0.77'),
      attachment('out', 'fd00:6::1'),
    ]);
    assert.deepEqual(
      [addresses(swarm, 'six'), addresses(swarm, 'four')],
      [
        ['10.0.0.2/24', 'fd00:5::ab/64'],
        ['10.0.0.77/24', 'fd00:5::2/64'],
      ],
    );
    assert.equal(task(swarm, 'out').status.error, 'Requested address is out of range');
  });

  it('say which family has no subnet left, or whose it meets', () => {
    const swarm = start([both('a', pool({ subnet: 'fd00:5::/64' })), both('b', pool({ subnet: 'fd00:5:0:0:8::/80' }))]);
    assert.equal(network(swarm, 'b').allocationError, 'Pool overlaps with other one on this address space');
  });
});
