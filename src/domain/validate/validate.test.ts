import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AppError } from '#lib/errors.ts';
import type { ClusterSpec, ContainerSpec, NetworkSpec, ServiceSpec, UpdateConfig } from '../spec.ts';
import { validateClusterSpec } from './cluster.ts';
import { networkWarnings, validateNetworkSpec } from './network.ts';
import { decodeBase64, validateConfigSpec, validateSecretSpec } from './secret.ts';
import { validateServiceSpec } from './service.ts';

const text = fc.oneof(fc.string(), fc.constantFrom('', 'web', 'node.role==manager', '{{.Service.Name}}', '{{', '10.0.0.0/24', 'tiny:1', '__proto__'));
const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -1, 2 ** 63, Number.NaN));
const labels = fc.dictionary(text, text);
const driver = fc.record({ name: text, options: labels }, { requiredKeys: ['name'] });
const file = fc.record({ name: text, uid: text, gid: text, mode: number });
const some = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<NonNullable<T[K]>> }) => fc.record(model, { requiredKeys: [] });

const container = fc.record(
  {
    image: text,
    env: fc.array(text),
    hostname: text,
    mounts: fc.array(fc.record({ type: fc.constantFrom('bind', 'volume', 'tmpfs'), source: text, target: text }, { requiredKeys: ['type', 'target'] })),
    healthcheck: some({ intervalNs: number, timeoutNs: number, startPeriodNs: number, startIntervalNs: number, retries: number }),
    secrets: fc.array(fc.record({ secretId: text, secretName: text, file })),
    configs: fc.array(
      fc.record({ configId: text, configName: text, target: fc.oneof(fc.record({ kind: fc.constant('file'), file }), fc.constant({ kind: 'runtime' })) }),
    ),
    privileges: some({ credentialSpec: fc.record({ config: text, file: text, registry: text }) }),
  },
  { requiredKeys: ['image'] },
) as fc.Arbitrary<ContainerSpec>;

const update = fc.record(
  { parallelism: number, delayNs: number, monitorNs: number, maxFailureRatio: number },
  { requiredKeys: ['parallelism'] },
) as fc.Arbitrary<UpdateConfig>;

const service = fc.record(
  {
    name: text,
    labels,
    mode: fc.oneof(
      fc.record({ kind: fc.constant('replicated'), replicas: number }),
      fc.record({ kind: fc.constant('replicated-job'), maxConcurrent: number, totalCompletions: number }),
      fc.constantFrom({ kind: 'global' }, { kind: 'global-job' }),
    ),
    task: fc.record(
      {
        runtime: fc.oneof(fc.record({ kind: fc.constant('container'), container }), fc.record({ kind: fc.constant('attachment'), containerId: text })),
        forceUpdate: number,
        resources: some({ limits: some({ nanoCpus: number, memoryBytes: number }), reservations: some({ nanoCpus: number, memoryBytes: number }) }),
        restart: some({ delayNs: number, windowNs: number, maxAttempts: number }),
        placement: some({ constraints: fc.array(text) }),
      },
      { requiredKeys: ['runtime', 'forceUpdate'] },
    ),
    update,
    rollback: update,
    endpoint: some({
      mode: fc.constantFrom('vip', 'dnsrr'),
      ports: fc.array(
        fc.record({ protocol: fc.constantFrom('tcp', 'udp'), targetPort: number, publishedPort: number, publishMode: fc.constantFrom('ingress', 'host') }),
      ),
    }),
  },
  { requiredKeys: ['name', 'labels', 'mode', 'task'] },
) as fc.Arbitrary<ServiceSpec>;

const network = fc.record(
  {
    name: text,
    labels,
    driver,
    ipv6: fc.boolean(),
    internal: fc.boolean(),
    attachable: fc.boolean(),
    ingress: fc.boolean(),
    scope: text,
    ipam: fc.record({ driver, configs: fc.array(some({ subnet: text, range: text, gateway: text })) }, { requiredKeys: ['configs'] }),
  },
  { requiredKeys: ['name', 'labels', 'ipv6', 'internal', 'attachable', 'ingress', 'scope'] },
) as fc.Arbitrary<NetworkSpec>;

const cluster = fc.record({
  name: text,
  labels,
  orchestration: some({ taskHistoryRetentionLimit: number }),
  raft: fc.record({ electionTick: number, heartbeatTick: number }),
  dispatcher: some({ heartbeatPeriodNs: number }),
  ca: some({ nodeCertExpiryNs: number }),
  taskDefaults: some({ logDriver: driver }),
  encryption: fc.record({ autoLockManagers: fc.boolean() }),
}) as fc.Arbitrary<ClusterSpec>;

