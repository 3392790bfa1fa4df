// Stacks over time: services that wait for each other, deploys that meet, deadlines, stacks that are put away and brought back.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import { type InProcessApi, startInProcessApi } from '../api/in-process.ts';
import { skepInProcess } from './skep-in-process.ts';

const imageOf = (spec: { readonly runtime: { readonly kind: string; readonly container?: { readonly image: string } } }) => spec.runtime.container?.image ?? '';

describe('stacks', () => {
  let api: InProcessApi;
  let folder: string;
  let skep: ReturnType<typeof skepInProcess>;
  let databaseHealthy = 300;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skep-stacks-'));
    // Images say what their containers do.
    api = await startInProcessApi({
      scriptFor: ({ spec }) => {
        const image = imageOf(spec);
        if (image.startsWith('db:')) return { health: [{ afterMs: databaseHealthy, verdict: 'healthy' }] };
        return image.startsWith('migrate:') ? { exitAfterMs: 900, exitCode: 0 } : {};
      },
    });
    await api.init();
    skep = skepInProcess({ socketPath: api.socketPath, folder });
  });
  after(async () => {
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function deployOf(name: string, text: string) {
    const file = join(folder, `${name}.yaml`);
    writeFileSync(file, text);
    return (...flags: readonly string[]) => skep('stack', 'deploy', '--resolve-image', 'never', ...flags, '-c', file, name);
  }

  async function succeeds(result: ReturnType<typeof skep>): Promise<string> {
    const { code, stdout, stderr } = await result;
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    return stdout;
  }

  const service = async (name: string) => (await api.http('GET', `/services/${name}`)).body as Service;
  const namesOf = (stdout: string) => stdout.split('\n').filter((line) => line !== '');

  const ORDERED = `services:
  db: {image: "db:1"}
  migrate: {image: "migrate:1", depends_on: {db: {condition: service_healthy}}}
  web: {image: "web:1", depends_on: {migrate: {condition: service_completed_successfully}, db: {condition: service_healthy}}}
`;

  it('go on without whoever presses Ctrl-C while they start, who is told so by the exit code, too', async () => {
    const hurried = skepInProcess({
      socketPath: api.socketPath,
      folder,
      onInterrupt: (listener) => {
        listener();
        return () => {};
      },
    });
    const file = join(folder, 'hurried.yaml');
    writeFileSync(file, 'services: {never: {image: "db:1", deploy: {placement: {constraints: [node.labels.x == y]}}}}\n');
    const deploy = ['stack', 'deploy', '--resolve-image', 'never', '-c', file, 'hurried'];
    const { code, stdout } = await hurried(...deploy);
    assert.equal(code, 130);
    assert.match(stdout, /^Operation continuing in background\.\nUse `skep stack ps hurried` to check progress\.$/m);
    assert.equal((await service('hurried_never')).Spec.Name, 'hurried_never');
    await succeeds(skep('stack', 'rm', 'hurried'));
  });

  it('say in JSON what a deploy would do, and why nothing runs', async () => {
    const deploy = deployOf('planned', 'services: {a: {image: "db:1"}, b: {image: "db:1"}}\n');
    type Plan = { readonly Stack: string; readonly Changes: readonly Record<string, unknown>[]; readonly Problems: readonly string[] };
    const planned = async (flags: readonly string[]) => JSON.parse(await succeeds(deploy('--dry-run', '--json', ...flags))) as Plan;
    const network = { Kind: 'network', Action: 'create', Name: 'planned_default' };
    const create = (name: string) => ({ Kind: 'service', Action: 'create', Name: `planned_${name}` });
    assert.deepEqual(await planned([]), { Stack: 'planned', Changes: [network, create('a'), create('b')], Problems: [] });
    assert.equal((await deploy('--json')).stderr, '--json needs --dry-run: a deploy prints no objects\n');
    await succeeds(deploy());
    assert.deepEqual((await planned([])).Changes, []);
    writeFileSync(join(folder, 'changed.yaml'), 'services: {a: {image: "db:2"}}\n');
    const changed = JSON.parse(await succeeds(skep('stack', 'diff', '--json', '--prune', '-c', join(folder, 'changed.yaml'), 'planned'))) as Plan;
    assert.deepEqual(
      changed.Changes.map(({ Action, Name, Restarts }) => [Action, Name, Restarts]),
      [
        ['update', 'planned_a', true],
        ['remove', 'planned_b', undefined],
      ],
    );
    const fields = changed.Changes[0]?.['Fields'] as readonly { readonly Before?: string; readonly After?: string }[];
    assert.ok(
      fields.some(({ Before, After }) => /db:1/.test(Before ?? '') && /db:2/.test(After ?? '')),
      JSON.stringify(fields),
    );
    const explained = JSON.parse(await succeeds(skep('service', 'explain', '--json', 'planned_a'))) as { Service: string; Explanation: string[] };
    assert.equal(explained.Service, 'planned_a');
    assert.match(explained.Explanation[0] ?? '', /^planned_a runs as wanted/);
    await succeeds(skep('stack', 'rm', 'planned'));
  });

  it('start in the order of their dependencies, and say what they wait for', async () => {
    databaseHealthy = 1_000;
    const deploy = deployOf('ordered', ORDERED);
    await succeeds(deploy('--detach'));
    const waits = /web\.1.*"?waiting for service ordered_db \(service_healthy\) and service ordered_migrate \(service_completed_successfully\)/;
    assert.match((await skep('stack', 'ps', '--no-trunc', 'ordered')).stdout, waits);
    assert.match((await skep('service', 'explain', 'ordered_web')).stdout, /waiting for service ordered_db/);
    const stdout = await succeeds(deploy());
    assert.match(stdout, /ordered_web: 0 out of 1 tasks: waiting for [^]*ordered_web: 1 out of 1 tasks, converged/);
    assert.match(stdout, /ordered_migrate: 1 out of 1 tasks: has to complete[^]*ordered_migrate: complete/);
    assert.doesNotMatch(stdout, /ordered_migrate: .*converged/);
    assert.match((await skep('stack', 'deploy', '--dry-run', '-c', join(folder, 'ordered.yaml'), 'ordered')).stdout, /Nothing to do/);
    const exported = (await skep('stack', 'export', 'ordered')).stdout;
    assert.match(exported, /depends_on:\n {6}db:\n {8}condition: service_healthy/);
    assert.doesNotMatch(exported, /x-skep-spec/);
    await succeeds(skep('stack', 'rm', 'ordered'));
  });

  it("on the nodes' own networks are left alone by the same deploy again, and exported as they were written", async () => {
    const deploy = deployOf(
      'modes',
      'services: {a: {image: "a", network_mode: host}, b: {image: "b:1", network_mode: bridge}, c: {image: "c:1", network_mode: none}}',
    );
    await succeeds(deploy('--detach'));
    assert.match(await succeeds(deploy('--dry-run')), /Nothing to do/);
    const exported = await succeeds(skep('stack', 'export', 'modes'));
    assert.deepEqual(exported.match(/network_mode: \w+/g), ['network_mode: host', 'network_mode: bridge', 'network_mode: none']);
    assert.doesNotMatch(exported, /x-skep-spec|external/);
    await succeeds(skep('stack', 'rm', 'modes'));
  });

  it('with addresses kept out of a network are left alone by the same deploy again', async () => {
    const pool = '{subnet: 10.88.0.0/24, gateway: 10.88.0.9, aux_addresses: {router: 10.88.0.5}}';
    const deploy = deployOf('pools', `services: {a: {image: "a:1", networks: [n]}}\nnetworks: {n: {ipam: {config: [${pool}]}}}`);
    await succeeds(deploy('--detach'));
    assert.match(await succeeds(deploy('--dry-run')), /Nothing to do/);
    await succeeds(skep('stack', 'rm', 'pools'));
  });

  it('that do not converge in time are explained, and the same deploy again waits for them', async () => {
    databaseHealthy = 2_000;
    const deploy = deployOf('late', ORDERED);
    const { code, stderr } = await deploy('--timeout', '100ms');
    assert.equal(code, 1);
    assert.match(stderr, /late_web has not converged[^]*late_web\.1: .*waiting for service late_db \(service_healthy\)/);
    await succeeds(deploy('--quiet'));
    assert.deepEqual(namesOf((await skep('stack', 'history', '-q', 'late')).stdout), ['1']);
    await succeeds(skep('stack', 'rm', 'late'));
  });

  it('that depend on each other in a circle are refused in a file, and warned about by the API', async () => {
    const circle = deployOf('circle', 'services: {a: {image: "a:1", depends_on: [b]}, b: {image: "b:1", depends_on: [a]}}');
    assert.match((await circle()).stderr, /dependency cycle detected: a -> b -> a/);
    await succeeds(skep('service', 'create', '-d', '--no-resolve-image', '--name', 'a', '--label', 'com.docker.skep.depends_on=b', 'a:1'));
    const { stderr } = await skep('service', 'create', '-d', '--no-resolve-image', '--name', 'b', '--label', 'com.docker.skep.depends_on=a', 'b:1');
    assert.match(stderr, /depend on each other in a circle, so that none waits for the other: b -> a -> b/);
    await api.until<Task[]>('/tasks', (tasks) => tasks.filter(({ Status }) => Status.State === 'running').length === 2);
    const bad = await skep('service', 'update', '--label-add', 'com.docker.skep.depends_on=b:healthy', 'a');
    assert.match(bad.stderr, /label com.docker.skep.depends_on: "b:healthy" is not NAME\[:CONDITION\]/);
    assert.match((await skep('service', 'update', '--label-add', 'com.docker.skep.depends_on=a', 'a')).stderr, /service a cannot depend on itself/);
    await succeeds(skep('service', 'rm', 'a', 'b'));
  });

  it('whose deploys meet end as one of them says, and none fails', async () => {
    const text = (version: number) =>
      `services: {a: {image: "a:${version}", configs: [c], networks: [n], deploy: {update_config: {monitor: 1ms}}}}\nconfigs: {c: {content: v${version}}}\nnetworks: {n: }\n`;
    const deploys = [1, 2, 3].map((version) => {
      const file = join(folder, `meet${version}.yaml`);
      writeFileSync(file, text(version));
      return skep('stack', 'deploy', '--resolve-image', 'never', '-c', file, 'meet');
    });
    for (const deploy of deploys) await succeeds(deploy);
    const image = (await service('meet_a')).Spec.TaskTemplate?.ContainerSpec?.Image;
    assert.ok(['a:1', 'a:2', 'a:3'].includes(image ?? ''), image);
    assert.equal(namesOf((await skep('stack', 'history', '-q', 'meet')).stdout).length, 3);
    await succeeds(skep('stack', 'rm', 'meet'));
  });

  it('are put away with everything but their services, and brought back as they were', async () => {
    databaseHealthy = 1;
    const deploy = deployOf('away', `${ORDERED}  extra: {image: "extra:1", configs: [c], shm_size: 8m}\nconfigs: {c: {content: one}}\n`);
    await succeeds(deploy('--quiet'));
    await succeeds(skep('service', 'update', '-d', '--env-add', 'BY=hand', 'away_extra'));
    const before = (await service('away_extra')).Spec;
    assert.match(await succeeds(skep('stack', 'deactivate', 'away')), /^Removing service away_db\nRemoving service away_extra\n/);
    assert.match((await skep('stack', 'ls')).stdout, /^away +0 \(inactive\)$/m);
    assert.match((await skep('stack', 'ps', 'away')).stderr, /stack away is inactive: `stack activate away` starts its services again/);
    assert.match(await succeeds(skep('stack', 'deactivate', 'away')), /is inactive already/);
    await succeeds(skep('stack', 'activate', 'away'));
    assert.deepEqual((await service('away_extra')).Spec, before);
    assert.match(await succeeds(skep('stack', 'activate', 'away')), /is active already/);
    assert.deepEqual(namesOf((await skep('stack', 'history', '-q', 'away')).stdout), ['1']);
    assert.match((await skep('stack', 'ls')).stdout, /^away +4$/m);
    await succeeds(skep('stack', 'deactivate', 'away'));
    await succeeds(deploy('--quiet'));
    assert.match(await succeeds(skep('stack', 'activate', 'away')), /is active already/);
    for (const command of ['activate', 'deactivate']) assert.match((await skep('stack', command, 'nobody')).stderr, /nothing found in stack: nobody/);
    await succeeds(skep('stack', 'rm', 'away'));
  });

  it('that are put away before they were ever deployed by us can be brought back', async () => {
    const labels = ['--label', 'com.docker.stack.namespace=other', '--container-label', 'com.docker.stack.namespace=other'];
    await succeeds(skep('service', 'create', '-d', '--no-resolve-image', '--name', 'other_a', ...labels, 'a:1'));
    const before = (await service('other_a')).Spec;
    await succeeds(skep('stack', 'deactivate', 'other'));
    await succeeds(skep('stack', 'activate', '--quiet', 'other'));
    assert.deepEqual((await service('other_a')).Spec, before);
    await succeeds(skep('stack', 'rm', 'other'));
  });

  it('keep the versions of configs that their history needs, and do not announce that they go', async () => {
    const write = (content: string) => deployOf('versions', `services: {a: {image: "a:1", configs: [c]}}\nconfigs: {c: {content: ${content}}}\n`);
    for (const content of ['one', 'two']) await succeeds(write(content)('--detach'));
    const configs = async () => namesOf((await skep('config', 'ls', '--format', '{{.Name}}')).stdout).filter((name) => name.startsWith('versions_c'));
    assert.equal((await configs()).length, 2);
    assert.match((await write('two')('--dry-run')).stdout, /Nothing to do/);
    await succeeds(skep('stack', 'rollback', '--detach', 'versions'));
    await succeeds(write('two')('--detach'));
    assert.equal((await configs()).length, 2);
    for (let count = 3; count < 14; count++) await succeeds(write(`v${count}`)('--detach'));
    // The service's present and previous spec and ten revisions name some; the first two are in none of them.
    assert.equal((await configs()).length, 10);
    await succeeds(skep('stack', 'rm', 'versions'));
  });

  it('whose long names begin the same have each its own history, and can both be put away', async () => {
    const names = ['one', 'two'].map((end) => `${'long'.repeat(11)}-${end}`);
    for (const name of names) await succeeds(deployOf(name, 'services: {a: {image: "a:1"}}')('--detach'));
    for (const name of names) await succeeds(skep('stack', 'deactivate', name));
    for (const name of names) {
      assert.deepEqual(namesOf((await skep('stack', 'history', '-q', name)).stdout), ['1']);
      await succeeds(skep('stack', 'activate', '--detach', name));
    }
    await succeeds(skep('stack', 'rm', ...names));
  });

  it('with a name that cannot be are refused before anything is made', async () => {
    const file = join(folder, 'name.yaml');
    writeFileSync(file, 'services: {a: {image: "a:1"}}');
    const refused = async (name: string) => (await skep('stack', 'deploy', '-c', file, name)).stderr;
    for (const name of ['a b', 'a/b', '$(id)', '_a']) assert.match(await refused(name), /invalid stack name: .*begins with a letter or digit/);
    assert.match(await refused('x'.repeat(62)), /name.yaml:1:15: the service's name x+_a has more than 63 characters/);
    assert.equal((await skep('network', 'ls', '-q', '--filter', 'label=com.docker.stack.namespace')).stdout, '');
  });

  it('and services take the options of docker run that engines can do', async () => {
    const create = ['service', 'create', '-d', '--no-resolve-image', '--name', 'tuned'];
    writeFileSync(join(folder, 'profile.json'), '{"defaultAction": "SCMP_ACT_ALLOW"}');
    const profile = `seccomp=${join(folder, 'profile.json')}`;
    await succeeds(
      skep(
        ...create,
        '--privileged',
        '--device',
        '/dev/fuse',
        '--device',
        '/dev/sda:/dev/b:r',
        '--shm-size',
        '8m',
        '--gpus',
        'all',
        '--security-opt',
        profile,
        'a:1',
      ),
    );
    const labels = async () => (await service('tuned')).Spec.TaskTemplate?.ContainerSpec?.Labels;
    assert.deepEqual(await labels(), {
      'com.docker.skep.engine.devices': '["/dev/fuse","/dev/sda:/dev/b:r"]',
      'com.docker.skep.engine.gpus': 'all',
      'com.docker.skep.engine.privileged': 'true',
      'com.docker.skep.engine.security_opt': '["seccomp={\\"defaultAction\\":\\"SCMP_ACT_ALLOW\\"}"]',
      'com.docker.skep.engine.shm_size': '8m',
    });
    await succeeds(skep('service', 'update', '-d', '--privileged=false', '--device', '', '--gpus', '2', '--security-opt', '', 'tuned'));
    assert.deepEqual(await labels(), { 'com.docker.skep.engine.gpus': '2', 'com.docker.skep.engine.shm_size': '8m' });
    assert.match((await skep('service', 'update', '--pid', 'container:x', 'tuned')).stderr, /pid: "container:x" is not "host"/);
    await succeeds(skep('swarm', 'update', '--deny-engine-options', 'gpus'));
    assert.match((await skep('service', 'update', '--env-add', 'A=b', 'tuned')).stderr, /this swarm forbids engine options that the service uses: gpus/);
    await succeeds(skep('swarm', 'update', '--deny-engine-options', ''));
    await succeeds(skep('service', 'rm', 'tuned'));
  });
});
