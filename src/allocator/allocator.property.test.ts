// Random histories of networks, services and tasks: whatever happens in whatever order, nothing is ever given to two, and everything that can be had
// is had once things come to rest. Claims are asserted by test/lib/swarm.ts at every commit.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Network, Service, StoreObject, Task } from '#domain/objects.ts';
import { isTerminal } from '#domain/task-state.ts';
import { familyOf, formatIp, lastAddress, parseCidr, subnetContains, subnetSize, subnetsOverlap } from '#lib/ip.ts';
import { createSwarm, makeCluster, makeNetwork, makeService, makeTask } from '../../test/lib/swarm.ts';
import { createAllocator } from './allocator.ts';

type Step =
  | { readonly kind: 'network'; readonly subnet: string | undefined; readonly subnet6: string | undefined; readonly ingress: boolean }
  | { readonly kind: 'removeNetwork'; readonly pick: number }
  | { readonly kind: 'service'; readonly picks: readonly number[]; readonly mode: 'vip' | 'dnsrr'; readonly ports: readonly number[] }
  | {
      readonly kind: 'updateService';
      readonly pick: number;
      readonly picks: readonly number[];
      readonly mode: 'vip' | 'dnsrr';
      readonly ports: readonly number[];
    }
  | { readonly kind: 'removeService'; readonly pick: number }
  | { readonly kind: 'task'; readonly pick: number; readonly count: number }
  | { readonly kind: 'stopTask'; readonly pick: number }
  | { readonly kind: 'removeTask'; readonly pick: number }
  | { readonly kind: 'decide' };

const pick = fc.nat(1_000);
const picks = fc.array(pick, { maxLength: 3 });
const mode = fc.constantFrom('vip', 'dnsrr');
// 0 leaves the port open; few numbers, so that they clash.
const ports = fc.uniqueArray(fc.constantFrom(0, 80, 81, 30_000), { maxLength: 3 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('network' as const),
    subnet: fc.constantFrom(undefined, undefined, '10.0.1.0/29', '10.0.0.0/22', '10.0.1.4/30', '10.7.0.0/30'),
    // '' is one of the swarm's own.
    subnet6: fc.constantFrom(undefined, undefined, '', 'fd00:1::/126', 'fd00:1::/64'),
    ingress: fc.nat(9).map((n) => n === 0),
  }),
  fc.record({ kind: fc.constant('removeNetwork' as const), pick }),
  fc.record({ kind: fc.constant('service' as const), picks, mode, ports }),
  fc.record({ kind: fc.constant('updateService' as const), pick, picks, mode, ports }),
  fc.record({ kind: fc.constant('removeService' as const), pick }),
  fc.record({ kind: fc.constant('task' as const), pick, count: fc.integer({ min: 1, max: 8 }) }),
  fc.record({ kind: fc.constant('stopTask' as const), pick }),
  fc.record({ kind: fc.constant('removeTask' as const), pick }),
  fc.constant({ kind: 'decide' as const }),
);

function specOf(id: string, networks: readonly Network[], step: Extract<Step, { picks: readonly number[] }>): Service['spec'] {
  const base = makeService(id).spec;
  const targets = networks.length === 0 ? [] : [...new Set(step.picks.map((n) => networks[n % networks.length]?.id ?? ''))];
  return {
    ...base,
    task: { ...base.task, networks: targets.map((target) => ({ target })) },
    endpoint: {
      mode: step.mode,
      ports: step.mode === 'dnsrr' ? [] : step.ports.map((publishedPort) => ({ protocol: 'tcp', targetPort: 80, publishedPort, publishMode: 'ingress' })),
    },
  };
}

