import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeTask } from '#store/fixtures.ts';
import type { AssignedTask } from '#agent/executor.ts';
import { containerConfig } from './container-config.ts';
import { hostPortLabels, hostPortsOf, hostsFile, sandboxSpec } from './sandbox.ts';

const overlay = { id: 'n1', name: 'app', driver: 'overlay', vxlanId: 4097, subnets: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1' }], labels: {} };
const host = { id: 'h', name: 'host', driver: 'host', subnets: [], labels: {} };
const published = { protocol: 'tcp', targetPort: 80, publishedPort: 9000, publishMode: 'host' } as const;
const task = makeTask('t1', {
  networks: [{ networkId: 'n1', addresses: ['10.0.1.5/24'], aliases: [] }],
  endpoint: { ports: [published, { ...published, publishedPort: 8080, publishMode: 'ingress' }] },
});
const assigned = (networks: readonly object[], of = task): AssignedTask => ({ task: of, networks }) as unknown as AssignedTask;

test('a sandbox has the task’s overlays with its addresses, and its own ports only', () => {
  assert.deepEqual(sandboxSpec(assigned([overlay])), {
    taskId: 't1',
    networks: [{ networkId: 'n1', vxlanId: 4097, gateways: ['10.0.1.1/24'], address: '10.0.1.5/24' }],
    hostPorts: [published],
  });
});

test('a task on a network of the engine’s own has no sandbox; on both kinds it cannot be', () => {
  const bare = makeTask('t2', { networks: [{ networkId: 'h', addresses: [], aliases: [] }] });
  assert.equal(sandboxSpec(assigned([host], bare)), undefined);
  assert.throws(() => sandboxSpec(assigned([overlay, host])), /network host: on a Podman node/);
  assert.throws(() => sandboxSpec(assigned([host])), /ports published through the ingress/);
});

test('/etc/hosts has the user’s lines and the task’s own name', () => {
  const spec = sandboxSpec(assigned([overlay]));
  assert.ok(spec);
  const lines = hostsFile('me', { image: 'i', hosts: ['10.9.9.9 db  db2'] }, spec).split('\n');
  assert.deepEqual(lines.slice(-3), ['10.9.9.9\tdb\tdb2', '10.0.1.5\tme', '']);
});

test('a container in a sandbox joins its namespace, binds no ports, and says which it has', () => {
  const place = { namespace: '/run/netns/skep-t-t1', hostPorts: [published] };
  const { body } = containerConfig({
    task,
    spec: { image: 'i' },
    instance: 'x',
    networks: [],
    overlay: true,
    dnsAddress: '169.254.53.53',
    files: [],
    minorVersion: 41,
    sandbox: place,
    isPodman: true,
    labels: hostPortLabels(place),
  });
  const { HostConfig, Labels, ...rest } = body as {
    HostConfig: Record<string, unknown>;
    Labels: Record<string, string>;
    StopTimeout: number;
    Healthcheck: object;
  };
  assert.equal(HostConfig['NetworkMode'], 'ns:/run/netns/skep-t-t1');
  assert.equal(HostConfig['PortBindings'], undefined);
  assert.deepEqual(HostConfig['Dns'], ['169.254.53.53']);
  assert.deepEqual(hostPortsOf(Labels), [published]);
  assert.equal(rest.StopTimeout, 10);
  assert.deepEqual(rest.Healthcheck, { Test: ['NONE'] });
});
