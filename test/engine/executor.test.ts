// The executor's contract on a real engine, and what only a real engine shows: each field of a container spec as the container has it.
// The swarm's network driver is not here; plain bridges stand in for overlays.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineLink } from '#engine-link/connection.ts';
import { createEngineConnection } from '#engine-link/link.ts';
import type { AssignedNetwork, AssignedTask, TaskDependencies } from '#agent/executor.ts';
import { testAssignment } from '#agent/testing/tasks.ts';
import { createDockerExecutor, type DockerExecutor } from '#engine/docker-executor.ts';
import { taskLogs } from '#engine/logs.ts';
import { silentLogger } from '#lib/log.ts';
import { systemClock } from '#platform/clock.ts';
import { executorContract, type ExecutorWorld } from '../contracts/executor.ts';
import { startEngine, type TestEngine, until } from '../lib/engine.ts';

const IMAGE = 'busybox:test';
const signal = new AbortController().signal;
const none: TaskDependencies = { secret: () => undefined, config: () => undefined };
let engine: TestEngine;
let link: EngineLink;

before(async () => {
  engine = await startEngine({ name: 'executor', daemonArgs: ['--label', 'zone=a'] });
  link = createEngineConnection({ address: `unix://${engine.socket}`, clock: systemClock });
  await engine.importBusybox(IMAGE);
});
after(() => engine?.stop());

const newTaskId = () => randomBytes(13).toString('hex').slice(0, 25);

async function withExecutor(use: (executor: DockerExecutor) => Promise<void>): Promise<void> {
  const stateDir = await mkdtemp(join(engine.folder, 'state-'));
  const executor = createDockerExecutor({
    link,
    stateDir,
    instance: newTaskId(),
    network: { driverName: 'bridge', dnsAddress: '169.254.53.53' },
    dataPathAddress: () => engine.address,
    clock: systemClock,
    log: silentLogger,
    procRoot: engine.procRoot,
    // The engine lives in a mount namespace of its own: a mount made here would not be seen there.
    files: { mountTmpfs: async () => {}, unmount: async () => {} },
  });
  try {
    await use(executor);
  } finally {
    for (const id of await executor.listTaskIds(signal)) await executor.remove({ id }, signal);
    await executor.destroy(signal);
  }
}

const commands: Readonly<Record<string, readonly string[]>> = {
  runs: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'],
  fails: ['sh', '-c', 'exit 3'],
  completes: ['true'],
  'no-command': ['/no/such/command'],
};

const assignment: ExecutorWorld['task'] = (kind, container) => {
  const health = kind === 'healthy' || kind === 'unhealthy';
  const args = commands[kind] ?? ['sleep', '1000'];
  return testAssignment(newTaskId(), {
    container: {
      image: kind === 'no-image' ? 'localhost:1/nothing:1' : IMAGE,
      args,
      ...(health ? { healthcheck: { test: ['CMD', kind === 'healthy' ? 'true' : 'false'], intervalNs: 1e8, retries: 1 } } : {}),
      ...container,
    },
  });
};

executorContract('docker executor', (use) => withExecutor((executor) => use({ executor, task: assignment, pass: () => delay(10) })));

test('the node is described by what the engine says of it', () =>
  withExecutor(async (executor) => {
    const description = await executor.describe(signal);
    assert.equal(description.platform.os, 'linux');
    assert.deepEqual(description.engine.labels, { zone: 'a' });
    assert.ok(description.engine.plugins.some(({ type, name }) => type === 'Volume' && name === 'local'));
    assert.ok((description.resources.memoryBytes ?? 0) > 0);
  }));

interface Inspected {
  readonly Name: string;
  readonly Config: Record<string, unknown> & { readonly Labels: Record<string, string>; readonly Env: string[] };
  readonly HostConfig: Record<string, unknown> & { readonly Mounts: { readonly Source?: string; readonly Target: string; readonly Type: string }[] };
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAddress: string; readonly IPAMConfig: { readonly IPv4Address: string } | null }> };
}

