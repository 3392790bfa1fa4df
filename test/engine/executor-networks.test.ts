// The networks of a task on a real engine: addresses, names that are taken, the gateway bridge, attachments of plain containers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { AssignedNetwork, AssignedTask } from '#agent/executor.ts';
import { testAssignment } from '#agent/testing/tasks.ts';
import type { TestEngine } from '../lib/engine.ts';
import { type ExecutorLab, IMAGE, newTaskId, none, signal, startExecutorLab } from './executor-lab.ts';

let lab: ExecutorLab;
let engine: TestEngine;
const withExecutor: ExecutorLab['withExecutor'] = (use, network) => lab.withExecutor(use, network);

before(async () => {
  lab = await startExecutorLab();
  ({ engine } = lab);
});
after(() => lab?.stop());

const network = (id: string, name: string, third: number): AssignedNetwork => ({
  id,
  name,
  driver: { name: 'overlay' },
  vxlanId: 4096 + third,
  subnets: [{ subnet: `10.180.${third}.0/24`, gateway: `10.180.${third}.1` }],
  internal: false,
  attachable: true,
  labels: {},
});

test('a node that cannot encrypt refuses tasks of encrypted networks, and says why', () => {
  const reason = 'there is no wg; install wireguard-tools';
  return withExecutor(
    async (executor) => {
      const sealed = { ...network('netsealed', 'sealed', 9), driver: { name: 'overlay', options: { encrypted: '' } } };
      const assigned = { ...testAssignment(newTaskId(), { container: { image: IMAGE } }), networks: [sealed] };
      await assert.rejects(
        executor.prepare(assigned, none, () => {}, signal),
        {
          code: 'failedPrecondition',
          message: `network sealed is encrypted, and this node cannot encrypt: ${reason}`,
        },
      );
      assert.deepEqual(await executor.listTaskIds(signal), []);
      assert.equal((await executor.describe(signal)).encryption, undefined);
    },
    { encryption: { kind: 'unavailable', reason } },
  );
});

test('a task gets the addresses that it was given on each of its networks, and unused networks go away', () =>
  withExecutor(async (executor) => {
    await engine.docker('network', 'create', 'taken');
    const networks = [network('n1', 'front', 1), network('n2', 'taken', 2)];
    const base = testAssignment(newTaskId(), {
      container: { image: IMAGE, args: ['sleep', '1000'], dns: { options: ['ndots:2'], nameservers: ['192.0.2.1'] } },
      networks: [
        { networkId: 'n1', addresses: ['10.180.1.77/24'], aliases: ['web'] },
        { networkId: 'n2', addresses: ['10.180.2.78/24'], aliases: [] },
      ],
    });
    const assigned: AssignedTask = { ...base, networks };
    await executor.prepare(assigned, none, () => {}, signal);
    await executor.start(assigned.task, signal);
    const { NetworkSettings, HostConfig } = await lab.inspectTask(executor, assigned);
    assert.equal(NetworkSettings.Networks['front']?.IPAddress, '10.180.1.77');
    assert.equal(NetworkSettings.Networks['taken-n2']?.IPAddress, '10.180.2.78');
    assert.deepEqual(HostConfig['Dns'], ['169.254.53.53', '192.0.2.1']);
    const containerId = (await executor.containerId(assigned.task.id, signal)) ?? '';
    assert.equal(await engine.docker('exec', containerId, 'cat', '/etc/resolv.conf'), 'nameserver 169.254.53.53\nnameserver 192.0.2.1\noptions ndots:2');
    const state = await executor.inspect(assigned.task, signal);
    const endpoint = await executor.endpoint(assigned.task, state, signal);
    assert.deepEqual(endpoint?.networkIds, ['n1', 'n2']);
    assert.deepEqual(endpoint?.nameservers, ['192.0.2.1']);
    await executor.remove(assigned.task, signal);
    const left = await engine.docker('network', 'ls', '--format', '{{.Name}}');
    assert.doesNotMatch(left, /front|taken-n2/);
    assert.match(left, /docker_gwbridge/);
    await engine.docker('network', 'rm', 'taken');
  }));

test('published traffic reaches a task on the default bridge by the gateway bridge, and cannot reach one on the host network', () =>
  withExecutor(async (executor) => {
    const on = (name: string): AssignedTask => {
      const ports = [{ protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'ingress' }] as const;
      const container = { image: IMAGE, args: ['sleep', '1000'] };
      const base = testAssignment(newTaskId(), { ports, container, networks: [{ networkId: name, addresses: [], aliases: [] }] });
      return { ...base, networks: [{ id: name, name, driver: { name }, subnets: [], internal: false, attachable: false, labels: {} }] };
    };
    const bridged = on('bridge');
    await executor.prepare(bridged, none, () => {}, signal);
    await executor.start(bridged.task, signal);
    const endpoint = await executor.endpoint(bridged.task, await executor.inspect(bridged.task, signal), signal);
    assert.match(endpoint?.gatewayAddress ?? '', /^172\.31\./);
    // Somebody prunes the engine itself while nobody is on the gateway bridge.
    await executor.remove(bridged.task, signal);
    await engine.docker('network', 'rm', 'docker_gwbridge');
    const next = on('bridge');
    await executor.prepare(next, none, () => {}, signal);
    await executor.start(next.task, signal);
    await assert.rejects(
      executor.prepare(on('host'), none, () => {}, signal),
      /cannot be connected to any other network/,
    );
  }));

test('a plain container on an attachable network is found by the address of its attachment', () =>
  withExecutor(async (executor) => {
    const base = testAssignment(newTaskId(), { networks: [{ networkId: 'n3', addresses: ['10.180.3.5/24'], aliases: [] }] });
    const task = { ...base.task, spec: { runtime: { kind: 'attachment' as const, containerId: '' }, forceUpdate: 0 } };
    await executor.prepare({ ...base, task, networks: [network('n3', 'attach', 3)] }, none, () => {}, signal);
    assert.equal(await executor.endpoint(task, undefined, signal), undefined);
    const id = await engine.docker('run', '-d', '--network', 'attach', '--ip', '10.180.3.5', '--stop-signal', 'KILL', IMAGE, 'sleep', '1000');
    const endpoint = await executor.endpoint(task, undefined, signal);
    assert.equal(endpoint?.containerId, id);
    assert.ok((endpoint?.pid ?? 0) > 0);
    await assert.rejects(engine.docker('run', '--network', 'attach', IMAGE, 'true'), /no available IPv4 addresses/);
    // The container keeps the network as long as it is on it.
    await executor.remove(task, signal);
    assert.match(await engine.docker('network', 'ls'), /attach/);
    await engine.docker('rm', '-f', id);
  }));