const file64 = fc.record({ name: text, labels, data: text, driver }, { requiredKeys: ['name', 'labels', 'data'] });

/** Anything but an AppError is a programming mistake. */
function refusesProperly(validate: () => unknown): void {
  try {
    validate();
  } catch (error) {
    assert.ok(error instanceof AppError, error instanceof Error ? error.stack : String(error));
  }
}

test('whatever a spec says, validation accepts it or refuses it with an AppError', () => {
  fc.assert(
    fc.property(service, (spec) => refusesProperly(() => validateServiceSpec(spec))),
    { numRuns: 1_000 },
  );
  fc.assert(fc.property(network, (spec) => refusesProperly(() => validateNetworkSpec(spec))));
  fc.assert(fc.property(cluster, (spec) => refusesProperly(() => validateClusterSpec(spec))));
  fc.assert(fc.property(file64, (spec) => refusesProperly(() => validateSecretSpec(spec))));
  fc.assert(fc.property(file64, (spec) => refusesProperly(() => validateConfigSpec(spec))));
});

test('base64 is decoded as Go does it', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(new Uint8Array(decodeBase64(Buffer.from(bytes).toString('base64'))), bytes)));
  assert.equal(Buffer.from(decodeBase64('aGVs\r\nbG8=\n')).toString(), 'hello');
  for (const wrong of ['=', 'a', 'ab', 'abc', 'ab=', 'a===', 'ab==x', 'a-b_', ' aGk=']) refuses(wrong);
});

function refuses(encoded: string): void {
  assert.throws(() => decodeBase64(encoded), /^AppError: illegal base64 data at input byte \d+$/, encoded);
}

test('a name that would make a naive pattern slow is judged at once', { timeout: 30_000 }, () => {
  const spec = { name: `${'a'.repeat(100_000)}!`, labels: {}, data: 'eA==' };
  refusesProperly(() => validateSecretSpec(spec));
  refusesProperly(() => validateNetworkSpec({ ...spec, ipv6: false, internal: false, attachable: false, ingress: false, scope: 'swarm' }));
});

test('networks with IPv6 are refused what cannot be, and a subnet without effect is told', () => {
  const spec = (subnet: string, more: object = {}) => {
    const base = { name: 'n', labels: {}, ipv6: true, internal: false, attachable: false, ingress: false, scope: 'swarm' } as const;
    return { ...base, ipam: { configs: [{ subnet, ...more }] } };
  };
  validateNetworkSpec(spec('fd00:1::/64', { gateway: 'fd00:1::fe', range: 'fd00:1::8000/113', reserved: { a: 'FD00:1::1' } }));
  for (const [wrong, words] of [
    [spec('fd00:1::/127'), /too small/],
    [spec('fe80::/64'), /unicast/],
    [spec('ff02::/64'), /unicast/],
    [spec('::/64'), /unicast/],
    [spec('fd00:1::/64', { gateway: '10.0.0.1' }), /subnet fd00:1::\/64 does not contain gateway 10\.0\.0\.1/],
    [spec('fd00:1::/64', { range: 'fd00:2::/80' }), /does not contain range/],
    [spec('fd00:1::/64', { range: 'fd00::/16' }), /does not contain range/],
    [spec('10.0.0.0/24', { range: '10.0.0.0/8' }), /subnet 10\.0\.0\.0\/24 does not contain range 10\.0\.0\.0\/8/],
    [spec('::ffff:10.0.0.0/24'), /invalid subnet ::ffff:10\.0\.0\.0\/24/],
    [spec('fd00:1::/64', { reserved: { a: 'fd00:2::1' } }), /does not contain auxiliary address fd00:2::1/],
    [spec('fd00:1::/64', { reserved: { a: 'x' } }), /invalid auxiliary address x/],
    [spec('fd00:1::/200'), /Invalid subnet/],
    [{ ...spec('fd00:1::/64'), driver: { name: 'overlay', options: { 'com.docker.network.driver.mtu': '1279' } } }, /MTU of at least 1280/],
  ] as const) {
    assert.throws(() => validateNetworkSpec(wrong), { message: words });
  }
  assert.deepEqual(networkWarnings(spec('fd00:1::/64')), []);
  assert.deepEqual(networkWarnings({ ...spec('fd00:1::/64'), ipv6: false }), ['subnet fd00:1::/64 is not used: the network is made without IPv6 (--ipv6)']);
});