/** Runs a history; `settle` decides until nothing is left to do. */
function createHistory(maxChanges: number) {
  const swarm = createSwarm([makeCluster()]);
  const allocator = createAllocator({ maxChanges });
  const dirty = new Set(allocator.allKeys(swarm.view));
  swarm.onEvent((event, view) => {
    for (const key of allocator.keysOf(event, view)) dirty.add(key);
  });
  let serial = 0;
  const nextId = (kind: string) => `${kind}${String(serial++).padStart(4, '0')}`;
  const all = <K extends 'network' | 'service' | 'task'>(kind: K) => [...swarm.view.list(kind)];
  const one = <T>(items: readonly T[], n: number): T | undefined => items[n % Math.max(1, items.length)];

  function decideOnce(): void {
    const keys = new Set(dirty);
    dirty.clear();
    const { changes, postponed } = allocator.decide(swarm.view, keys, serial);
    const again = allocator.decide(swarm.view, keys, serial);
    assert.equal(JSON.stringify(again.changes), JSON.stringify(changes), 'the same view gives the same bytes');
    for (const key of postponed) dirty.add(key);
    swarm.commit(changes, 'allocator');
  }

  function apply(step: Step): void {
    switch (step.kind) {
      case 'network': {
        if (step.ingress && all('network').some((network) => network.spec.ingress)) return;
        const network = makeNetwork(nextId('net'), {
          ingress: step.ingress,
          ipv6: step.subnet6 !== undefined,
          ipam: { configs: [step.subnet, step.subnet6].flatMap((subnet) => (subnet ? [{ subnet }] : [])) },
        });
        swarm.put({ ...network, createdAt: serial });
        return;
      }
      case 'removeNetwork':
        return remove(one(all('network'), step.pick));
      case 'service': {
        const id = nextId('svc');
        swarm.put({
          ...makeService(id),
          spec: specOf(
            id,
            all('network').filter(({ spec }) => !spec.ingress),
            step,
          ),
        });
        return;
      }
      case 'updateService': {
        const service = one(all('service'), step.pick);
        if (service)
          swarm.put({
            ...service,
            spec: specOf(
              service.id,
              all('network').filter(({ spec }) => !spec.ingress),
              step,
            ),
          });
        return;
      }
      case 'removeService': {
        const service = one(all('service'), step.pick);
        if (service) for (const task of swarm.view.tasksOfService(service.id)) swarm.remove(task);
        return remove(service);
      }
      case 'task': {
        const service = one(all('service'), step.pick);
        if (!service) return;
        for (let n = 0; n < step.count; n++) {
          const status = { state: 'new', timestamp: 0, message: 'created' } as const;
          swarm.put(makeTask(nextId('task'), { serviceId: service.id, slot: n + 1, spec: service.spec.task, status }));
        }
        return;
      }
      case 'stopTask': {
        const task = one(all('task'), step.pick);
        if (task) swarm.put({ ...task, desiredState: 'shutdown', status: { state: 'failed', timestamp: 1, message: '' } });
        return;
      }
      case 'removeTask':
        return remove(one(all('task'), step.pick));
      case 'decide':
        return decideOnce();
    }
  }

  function remove(object: StoreObject | undefined): void {
    if (object) swarm.remove(object);
  }

  return {
    view: swarm.view,
    all,
    apply,
    settle() {
      for (let round = 0; dirty.size > 0; round++) {
        assert.ok(round < 1_000, 'the allocator does not come to rest');
        decideOnce();
      }
    },
  };
}

type History = ReturnType<typeof createHistory>;

function assertNothingTwice({ all }: History): void {
  const holders = new Map<string, string>();
  const hold = (what: string, who: string) => {
    assert.ok(!holders.has(what), `${what} is held by ${holders.get(what)} and ${who}`);
    holders.set(what, who);
  };
  for (const service of all('service')) {
    for (const { networkId, address } of virtualIpsOf(service)) hold(`${networkId} ${address}`, service.id);
    for (const port of service.endpoint?.ports ?? []) hold(`${port.protocol} ${port.publishedPort}`, service.id);
  }
  for (const task of all('task')) {
    if (isTerminal(task.status.state)) continue;
    for (const { networkId, addresses } of task.networks) for (const address of addresses) hold(`${networkId} ${address}`, task.id);
  }
  for (const network of all('network')) if (network.state?.vxlanId !== undefined) hold(`vxlan ${network.state.vxlanId}`, network.id);
}

