// What an engine can do and Swarm has no field for: labels of a service, as the stock CLI writes and keeps them, are what the container has.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { until } from '../lib/engine.ts';
import { podmanMissing, startPodman } from '../lib/podman.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const IMAGE = 'busybox:options';
const PREFIX = 'com.docker.skep.engine.';

interface Inspected {
  readonly Config: Readonly<Record<string, unknown>>;
  readonly HostConfig: Readonly<Record<string, unknown>>;
}

/** Services on one engine, and what became of them there. */
function servicesOn(skepd: () => TestSkepd) {
  const docker = (...args: string[]) => skepd().docker(...args);
  const labels = (options: Readonly<Record<string, string>>) =>
    Object.entries(options).flatMap(([key, value]) => ['--container-label', `${PREFIX}${key}=${value}`]);
  async function containerOf(service: string): Promise<Inspected> {
    const [task] = (await docker('service', 'ps', '--no-trunc', '-q', service)).split('\n');
    const id = await skepd().engine.docker('ps', '-aq', '--filter', `label=com.docker.swarm.task.id=${task}`);
    return JSON.parse((await skepd().engine.docker('inspect', id)).slice(1, -1)) as Inspected;
  }
  /** The newest task has a container, running or not: some machines that tests run on cannot start a privileged one. */
  const started = (name: string) =>
    until(`a task of ${name} was started`, async () => {
      const [state = '', error] =
        (await docker('service', 'ps', '--no-trunc', '--format', '{{.CurrentState}}|{{.Error}}', name)).split('\n')[0]?.split('|') ?? [];
      if (state.startsWith('Rejected')) throw new Error(`${name}: ${error}`);
      return /^(Running|Failed)/.test(state);
    });
  return {
    labels,
    started,
    containerOf,
    /** A service of one task, and its container as the engine describes it. */
    create: async (name: string, options: Readonly<Record<string, string>>): Promise<Inspected> => {
      const detached = ['--quiet', '--no-resolve-image', '--detach', '--restart-condition', 'none'];
      await docker('service', 'create', ...detached, '--name', name, ...labels(options), IMAGE, 'sleep', '1000');
      await started(name);
      return containerOf(name);
    },
    /** Why no task of a service that is made with these options can run. */
    refused: async (name: string, options: Readonly<Record<string, string>>): Promise<string> => {
      const once = ['--restart-condition', 'none', '--detach', '--quiet', '--no-resolve-image'];
      await docker('service', 'create', ...once, '--name', name, ...labels(options), IMAGE, 'sleep', '1000');
      let error = '';
      await until(`a task of ${name} is refused`, async () => {
        const [state = '', text = ''] = (await docker('service', 'ps', '--no-trunc', '--format', '{{.CurrentState}}|{{.Error}}', name)).split('|');
        error = text;
        return /^(Rejected|Failed)/.test(state);
      });
      return error;
    },
  };
}

function assertHas(actual: Readonly<Record<string, unknown>>, expected: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(expected)) assert.deepEqual(actual[key], value, key);
}