async function inspectTask(executor: DockerExecutor, assigned: AssignedTask): Promise<Inspected> {
  return JSON.parse((await engine.docker('inspect', (await executor.containerId(assigned.task.id, signal)) ?? '')).slice(1, -1)) as Inspected;
}

test('every field of a container spec lands in the container', () =>
  withExecutor(async (executor) => {
    const assigned = testAssignment(newTaskId(), {
      slot: 3,
      genericResources: [
        { kind: 'named', name: 'gpu', value: 'A' },
        { kind: 'named', name: 'gpu', value: 'B' },
      ],
      logDriver: { name: 'json-file', options: { 'max-size': '1m' } },
      ports: [{ protocol: 'tcp', targetPort: 80, publishedPort: 0, publishMode: 'host' }],
      container: {
        image: IMAGE,
        labels: { a: 'b', 'com.docker.swarm.task.id': 'forged' },
        command: ['sh'],
        args: ['-c', 'sleep 1000'],
        hostname: '{{.Service.Name}}-{{.Task.Slot}}',
        env: ['SLOT={{.Task.Slot}}'],
        dir: '/tmp',
        user: '1000',
        groups: ['1001'],
        privileges: { noNewPrivileges: true, apparmor: { mode: 'disabled' }, seccomp: { mode: 'unconfined' } },
        init: true,
        stopSignal: 'SIGUSR1',
        tty: true,
        openStdin: true,
        readOnly: true,
        mounts: [
          { type: 'tmpfs', target: '/scratch', tmpfs: { sizeBytes: 1 << 20, mode: 0o700 } },
          { type: 'volume', source: 'data-{{.Task.Slot}}', target: '/data', volume: { noCopy: true, labels: { l: 'm' } } },
          { type: 'bind', source: engine.folder, target: '/host', readOnly: true },
        ],
        stopGracePeriodNs: 1_500_000_000,
        healthcheck: { test: ['CMD', 'true'], intervalNs: 1e9, timeoutNs: 2e9, startPeriodNs: 3e9, retries: 4 },
        hosts: ['10.9.8.7 one two'],
        dns: { nameservers: ['192.0.2.1'], search: ['example.test'], options: ['timeout:3'] },
        isolation: 'default',
        sysctls: { 'net.core.somaxconn': '300' },
        capabilityAdd: ['CAP_NET_ADMIN'],
        capabilityDrop: ['CAP_CHOWN'],
        ulimits: [{ name: 'nofile', soft: 100, hard: 200 }],
        oomScoreAdj: 100,
      },
    });

    const container = containerOf(assigned);
    const task: AssignedTask = {
      ...assigned,
      task: {
        ...assigned.task,
        spec: {
          runtime: { kind: 'container', container },
          forceUpdate: 0,
          resources: { limits: { nanoCpus: 5e8, memoryBytes: 64 << 20, pids: 50 }, reservations: { memoryBytes: 32 << 20 } },
        },
      },
    };
    await executor.prepare(task, none, () => {}, signal);
    await executor.start(task.task, signal);
    const { Name, Config, HostConfig } = await inspectTask(executor, task);
    assert.equal(Name, `/web.3.${task.task.id}`);
    assert.equal(Config.Labels['com.docker.swarm.task.id'], task.task.id);
    assert.equal(Config.Labels['com.docker.swarm.service.name'], 'web');
    assert.equal(Config.Labels['a'], 'b');
    assert.equal(Config['Hostname'], 'web-3');
    assert.ok(Config.Env.includes('SLOT=3'));
    assert.ok(Config.Env.includes('DOCKER_RESOURCE_GPU=A,B'));
    assert.deepEqual(Config['Entrypoint'], ['sh']);
    assert.deepEqual(Config['Cmd'], ['-c', 'sleep 1000']);
    const expectedConfig = { WorkingDir: '/tmp', User: '1000', StopSignal: 'SIGUSR1', StopTimeout: 2, Tty: true, OpenStdin: true };
    for (const [key, value] of Object.entries(expectedConfig)) assert.deepEqual(Config[key], value, key);
    assert.deepEqual(Config['Healthcheck'], { Test: ['CMD', 'true'], Interval: 1e9, Timeout: 2e9, StartPeriod: 3e9, Retries: 4 });
    const expectedHost = {
      GroupAdd: ['1001'],
      Init: true,
      ReadonlyRootfs: true,
      ExtraHosts: ['one:10.9.8.7', 'two:10.9.8.7'],
      Dns: ['192.0.2.1'],
      DnsSearch: ['example.test'],
      DnsOptions: ['timeout:3'],
      Sysctls: { 'net.core.somaxconn': '300' },
      OomScoreAdj: 100,
      Ulimits: [{ Name: 'nofile', Hard: 200, Soft: 100 }],
      SecurityOpt: ['seccomp=unconfined', 'apparmor=unconfined', 'no-new-privileges=true'],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
      NanoCpus: 5e8,
      Memory: 64 << 20,
      MemoryReservation: 32 << 20,
      PidsLimit: 50,
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
    };
    for (const [key, value] of Object.entries(expectedHost)) assert.deepEqual(HostConfig[key], value, key);
    assert.deepEqual(
      HostConfig.Mounts.map(({ Type, Target }) => [Type, Target]),
      [
        ['tmpfs', '/scratch'],
        ['volume', '/data'],
        ['bind', '/host'],
      ],
    );
    assert.equal(await engine.docker('volume', 'inspect', '--format', '{{.Labels.l}}', 'data-3'), 'm');
    const state = await executor.inspect(task.task, signal);
    assert.equal(state?.hostPorts[0]?.targetPort, 80);
    assert.ok((state?.hostPorts[0]?.publishedPort ?? 0) > 0);
  }));

