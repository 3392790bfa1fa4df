// The executor's contract on a real engine, and what only a real engine shows: each field of a container spec as the container has it.
import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { AssignedTask, TaskDependencies } from '#agent/executor.ts';
import { testAssignment } from '#agent/testing/tasks.ts';
import { createEngineConnection } from '#engine-link/link.ts';
import { createDockerExecutor } from '#engine/docker-executor.ts';
import { taskLogs } from '#engine/logs.ts';
import { silentLogger } from '#lib/log.ts';
import { systemClock } from '#platform/clock.ts';
import { executorContract, type ExecutorWorld } from '../contracts/executor.ts';
import { type TestEngine, until } from '../lib/engine.ts';
import { type ExecutorLab, IMAGE, newTaskId, none, signal, startExecutorLab } from './executor-lab.ts';

let lab: ExecutorLab;
let engine: TestEngine;
const withExecutor: ExecutorLab['withExecutor'] = (use, network) => lab.withExecutor(use, network);

before(async () => {
  lab = await startExecutorLab();
  ({ engine } = lab);
});
after(() => lab?.stop());

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
    const { Name, Config, HostConfig } = await lab.inspectTask(executor, task);
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
    const { HostConfig } = await lab.inspectTask(executor, assigned);
    const source = HostConfig.Mounts.find(({ Target }) => Target === '/run/secrets/password')?.Source ?? '';
    assert.equal((await stat(source)).mode & 0o777, 0o400);
    await executor.remove(assigned.task, signal);
    await assert.rejects(stat(source), { code: 'ENOENT' });
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
      for await (const line of taskLogs({ link: lab.link, containerId, options: { follow: true, stdout: true, stderr: true }, signal })) lines.push(line);
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