suite('engine options on Docker', () => {
  let skepd: TestSkepd;
  before(async () => {
    skepd = await startSkepd({ engineOptions: { name: 'options' } });
    await skepd.engine.importBusybox(IMAGE);
    await skepd.init();
  });
  after(() => skepd?.stop());
  const { create, containerOf, labels, refused, started } = servicesOn(() => skepd);

  test('the container has what the labels say', async () => {
    const { HostConfig, Config } = await create('all', {
      devices: '/dev/null:/dev/nothing:r,/dev/zero',
      device_cgroup_rules: 'c 1:3 rwm',
      security_opt: 'systempaths=unconfined',
      shm_size: '8m',
      ipc: 'shareable',
      pid: 'host',
      uts: 'host',
      userns_mode: 'host',
      cgroup: 'private',
      cgroup_parent: 'skep-options',
      runtime: 'runc',
      domainname: 'example.test',
      cpu_shares: '512',
      cpu_period: '50ms',
      cpu_quota: '25ms',
      cpuset: '0',
    });
    assertHas(HostConfig, {
      Devices: [
        { PathOnHost: '/dev/null', PathInContainer: '/dev/nothing', CgroupPermissions: 'r' },
        { PathOnHost: '/dev/zero', PathInContainer: '/dev/zero', CgroupPermissions: 'rwm' },
      ],
      DeviceCgroupRules: ['c 1:3 rwm'],
      ShmSize: 8 << 20,
      IpcMode: 'shareable',
      PidMode: 'host',
      UTSMode: 'host',
      UsernsMode: 'host',
      CgroupnsMode: 'private',
      CgroupParent: 'skep-options',
      Runtime: 'runc',
      CpuShares: 512,
      CpuPeriod: 50_000,
      CpuQuota: 25_000,
      CpusetCpus: '0',
      // What `systempaths=unconfined` makes of them.
      MaskedPaths: [],
      ReadonlyPaths: [],
    });
    assert.equal(Config['Domainname'], 'example.test');
  });

  test('an update by the stock CLI keeps them, a changed one makes a new task, and a removed one is gone', async () => {
    const first = await create('kept', { privileged: 'true', network_mode: 'none' });
    assertHas(first.HostConfig, { Privileged: true, NetworkMode: 'none' });
    const update = async (...flags: string[]) => {
      const [before] = (await skepd.docker('service', 'ps', '-q', 'kept')).split('\n');
      await skepd.docker('service', 'update', '--quiet', '--detach', '--no-resolve-image', ...flags, 'kept');
      await until('there is another task', async () => (await skepd.docker('service', 'ps', '-q', 'kept')).split('\n')[0] !== before);
      await started('kept');
      return containerOf('kept');
    };
    const second = await update('--env-add', 'A=b');
    assertHas(second.HostConfig, { Privileged: true, NetworkMode: 'none' });
    assert.ok((second.Config['Env'] as string[]).includes('A=b'));
    assertHas((await update('--container-label-rm', `${PREFIX}privileged`)).HostConfig, { Privileged: false, NetworkMode: 'none' });
  });

  test('what nobody can do is refused by the API, and what this engine cannot do by its node', async () => {
    const bad = async (...flags: string[]) => (await skepd.tryDocker(['service', 'create', '--name', 'bad', '--detach', ...flags, IMAGE])).stderr;
    assert.match(
      await bad(...labels({ pid: 'container:x' })),
      /InvalidArgument desc = ContainerSpec: label com.docker.skep.engine.pid: "container:x" is not "host"/,
    );
    assert.match(await bad(...labels({ shmsize: '1m' })), /did you mean com.docker.skep.engine.shm_size\?/);
    assert.match(await bad('--limit-cpu', '1', ...labels({ cpu_quota: '5' })), /Conflicting options: Nano CPUs and CPU Quota cannot both be set/);
    assert.match(await bad('--publish', '99:9', ...labels({ network_mode: 'none' })), /network_mode none: the service publishes ports/);
    assert.match(await refused('no-gpu', { gpus: 'all' }), /could not select device driver "" with capabilities: \[\[gpu\]\]/);
    assert.match(await refused('no-runtime', { runtime: 'other' }), /[Uu]nknown runtime specified other/);
    assert.match(await refused('no-device', { devices: '/dev/none-such' }), /none-such/);
  });
});

const missing = podmanMissing();

suite('engine options on Podman', { skip: missing ?? false }, () => {
  let skepd: TestSkepd;
  before(async () => {
    const engine = await startPodman({ name: 'podopt' });
    await engine.importBusybox(IMAGE);
    skepd = await startSkepd({ engine });
    await skepd.init();
  });
  after(async () => {
    await skepd?.stop();
    await skepd?.engine.stop();
  });
  const { create, refused } = servicesOn(() => skepd);

  test('the container has what the labels say', async () => {
    const { HostConfig } = await create('all', {
      devices: '/dev/null:/dev/nothing:r',
      shm_size: '8m',
      pid: 'host',
      uts: 'host',
      cgroup_parent: 'skep-options',
      cpu_shares: '512',
      cpu_period: '50ms',
      cpu_quota: '25ms',
      cpuset: '0',
      oom_kill_disable: 'true',
      security_opt: 'systempaths=unconfined',
      network_mode: 'none',
    });
    assertHas(HostConfig, {
      Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/nothing', CgroupPermissions: '' }],
      ShmSize: 8 << 20,
      PidMode: 'host',
      UTSMode: 'host',
      CgroupParent: 'skep-options',
      CpuShares: 512,
      CpuPeriod: 50_000,
      CpuQuota: 25_000,
      CpusetCpus: '0',
      OomKillDisable: true,
      NetworkMode: 'none',
    });
    assertHas((await create('privileged', { privileged: 'true' })).HostConfig, { Privileged: true });
  });

  test('what its compatible API would leave out is refused', async () => {
    assert.match(await refused('no-gpu', { gpus: '1' }), /gpus: Podman's Docker-compatible API does not take it/);
    assert.match(await refused('no-runtime', { runtime: 'runc' }), /runtime: Podman's Docker-compatible API does not take it/);
  });
});
