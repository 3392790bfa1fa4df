// What `docker service create` asks for is what the container has, on its way through the API, the store, the scheduler and the agent.
// Each flag of the CLI that concerns a container is here once; those that concern placement, updates and restarts are other tests'.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { lacksCli } from '../lib/cli-version.ts';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const IMAGE = 'busybox:flags';
let skepd: TestSkepd;

before(async () => {
  skepd = await startSkepd({ engineOptions: { name: 'flags' } });
  await skepd.engine.importBusybox(IMAGE, 'ENV FROM_IMAGE=1', 'HEALTHCHECK CMD false');
  await skepd.init();
});
after(() => skepd?.stop());

interface Inspected {
  readonly Name: string;
  readonly Config: Record<string, unknown> & { readonly Env: string[]; readonly Labels: Record<string, string> };
  readonly HostConfig: Record<string, unknown>;
  readonly Mounts: { readonly Type: string; readonly Destination: string; readonly RW: boolean; readonly Name?: string }[];
}

/** The only container of a service, as the engine describes it. */
async function containerOf(service: string): Promise<Inspected> {
  const id = await skepd.engine.docker('ps', '-aq', '--filter', `label=com.docker.swarm.service.name=${service}`);
  return JSON.parse((await skepd.engine.docker('inspect', id)).slice(1, -1)) as Inspected;
}

async function create(name: string, flags: readonly string[], command: readonly string[] = ['sleep', '1000']): Promise<Inspected> {
  await skepd.docker('service', 'create', '--quiet', '--no-resolve-image', '--detach', '--name', name, ...flags, IMAGE, ...command);
  await until(`service ${name} runs`, async () => (await skepd.docker('service', 'ps', '--format', '{{.CurrentState}}', name)).startsWith('Running '));
  return containerOf(name);
}

const pairs = (flags: readonly string[]) => flags.flatMap((flag) => flag.split(' '));

test('flags that set up the process', async () => {
  const { Config, HostConfig, Name } = await create(
    'process',
    [
      ...pairs(['--env A=b', '--env SLOT={{.Task.Slot}}', '--hostname {{.Service.Name}}-{{.Task.Slot}}', '--user 1000:1000', '--group 1001', '--workdir /tmp']),
      ...pairs(['--container-label c=d', '--label service=only', '--stop-signal SIGUSR1', '--stop-grace-period 1500ms', '--isolation default']),
      '--entrypoint',
      'sh -c',
      ...pairs(['--tty', '--init', '--read-only', '--no-healthcheck']),
    ],
    ['sleep 1000'],
  );
  assert.match(Name, /^\/process\.1\.[a-z0-9]{25}$/);
  for (const variable of ['A=b', 'SLOT=1', 'FROM_IMAGE=1']) assert.ok(Config.Env.includes(variable), variable);
  const config = { Hostname: 'process-1', User: '1000:1000', WorkingDir: '/tmp', StopSignal: 'SIGUSR1', StopTimeout: 2, Tty: true };
  for (const [key, value] of Object.entries(config)) assert.deepEqual(Config[key], value, key);
  assert.deepEqual(Config['Entrypoint'], ['sh', '-c']);
  assert.deepEqual(Config['Cmd'], ['sleep 1000']);
  assert.deepEqual(Config['Healthcheck'], { Test: ['NONE'] });
  assert.equal(Config.Labels['c'], 'd');
  assert.equal(Config.Labels['service'], undefined);
  assert.equal(Config.Labels['com.docker.swarm.service.name'], 'process');
  assert.deepEqual([HostConfig['GroupAdd'], HostConfig['Init'], HostConfig['ReadonlyRootfs']], [['1001'], true, true]);
});