function containerOf({ task }: AssignedTask) {
  return task.spec.runtime.kind === 'container' ? task.spec.runtime.container : assert.fail();
}

const encoder = new TextEncoder();

test('secrets and configs appear with their owner and mode, templates expanded, and are gone with the task', () =>
  withExecutor(async (executor) => {
    const file = (name: string, mode: number) => ({ name, uid: '1000', gid: '1001', mode });
    const assigned = testAssignment(newTaskId(), {
      container: {
        image: IMAGE,
        args: ['sh', '-c', 'cat /run/secrets/password /etc/app.conf; stat -c "%u %g %a" /run/secrets/password /etc/app.conf; sleep 1000'],
        env: ['COLOUR=blue'],
        secrets: [{ secretId: 's1', secretName: 'password', file: file('password', 0o400) }],
        configs: [{ configId: 'c1', configName: 'conf', target: { kind: 'file', file: file('etc/app.conf', 0o440) } }],
      },
    });
    const dependencies: TaskDependencies = {
      secret: (id) => (id === 's1' ? { id, version: 1, name: 'password', data: encoder.encode('hidden\n') } : undefined),
      config: (id) =>
        id === 'c1'
          ? { id, version: 1, name: 'conf', data: encoder.encode('{{env "COLOUR"}} {{secret "password"}}'), templating: { name: 'golang' } }
          : undefined,
    };
    await executor.prepare(assigned, dependencies, () => {}, signal);
    await executor.start(assigned.task, signal);
    const containerId = (await executor.containerId(assigned.task.id, signal)) ?? '';
    const expected = 'hidden\nblue hidden\n1000 1001 400\n1000 1001 440';
    await until('the container has read its files', async () => (await engine.docker('logs', containerId)) === expected);
    const { HostConfig } = await inspectTask(executor, assigned);
    const source = HostConfig.Mounts.find(({ Target }) => Target === '/run/secrets/password')?.Source ?? '';
    assert.equal((await stat(source)).mode & 0o777, 0o400);
    await executor.remove(assigned.task, signal);
    await assert.rejects(stat(source), { code: 'ENOENT' });
  }));

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

