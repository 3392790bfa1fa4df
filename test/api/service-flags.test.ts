// Every flag of `docker service create` and `docker service update` by the real CLI: what it sets is in `docker service inspect`, and nothing else
// changes. The daemon is the one in this process.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { lacksCli, notFound } from '../lib/cli-version.ts';
import { type DockerCli, dockerCli, skipWithoutDocker } from './docker-cli.ts';
import { type InProcessApi, startInProcessApi } from './in-process.ts';
import type { Recorded } from './shared-data.ts';

const SECOND = 1_000_000_000;
const noScore = lacksCli(28, '--oom-score-adj');
const noStartInterval = lacksCli(25, '--health-start-interval');

describe('docker service', { skip: skipWithoutDocker }, () => {
  let api: InProcessApi;
  let docker: DockerCli;
  const ids: Record<string, string> = {};

  before(async () => {
    api = await startInProcessApi();
    await api.init();
    docker = dockerCli(api.socketPath);
    for (const name of ['net1', 'net2']) ids[name] = await docker.ok('network', 'create', '-d', 'overlay', name);
    for (const [kind, name] of [
      ['secret', 's1'],
      ['secret', 's2'],
      ['config', 'c1'],
      ['config', 'c2'],
    ] as const) {
      ids[name] = await docker.ok(kind, 'create', name, '/etc/hostname');
    }
  });
  after(async () => {
    docker?.close();
    await api?.close();
  });

  const create = (name: string, ...flags: string[]) =>
    docker.ok('service', 'create', '-d', '--no-resolve-image', '--name', name, ...flags, 'tiny:1', 'sleep', '1000');

  /** As a user does who is told that the service has changed meanwhile (addresses were given): again. */
  async function update(name: string, ...flags: string[]): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      const { code, stderr } = await docker.run('service', 'update', '-d', '--no-resolve-image', ...flags, name);
      if (code === 0) return;
      assert.ok(stderr.includes('update out of sequence') && tries < 10, `${flags.join(' ')}: ${stderr}`);
    }
  }

  /** The stored spec, without what `inspect` adds. */
  async function specOf(name: string): Promise<Recorded> {
    const { body } = await api.http('GET', `/services/${name}`);
    return (body as Recorded)['Spec'] as Recorded;
  }

  test('create: identity, container, health and hosts', async (t) => {
    for (const missing of [noScore, noStartInterval]) if (missing) t.diagnostic(missing);
    const flags = ['--label', 'l=1', '--container-label', 'cl=1', '--entrypoint', 'sh -c', '--env', 'A=b', '-e', 'C=d e', '--hostname', 'h-{{.Task.Slot}}'];
    flags.push('--user', 'app', '--group', 'extra', '--workdir', '/tmp', '--tty', '--read-only', '--init', '--stop-signal', 'SIGINT');
    flags.push('--stop-grace-period', '7s', '--isolation', 'default', '--cap-add', 'NET_ADMIN', '--cap-drop', 'CHOWN', '--sysctl', 'net.core.somaxconn=5');
    flags.push('--ulimit', 'nofile=5:9', '--dns', '1.1.1.1', '--dns-option', 'ndots:1', '--dns-search', 'example.org');
    flags.push('--host', 'db:1.2.3.4', '--health-cmd', 'true', '--health-interval', '3s', '--health-retries', '4', '--health-start-period', '5s');
    flags.push('--health-timeout', '2s');
    if (!noScore) flags.push('--oom-score-adj', '50');
    if (!noStartInterval) flags.push('--health-start-interval', '1s');
    await create('container', ...flags);
    const spec = await specOf('container');
    assert.deepEqual(spec['Labels'], { l: '1' });
    assert.deepEqual(spec['TaskTemplate'].ContainerSpec, {
      Image: 'tiny:1',
      Labels: { cl: '1' },
      Command: ['sh', '-c'],
      Args: ['sleep', '1000'],
      Hostname: 'h-{{.Task.Slot}}',
      Env: ['A=b', 'C=d e'],
      Dir: '/tmp',
      User: 'app',
      Groups: ['extra'],
      Init: true,
      StopSignal: 'SIGINT',
      TTY: true,
      ReadOnly: true,
      StopGracePeriod: 7 * SECOND,
      Healthcheck: {
        Test: ['CMD-SHELL', 'true'],
        Interval: 3 * SECOND,
        Timeout: 2 * SECOND,
        StartPeriod: 5 * SECOND,
        ...(noStartInterval ? {} : { StartInterval: SECOND }),
        Retries: 4,
      },
      Hosts: ['1.2.3.4 db'],
      DNSConfig: { Nameservers: ['1.1.1.1'], Search: ['example.org'], Options: ['ndots:1'] },
      Isolation: 'default',
      Sysctls: { 'net.core.somaxconn': '5' },
      CapabilityAdd: ['CAP_NET_ADMIN'],
      CapabilityDrop: ['CAP_CHOWN'],
      Ulimits: [{ Name: 'nofile', Hard: 9, Soft: 5 }],
      ...(noScore ? {} : { OomScoreAdj: 50 }),
    });
    const pretty = await docker.ok('service', 'inspect', '--pretty', 'container');
    for (const line of ['Name:\t\tcontainer', ' l=1', ' Image:\t\ttiny:1', ' Args:\t\tsleep 1000', ' Env:\t\tA=b C=d e', ' User: app', ' Init:\t\ttrue']) {
      assert.ok(pretty.includes(line), `${line} is missing in\n${pretty}`);
    }
    assert.match(pretty, /Healthcheck:\n {2}Interval = 3s\n {2}Retries = 4\n {2}StartPeriod =\t5s\n {2}Timeout =\t2s/);
  });

  test('create: resources, restarts, placement and logging', async () => {
    const flags = ['--limit-cpu', '0.5', '--limit-memory', '64m', '--limit-pids', '50', '--reserve-cpu', '0.1', '--reserve-memory', '10m'];
    flags.push('--generic-resource', 'gpu=1', '--restart-condition', 'on-failure', '--restart-delay', '1s', '--restart-max-attempts', '3');
    flags.push('--restart-window', '10s', '--constraint', 'node.role==manager', '--placement-pref', 'spread=node.labels.zone');
    flags.push('--replicas', '2', '--replicas-max-per-node', '4', '--log-driver', 'json-file', '--log-opt', 'max-size=1m');
    await create('placed', ...flags);
    const { TaskTemplate: task, Mode: mode } = await specOf('placed');
    assert.deepEqual(mode, { Replicated: { Replicas: 2 } });
    assert.deepEqual(task.Resources, {
      Limits: { NanoCPUs: 500_000_000, MemoryBytes: 67_108_864, Pids: 50 },
      Reservations: {
        NanoCPUs: 100_000_000,
        MemoryBytes: 10_485_760,
        GenericResources: [{ DiscreteResourceSpec: { Kind: 'gpu', Value: 1 } }],
      },
    });
    assert.deepEqual(task.RestartPolicy, { Condition: 'on-failure', Delay: SECOND, MaxAttempts: 3, Window: 10 * SECOND });
    assert.deepEqual(task.Placement, {
      Constraints: ['node.role==manager'],
      Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }],
      MaxReplicas: 4,
    });
    assert.deepEqual(task.LogDriver, { Name: 'json-file', Options: { 'max-size': '1m' } });
    const pretty = await docker.ok('service', 'inspect', '--pretty', 'placed');
    assert.match(pretty, /Resources:\n Reservations:\n {2}CPU:\t\t0\.1\n {2}Memory:\t10MiB\n Limits:\n {2}CPU:\t\t0\.5\n {2}Memory:\t64MiB/);
    assert.match(pretty, /Constraints:\s+\[node\.role==manager\]/);
    assert.match(pretty, /Max Replicas Per Node:\s+4/);
  });

  test('create: updates and rollbacks', async () => {
    const of = (kind: string, action: string) =>
      Object.entries({ delay: '1s', 'failure-action': action, 'max-failure-ratio': '0.5', monitor: '6s', order: 'start-first', parallelism: '2' }).flatMap(
        ([name, value]) => [`--${kind}-${name}`, value],
      );
    await create('updates', ...of('update', 'rollback'), ...of('rollback', 'continue'));
    const config = { Parallelism: 2, Delay: SECOND, Monitor: 6 * SECOND, MaxFailureRatio: 0.5, Order: 'start-first' };
    const spec = await specOf('updates');
    assert.deepEqual(spec['UpdateConfig'], { ...config, FailureAction: 'rollback' });
    assert.deepEqual(spec['RollbackConfig'], { ...config, FailureAction: 'continue' });
    assert.match(
      await docker.ok('service', 'inspect', '--pretty', 'updates'),
      /UpdateConfig:\n Parallelism:\t2\n Delay:\t\t1s\n On failure:\trollback\n Monitoring Period: 6s\n Max failure ratio: 0\.5\n Update order: {6}start-first/,
    );
  });

  test('create: networks, ports, mounts, secrets and configs', async () => {
    const flags = ['--network', 'name=net1,alias=a1,driver-opt=k=v', '--network', 'net2', '--endpoint-mode', 'vip'];
    flags.push('-p', '8080:80', '--publish', 'published=9000,target=90,protocol=udp,mode=host');
    flags.push('--mount', 'type=bind,source=/tmp,target=/host,readonly,bind-propagation=rslave');
    flags.push('--mount', 'type=volume,source=v1,target=/data,volume-nocopy,volume-label=vl=1,volume-driver=local,volume-opt=o=x');
    flags.push('--mount', 'type=tmpfs,target=/t,tmpfs-size=1000000,tmpfs-mode=1770');
    flags.push(
      '--secret',
      's1',
      '--secret',
      'source=s2,target=/etc/s2,uid=1,gid=2,mode=0400',
      '--config',
      'c1',
      '--config',
      'source=c2,target=/etc/c2,mode=0440',
    );
    await create('files', ...flags);
    const spec = await specOf('files');
    // The CLI puts them in order of their ids.
    const [net1, net2] = [{ Target: ids['net1'], Aliases: ['a1'], DriverOpts: { k: 'v' } }, { Target: ids['net2'] }];
    assert.deepEqual(spec['TaskTemplate'].Networks, (ids['net1'] ?? '') < (ids['net2'] ?? '') ? [net1, net2] : [net2, net1]);
    assert.deepEqual(spec['EndpointSpec'], {
      Mode: 'vip',
      Ports: [
        { Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' },
        { Protocol: 'udp', TargetPort: 90, PublishedPort: 9000, PublishMode: 'host' },
      ],
    });
    const container = spec['TaskTemplate'].ContainerSpec;
    assert.deepEqual(container.Mounts, [
      { Type: 'bind', Source: '/tmp', Target: '/host', ReadOnly: true, BindOptions: { Propagation: 'rslave' } },
      {
        Type: 'volume',
        Source: 'v1',
        Target: '/data',
        VolumeOptions: { NoCopy: true, Labels: { vl: '1' }, DriverConfig: { Name: 'local', Options: { o: 'x' } } },
      },
      { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1_000_000, Mode: 0o1770 } },
    ]);
    // The CLI sends secrets and configs in any order.
    const byName = (key: string) => (a: Recorded, b: Recorded) => (a[key] < b[key] ? -1 : 1);
    assert.deepEqual(container.Secrets.toSorted(byName('SecretName')), [
      { File: { Name: 's1', UID: '0', GID: '0', Mode: 0o444 }, SecretID: ids['s1'], SecretName: 's1' },
      { File: { Name: '/etc/s2', UID: '1', GID: '2', Mode: 0o400 }, SecretID: ids['s2'], SecretName: 's2' },
    ]);
    assert.deepEqual(container.Configs.toSorted(byName('ConfigName')), [
      { File: { Name: 'c1', UID: '0', GID: '0', Mode: 0o444 }, ConfigID: ids['c1'], ConfigName: 'c1' },
      { File: { Name: '/etc/c2', UID: '0', GID: '0', Mode: 0o440 }, ConfigID: ids['c2'], ConfigName: 'c2' },
    ]);
    const pretty = await docker.ok('service', 'inspect', '--pretty', 'files');
    assert.match(pretty, /Networks: net\d net\d/);
    assert.match(pretty, /PublishedPort = 8080\n {2}Protocol = tcp\n {2}TargetPort = 80\n {2}PublishMode = ingress/);
    assert.match(pretty, / Target:\ts1\n {2}Source:\ts1/);
  });

  test('create: the modes, and what else has a flag of its own', async () => {
    await create('everywhere', '--mode', 'global', '--no-healthcheck', '--endpoint-mode', 'dnsrr');
    const everywhere = await specOf('everywhere');
    assert.deepEqual([everywhere['Mode'], everywhere['EndpointSpec']], [{ Global: {} }, { Mode: 'dnsrr' }]);
    assert.deepEqual(everywhere['TaskTemplate'].ContainerSpec.Healthcheck, { Test: ['NONE'] });
    await create('batch', '--mode', 'replicated-job', '--replicas', '5', '--max-concurrent', '2');
    assert.deepEqual((await specOf('batch'))['Mode'], { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 5 } });
    await create('sweep', '--mode', 'global-job');
    assert.deepEqual((await specOf('sweep'))['Mode'], { GlobalJob: {} });
    await create('windows', '--credential-spec', 'file://spec.json');
    assert.deepEqual((await specOf('windows'))['TaskTemplate'].ContainerSpec.Privileges.CredentialSpec, { Config: '', File: 'spec.json', Registry: '' });
    for (const name of ['everywhere', 'batch', 'sweep', 'windows']) await docker.ok('service', 'inspect', '--pretty', name);
    assert.match(await docker.ok('service', 'ls'), /batch\s+replicated job\s+\d\/2 \(\d\/5 completed\)/);
  });

  test('update: each flag changes what it names and nothing else', async (t) => {
    if (noScore) t.diagnostic(noScore);
    await create('u', '--env', 'A=1', '--label', 'l=1', '--replicas', '0');
    const container = (change: (container: Recorded) => void) => (spec: Recorded) => change(spec['TaskTemplate'].ContainerSpec);
    const task = (change: (task: Recorded) => void) => (spec: Recorded) => change(spec['TaskTemplate']);
    const steps: readonly (readonly [flags: string, change: (spec: Recorded) => void])[] = [
      ['--args "echo hi"', container((c) => (c['Args'] = ['echo', 'hi']))],
      ['--cap-add NET_RAW', container((c) => (c['CapabilityAdd'] = ['CAP_NET_RAW']))],
      ['--cap-drop CHOWN', container((c) => (c['CapabilityDrop'] = ['CAP_CHOWN']))],
      ['--config-add c1', container((c) => (c['Configs'] = [{ File: { Name: 'c1', UID: '0', GID: '0', Mode: 292 }, ConfigID: ids['c1'], ConfigName: 'c1' }]))],
      ['--config-rm c1', container((c) => delete c['Configs'])],
      ['--secret-add s1', container((c) => (c['Secrets'] = [{ File: { Name: 's1', UID: '0', GID: '0', Mode: 292 }, SecretID: ids['s1'], SecretName: 's1' }]))],
      ['--secret-rm s1', container((c) => delete c['Secrets'])],
      ['--constraint-add node.role==manager', task((t) => (t['Placement'] = { Constraints: ['node.role==manager'] }))],
      ['--constraint-rm node.role==manager', task((t) => (t['Placement'] = {}))],
      ['--placement-pref-add spread=node.labels.a', task((t) => (t['Placement'] = { Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.a' } }] }))],
      ['--placement-pref-rm spread=node.labels.a', task((t) => (t['Placement'] = {}))],
      ['--container-label-add k=v', container((c) => (c['Labels'] = { k: 'v' }))],
      ['--container-label-rm k', container((c) => delete c['Labels'])],
      ['--label-add m=2', (spec) => (spec['Labels'] = { l: '1', m: '2' })],
      ['--label-rm l', (spec) => (spec['Labels'] = { m: '2' })],
      ['--dns-add 1.1.1.1', container((c) => (c['DNSConfig'] = { Nameservers: ['1.1.1.1'] }))],
      ['--dns-option-add ndots:2', container((c) => (c['DNSConfig'].Options = ['ndots:2']))],
      ['--dns-search-add a.b', container((c) => (c['DNSConfig'].Search = ['a.b']))],
      ['--dns-rm 1.1.1.1', container((c) => delete c['DNSConfig'].Nameservers)],
      ['--dns-option-rm ndots:2', container((c) => delete c['DNSConfig'].Options)],
      ['--dns-search-rm a.b', container((c) => delete c['DNSConfig'].Search)],
      ['--endpoint-mode dnsrr', (spec) => (spec['EndpointSpec'] = { Mode: 'dnsrr' })],
      ['--endpoint-mode vip', (spec) => (spec['EndpointSpec'] = { Mode: 'vip' })],
      ['--publish-add 8081:81', (spec) => (spec['EndpointSpec'].Ports = [{ Protocol: 'tcp', TargetPort: 81, PublishedPort: 8081, PublishMode: 'ingress' }])],
      ['--publish-rm 81', (spec) => delete spec['EndpointSpec'].Ports],
      ['--entrypoint sh', container((c) => (c['Command'] = ['sh']))],
      ['--env-add B=2', container((c) => (c['Env'] = ['A=1', 'B=2']))],
      ['--env-rm A', container((c) => (c['Env'] = ['B=2']))],
      ['--force', task((t) => (t['ForceUpdate'] = 1))],
      [
        '--generic-resource-add gpu=2',
        task((t) => (t['Resources'].Reservations = { GenericResources: [{ DiscreteResourceSpec: { Kind: 'gpu', Value: 2 } }] })),
      ],
      ['--generic-resource-rm gpu', task((t) => (t['Resources'].Reservations = {}))],
      ['--group-add g', container((c) => (c['Groups'] = ['g']))],
      ['--group-rm g', container((c) => delete c['Groups'])],
      ['--health-cmd true', container((c) => (c['Healthcheck'] = { Test: ['CMD-SHELL', 'true'] }))],
      ['--health-retries 2', container((c) => (c['Healthcheck'].Retries = 2))],
      ['--no-healthcheck', container((c) => (c['Healthcheck'] = { Test: ['NONE'] }))],
      ['--host-add db:1.2.3.4', container((c) => (c['Hosts'] = ['1.2.3.4 db']))],
      ['--host-rm db:1.2.3.4', container((c) => delete c['Hosts'])],
      ['--hostname h', container((c) => (c['Hostname'] = 'h'))],
      ['--image tiny:2', container((c) => (c['Image'] = 'tiny:2'))],
      ['--init', container((c) => (c['Init'] = true))],
      ['--isolation process', container((c) => (c['Isolation'] = 'process'))],
      ['--limit-cpu 1', task((t) => (t['Resources'].Limits = { NanoCPUs: 1_000_000_000 }))],
      ['--limit-memory 32m', task((t) => (t['Resources'].Limits.MemoryBytes = 33_554_432))],
      ['--limit-pids 9', task((t) => (t['Resources'].Limits.Pids = 9))],
      ['--log-driver none', task((t) => (t['LogDriver'] = { Name: 'none' }))],
      ['--mount-add type=tmpfs,target=/x', container((c) => (c['Mounts'] = [{ Type: 'tmpfs', Target: '/x' }]))],
      ['--mount-rm /x', container((c) => delete c['Mounts'])],
      ['--network-add net1', task((t) => (t['Networks'] = [{ Target: ids['net1'] }]))],
      ['--network-rm net1', task((t) => delete t['Networks'])],
      ['--oom-score-adj 7', container((c) => (c['OomScoreAdj'] = 7))],
      ['--read-only', container((c) => (c['ReadOnly'] = true))],
      ['--replicas 3', (spec) => (spec['Mode'] = { Replicated: { Replicas: 3 } })],
      ['--replicas-max-per-node 5', task((t) => (t['Placement'] = { MaxReplicas: 5 }))],
      ['--reserve-cpu 0.25', task((t) => (t['Resources'].Reservations = { NanoCPUs: 250_000_000 }))],
      ['--reserve-memory 16m', task((t) => (t['Resources'].Reservations.MemoryBytes = 16_777_216))],
      ['--restart-condition none', task((t) => (t['RestartPolicy'] = { Condition: 'none', Delay: 5 * SECOND, MaxAttempts: 0 }))],
      ['--restart-max-attempts 2', task((t) => (t['RestartPolicy'].MaxAttempts = 2))],
      ['--restart-delay 0s', task((t) => (t['RestartPolicy'].Delay = 0))],
      ['--restart-window 3s', task((t) => (t['RestartPolicy'].Window = 3 * SECOND))],
      ['--stop-grace-period 0s', container((c) => (c['StopGracePeriod'] = 0))],
      ['--stop-signal SIGHUP', container((c) => (c['StopSignal'] = 'SIGHUP'))],
      ['--sysctl-add a.b=1', container((c) => (c['Sysctls'] = { 'a.b': '1' }))],
      ['--sysctl-rm a.b', container((c) => delete c['Sysctls'])],
      ['--tty', container((c) => (c['TTY'] = true))],
      ['--ulimit-add nofile=1:2', container((c) => (c['Ulimits'] = [{ Name: 'nofile', Hard: 2, Soft: 1 }]))],
      ['--ulimit-rm nofile', container((c) => delete c['Ulimits'])],
      ['--update-parallelism 0', (spec) => (spec['UpdateConfig'] = updateConfig({ Parallelism: 0 }))],
      ['--update-delay 2s', (spec) => (spec['UpdateConfig'].Delay = 2 * SECOND)],
      ['--rollback-order start-first', (spec) => (spec['RollbackConfig'] = updateConfig({ Order: 'start-first' }))],
      ['--user nobody', container((c) => (c['User'] = 'nobody'))],
      ['--workdir /w', container((c) => (c['Dir'] = '/w'))],
    ];
    for (const [flags, change] of steps) {
      if (noScore && flags.startsWith('--oom-score-adj')) continue;
      const expected = await specOf('u');
      change(expected);
      await update('u', ...splitFlags(flags));
      assert.deepEqual(withEnvAsSet(await specOf('u')), withEnvAsSet(expected), flags);
    }
    await docker.ok('service', 'inspect', '--pretty', 'u');
  });

  test('the networks that every engine has can be used by name, and taken off again', async () => {
    await create('local', '--network', 'bridge', '--replicas', '0');
    assert.match(await docker.ok('service', 'inspect', '--pretty', 'local'), /Networks: bridge/);
    await update('local', '--network-add', 'host');
    await update('local', '--network-rm', 'bridge');
    assert.match(await docker.ok('service', 'inspect', '--pretty', 'local'), /Networks: host/);
    const { stderr } = await docker.run('service', 'create', '-d', '--no-resolve-image', '--network', 'none', 'tiny:1');
    assert.ok(stderr.includes(notFound('network', 'none')), stderr);
    assert.deepEqual((await docker.ok('network', 'ls', '--format', '{{.Name}}/{{.Scope}}')).split('\n').sort(), [
      'bridge/local',
      'host/local',
      'ingress/swarm',
      'net1/swarm',
      'net2/swarm',
      'none/local',
    ]);
  });

  test('rollback returns to the spec before, and twice to the newer one', async () => {
    await create('r', '--env', 'V=1', '--replicas', '0');
    await update('r', '--env-add', 'V=2');
    const env = async () => (await specOf('r'))['TaskTemplate'].ContainerSpec.Env;
    await docker.ok('service', 'rollback', '-d', 'r');
    assert.deepEqual(await env(), ['V=1']);
    await docker.ok('service', 'update', '-d', '--rollback', 'r');
    assert.deepEqual(await env(), ['V=2']);
    assert.match(await docker.ok('service', 'inspect', '--pretty', 'r'), /UpdateStatus:\n State:\t\trollback/);
    await docker.ok('service', 'scale', '-d', 'r=4');
    assert.deepEqual((await specOf('r'))['Mode'], { Replicated: { Replicas: 4 } });
  });
});

/** The CLI keeps variables in a map while it changes them: their order afterwards is any. */
function withEnvAsSet(spec: Recorded): Recorded {
  const container = spec['TaskTemplate'].ContainerSpec;
  return {
    ...spec,
    TaskTemplate: { ...spec['TaskTemplate'], ContainerSpec: { ...container, ...(container.Env ? { Env: new Set(container.Env as string[]) } : {}) } },
  };
}

function updateConfig(fields: object): object {
  return { Parallelism: 1, FailureAction: 'pause', Monitor: 5 * SECOND, MaxFailureRatio: 0, Order: 'stop-first', ...fields };
}

/** Words, with "…" as one. */
function splitFlags(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}