test('flags that limit the process', async (t) => {
  const noScore = lacksCli(28, '--oom-score-adj');
  if (noScore) t.diagnostic(noScore);
  const { HostConfig } = await create('limits', [
    ...pairs([
      '--limit-cpu 0.5',
      '--limit-memory 64m',
      '--limit-pids 40',
      '--reserve-cpu 0.1',
      '--reserve-memory 32m',
      ...(noScore ? [] : ['--oom-score-adj 100']),
    ]),
    ...pairs(['--ulimit nofile=100:200', '--sysctl net.core.somaxconn=300', '--cap-add NET_ADMIN', '--cap-drop CHOWN', '--no-healthcheck']),
  ]);
  const expected = {
    NanoCpus: 5e8,
    Memory: 64 << 20,
    PidsLimit: 40,
    MemoryReservation: 32 << 20,
    ...(noScore ? {} : { OomScoreAdj: 100 }),
    Ulimits: [{ Name: 'nofile', Hard: 200, Soft: 100 }],
    Sysctls: { 'net.core.somaxconn': '300' },
    CapAdd: ['CAP_NET_ADMIN'],
    CapDrop: ['CAP_CHOWN'],
  };
  for (const [key, value] of Object.entries(expected)) assert.deepEqual(HostConfig[key], value, key);
});

test('flags that set up a health check, logs and names', async () => {
  const { Config, HostConfig } = await create('checks', [
    ...pairs(['--health-cmd true', '--health-interval 200ms', '--health-timeout 2s', '--health-retries 4', '--health-start-period 3s']),
    ...pairs([
      '--log-driver json-file',
      '--log-opt max-size=1m',
      '--host one:10.1.1.1',
      '--dns 192.0.2.1',
      '--dns-search example.test',
      '--dns-option timeout:3',
    ]),
  ]);
  assert.deepEqual(Config['Healthcheck'], { Test: ['CMD-SHELL', 'true'], Interval: 2e8, Timeout: 2e9, StartPeriod: 3e9, Retries: 4 });
  const expected = {
    LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
    ExtraHosts: ['one:10.1.1.1'],
    Dns: ['192.0.2.1'],
    DnsSearch: ['example.test'],
    DnsOptions: ['timeout:3'],
  };
  for (const [key, value] of Object.entries(expected)) assert.deepEqual(HostConfig[key], value, key);
});

test('flags that mount', async () => {
  const { folder } = skepd.engine;
  await writeFile(join(folder, 'secret'), 'hidden');
  await writeFile(join(folder, 'config'), '{{.Service.Name}} {{env "COLOUR"}} {{secret "pw"}}');
  await skepd.docker('secret', 'create', 'password', join(folder, 'secret'));
  await skepd.docker('config', 'create', '--template-driver', 'golang', 'settings', join(folder, 'config'));
  const { Mounts } = await create(
    'mounts',
    [
      ...pairs([
        '--secret source=password,target=pw,uid=1000,gid=1001,mode=0400',
        '--config source=settings,target=/etc/settings,mode=0440',
        '--env COLOUR=blue',
      ]),
      ...pairs(['--mount type=volume,source=data-{{.Task.Slot}},target=/data,volume-label=a=b', '--mount type=tmpfs,target=/scratch,tmpfs-size=1m']),
      ...pairs([`--mount type=bind,source=${folder},target=/host,readonly`, '--no-healthcheck']),
    ],
    [
      'sh',
      '-c',
      'cat /run/secrets/pw; echo; cat /etc/settings; echo; stat -c "%u %g %a" /run/secrets/pw /etc/settings; df -k /scratch | tail -1; exec sleep 1000',
    ],
  );
  const of = (destination: string) => Mounts.find(({ Destination }) => Destination === destination);
  assert.deepEqual([of('/data')?.Type, of('/data')?.Name], ['volume', 'data-1']);
  assert.deepEqual([of('/host')?.Type, of('/host')?.RW], ['bind', false]);
  assert.equal(await skepd.engine.docker('volume', 'inspect', '--format', '{{.Labels.a}}', 'data-1'), 'b');
  await until('the container has looked', async () => /scratch/.test(await skepd.docker('service', 'logs', '--raw', 'mounts')));
  const [secret, config, ...rest] = (await skepd.docker('service', 'logs', '--raw', 'mounts')).split('\n');
  assert.deepEqual([secret, config, ...rest.slice(0, 2)], ['hidden', 'mounts blue hidden', '1000 1001 400', '0 0 440']);
  assert.match(rest[2] ?? '', /^tmpfs +1024 /);
});