test('a node that cannot encrypt refuses tasks of encrypted networks, and says why', async () => {
  const reason = 'there is no wg; install wireguard-tools';
  const stateDir = await mkdtemp(join(engine.folder, 'state-'));
  const executor = createDockerExecutor({
    link,
    stateDir,
    instance: newTaskId(),
    network: { driverName: 'bridge', dnsAddress: '169.254.53.53', encryption: { kind: 'unavailable', reason } },
    dataPathAddress: () => engine.address,
    clock: systemClock,
    log: silentLogger,
    procRoot: engine.procRoot,
    files: { mountTmpfs: async () => {}, unmount: async () => {} },
  });
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
  await executor.destroy(signal);
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
    const { NetworkSettings, HostConfig } = await inspectTask(executor, assigned);
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

test('a task with published ports serves once they listen, and is drained once its connections have ended', () =>
  withExecutor(async (executor) => {
    const assigned = testAssignment(newTaskId(), {
      ports: [{ protocol: 'tcp', targetPort: 8000, publishedPort: 8000, publishMode: 'ingress' }],
      container: { image: IMAGE, args: ['sh', '-c', 'sleep 0.5; exec nc -ll -p 8000 -e cat'] },
    });
    const { task } = assigned;
    await executor.prepare(assigned, none, () => {}, signal);
    await executor.start(task, signal);
    const state = (await executor.inspect(task, signal)) ?? assert.fail();
    assert.equal(await executor.serving(task, state, signal), false);
    await until('the port listens', () => executor.serving(task, state, signal));
    const { gatewayAddress = '' } = (await executor.endpoint(task, state, signal)) ?? {};
    assert.match(gatewayAddress, /^172\./);
    const client = await engine.spawnInside(['sh', '-c', `sleep 1 | busybox nc ${gatewayAddress} 8000`]);
    await delay(200);
    const begun = Date.now();
    await executor.drain(task, 5_000, signal);
    const tookMs = Date.now() - begun;
    assert.ok(tookMs > 300 && tookMs < 4_000, `draining took ${tookMs} ms`);
    await client.exited;
  }));

test('logs come as whole lines with stream, time and order; terminals too', () =>
  withExecutor(async (executor) => {
    for (const tty of [false, true]) {
      const assigned = assignment('runs', { tty, args: ['sh', '-c', 'echo out; echo err >&2; head -c 40000 /dev/zero | tr "\\0" x; echo; printf end'] });
      await executor.prepare(assigned, none, () => {}, signal);
      await executor.start(assigned.task, signal);
      await until('it has ended', async () => (await executor.inspect(assigned.task, signal))?.status === 'exited');
      const containerId = (await executor.containerId(assigned.task.id, signal)) ?? '';
      const lines = [];
      for await (const line of taskLogs({ link, containerId, options: { follow: true, stdout: true, stderr: true }, signal })) lines.push(line);
      const texts = lines.filter(({ stream }) => stream === 'stdout').map(({ line }) => Buffer.from(line).toString().replace('\r', ''));
      const shown = texts.map((text) => text.replace(/x{2,}/, (run) => `x*${run.length}`));
      assert.deepEqual(shown, tty ? ['out\n', 'err\n', 'x*40000\n', 'end\n'] : ['out\n', 'x*40000\n', 'end\n']);
      assert.ok(lines.every(({ timestamp }) => /^\d{4}-\d\d-\d\dT.*Z$/.test(timestamp)));
    }
  }));

test('an engine that cannot be reached is told apart from a failed task', () =>
  withExecutor(async () => {
    const executor = createDockerExecutor({
      link: createEngineConnection({ address: `unix://${join(engine.folder, 'nothing.sock')}`, clock: systemClock }),
      stateDir: engine.folder,
      instance: 'x',
      network: { driverName: 'bridge', dnsAddress: '' },
      dataPathAddress: () => '',
      clock: systemClock,
      log: silentLogger,
    });
    await assert.rejects(executor.describe(signal), { code: 'unavailable' });
  }));