function assertSubnetsApart({ all }: History): void {
  const subnets = all('network').flatMap((network) => (network.state?.pools ?? []).flatMap((pool) => parseCidr(pool.subnet)?.subnet ?? []));
  for (const [index, subnet] of subnets.entries()) for (const other of subnets.slice(index + 1)) assert.ok(!subnetsOverlap(subnet, other));
}

/** One of each family, if the network has both. */
function virtualIpsOf(service: Service): readonly { readonly networkId: string; readonly address: string }[] {
  return (service.endpoint?.virtualIps ?? []).flatMap(({ networkId, address, address6 }) =>
    [address, ...(address6 === undefined ? [] : [address6])].map((one) => ({ networkId, address: one })),
  );
}

/** Addresses lie in their network, and are neither its gateway nor its edges; there is one of each family that it has. */
function assertAddressesValid({ all, view }: History): void {
  const poolsOf = (networkId: string) => view.get('network', networkId)?.state?.pools ?? [];
  for (const { networkId, address: text } of [
    ...all('service').flatMap(virtualIpsOf),
    ...all('task').flatMap((task) => task.networks.flatMap(({ networkId, addresses }) => addresses.map((address) => ({ networkId, address })))),
  ]) {
    const address = parseCidr(text)?.address;
    const pool = poolsOf(networkId).find(({ subnet }) => familyOf(subnet) === familyOf(text));
    if (pool === undefined) continue;
    const subnet = parseCidr(pool.subnet)?.subnet;
    assert.ok(subnet && address && subnetContains(subnet, address), `${text} in ${pool.subnet}`);
    assert.notEqual(formatIp(address), pool.gateway);
    assert.ok(address.value !== subnet.base && (address.family === 6 || address.value !== lastAddress(subnet)));
  }
  for (const task of all('task')) {
    if (task.status.state !== 'pending') continue;
    for (const { networkId, addresses } of task.networks) {
      const families = poolsOf(networkId).map(({ subnet }) => familyOf(subnet));
      if (families.length > 0) assert.deepEqual(addresses.map(familyOf), families);
    }
  }
}

/** Nobody waits without a reason, and a task waits for an address only on a network that has none left. */
function assertNobodyWaitsInVain({ all, view }: History): void {
  for (const task of all('task')) {
    if (task.status.state !== 'new' || task.desiredState === 'shutdown') continue;
    assert.ok(task.status.error, `${task.id} waits and does not say why`);
    const [, family, full] = /IPv([46]) addresses on this network's address pools: (\S+) /.exec(task.status.error) ?? [];
    if (full !== undefined) assert.equal(freeAddresses(all, view.get('network', full), family === '4' ? 4 : 6), 0, task.status.error);
  }
}

function freeAddresses(all: History['all'], network: Network | undefined, family: 4 | 6): number {
  const subnet = parseCidr(network?.state?.pools.find((pool) => familyOf(pool.subnet) === family)?.subnet ?? '')?.subnet;
  const isHere = ({ networkId }: { readonly networkId: string }) => networkId === network?.id;
  const vips = all('service').flatMap((service) => virtualIpsOf(service).filter((vip) => isHere(vip) && familyOf(vip.address) === family)).length;
  const tasks = all('task').filter(
    (task: Task) => !isTerminal(task.status.state) && task.networks.some((one) => isHere(one) && one.addresses.some((address) => familyOf(address) === family)),
  ).length;
  // The edges, of which IPv6 has one, and the gateway.
  return subnet === undefined ? 0 : Number(subnetSize(subnet)) - (family === 4 ? 3 : 2) - vips - tasks;
}

describe('allocator, whatever happens', () => {
  it('gives nothing to two, takes only what there is, and leaves nobody waiting in vain', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 80, size: 'max' }), fc.constantFrom(3, 2_000), (history, maxChanges) => {
        const run = createHistory(maxChanges);
        for (const step of history) run.apply(step);
        run.settle();
        assertNothingTwice(run);
        assertSubnetsApart(run);
        assertAddressesValid(run);
        assertNobodyWaitsInVain(run);
      }),
      { numRuns: 200 },
    );
  });
});