test('flags that connect', async () => {
  await skepd.docker('network', 'create', '--driver', 'overlay', 'first');
  await skepd.docker('network', 'create', '--driver', 'overlay', 'second');
  const { HostConfig } = await create(
    'connected',
    [
      ...pairs([
        '--network first',
        '--network name=second,alias=other',
        '--publish published=18081,target=8000',
        '--publish mode=host,published=18082,target=8000',
        '--no-healthcheck',
      ]),
    ],
    ['sh', '-c', 'cd /var/www; exec httpd -f -p 8000'],
  );
  assert.deepEqual(HostConfig['PortBindings'], { '8000/tcp': [{ HostIp: '', HostPort: '18082' }] });
  for (const port of ['18081', '18082']) {
    const page = await skepd.engine.client.exec([
      'curl',
      '-sS',
      '--max-time',
      '5',
      '--retry',
      '5',
      '--retry-connrefused',
      `http://${skepd.engine.address}:${port}/`,
    ]);
    assert.equal(page.stdout, 'it works\n', page.stderr);
  }
  assert.match(await skepd.docker('service', 'ps', '--format', '{{.Ports}}', 'connected'), /\*:18082->8000\/tcp/);
});

test('what cannot be had on this node is said in the task, in words that tell why', async (t) => {
  const engineApi = Number((await skepd.engine.docker('version', '--format', '{{.Server.APIVersion}}')).split('.')[1]);
  /** `until`: the engine's API from which on it can be had. */
  const refused: [name: string, flags: readonly string[], error: RegExp, since: number, until?: number][] = [
    [
      'nobind',
      ['--mount', 'type=bind,source=/no/such/folder,target=/x'],
      /invalid mount config for type "bind": bind source path does not exist: \/no\/such\/folder/,
      0,
    ],
    [
      'nosub',
      ['--mount', 'type=volume,source=v,target=/x,volume-subpath=s'],
      /volume-subpath needs Engine API 1\.45; the engine of this node speaks 1\.\d+/,
      26,
      45,
    ],
  ];
  for (const [name, flags, error, since, untilApi = Infinity] of refused) {
    const tooOld = lacksCli(since, flags.join(' ')) || (engineApi >= untilApi ? `this engine can: ${flags.join(' ')}` : undefined);
    if (tooOld) {
      t.diagnostic(tooOld);
      continue;
    }
    await skepd.docker('service', 'create', '--quiet', '--detach', '--no-resolve-image', '--restart-condition', 'none', '--name', name, ...flags, IMAGE);
    await until(`the task of ${name} is rejected`, async () =>
      error.test(await skepd.docker('service', 'ps', '--no-trunc', '--format', '{{.CurrentState}} {{.Error}}', name)),
    );
    assert.match(await skepd.docker('service', 'ps', '--format', '{{.CurrentState}}', name), /^Rejected /);
  }
});

test('everything of a service is gone after its removal', async () => {
  const services = (await skepd.docker('service', 'ls', '--quiet')).split('\n');
  await skepd.docker('service', 'rm', ...services);
  await until('no container is left', async () => (await skepd.engine.docker('ps', '-aq')) === '', 40_000);
  await until('no network is left', async () => (await skepd.engine.docker('network', 'ls', '--quiet', '--filter', 'driver=skep')) === '');
  await until('no secret is left', async () => (await skepd.engine.exec(['ls', join(skepd.stateDirectory, 'secrets')])).stdout === '');
});
