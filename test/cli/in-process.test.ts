import assert from 'node:assert/strict';
import { engineFlags } from '#cli/service/engine-flags.ts';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { groups, topLevelCommands } from '#cli/commands.ts';
import { systemClock } from '#platform/clock.ts';
import { type InProcessApi, startInProcessApi } from '../api/in-process.ts';
import { skepInProcess } from './skep-in-process.ts';

const helpFolder = join(import.meta.dirname, '../../../shared/data/cli-help-api1.50');

describe('the command line on a daemon in this process', () => {
  let api: InProcessApi;
  let folder: string;
  let skep: ReturnType<typeof skepInProcess>;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skep-cli-'));
    api = await startInProcessApi();
    await api.init();
    skep = skepInProcess({ socketPath: api.socketPath, folder, environment: { TOP_SECRET: 'top-secret' } });
  });
  after(async () => {
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('can load every command, and each has help', async () => {
    for (const entry of topLevelCommands.filter(({ hidden }) => !hidden))
      assert.match((await skep(entry.name, '--help')).stdout, new RegExp(`^Usage:  skep ${entry.name}`));
    for (const group of groups)
      for (const entry of group.commands)
        assert.match((await skep(group.name, entry.name, '--help')).stdout, new RegExp(`^Usage:  skep ${group.name} ${entry.name}`));
  });

  it("prints docker's help where there is nothing of our own", { skip: existsSync(helpFolder) ? false : 'the recorded help texts are not here' }, async () => {
    const own = /^(stack|volume-|info|events|service|node|swarm|secret|config)\.txt$|^(stack-(deploy|config|rm)|volume-\w+)\.txt$/;
    // An option's description may go on in further lines, which begin with spaces only.
    const ownFlags = ['json', 'deny-engine-options', ...engineFlags.map(({ name }) => name)].map(
      (name) => new RegExp(`^ +--${name}\\b(?!-).*\\n( {10,}[^ -].*\\n)*`, 'gm'),
    );
    const withoutOurs = (text: string) => ownFlags.reduce((rest, line) => rest.replaceAll(line, ''), text).trimEnd();
    const differences: string[] = [];
    for (const file of readdirSync(helpFolder).filter((name) => !own.test(name))) {
      const words = file.replace('.txt', '');
      const group = groups.find(({ name }) => words.startsWith(`${name}-`))?.name ?? '';
      const { stdout } = await skep(...(group === '' ? [words] : [group, words.slice(group.length + 1)]), '--help');
      const theirs = readFileSync(join(helpFolder, file), 'utf8')
        .replaceAll(/\bdocker (?=[a-z])/g, 'skep ')
        .replaceAll(/ +$/gm, '')
        .trimEnd();
      if (withoutOurs(stdout).replaceAll(/ +$/gm, '') !== theirs) differences.push(file);
    }
    assert.deepEqual(differences, []);
  });

  it('checks Compose files, names what is in them, and writes them as one', async () => {
    const file = join(folder, 'config.yaml');
    writeFileSync(file, 'services: {a: {image: x, networks: [n2, n1], volumes: ["v:/v"]}}\nnetworks: {n1: , n2: }\nvolumes: {v: }\n');
    const config = (...flags: readonly string[]) => skep('stack', 'config', '-c', file, ...flags);
    assert.deepEqual(await config('--quiet'), { code: 0, stdout: '', stderr: '' });
    assert.equal((await config('--networks')).stdout, 'n1\nn2\n');
    assert.equal((await config('--volumes')).stdout, 'v\n');
    assert.deepEqual(await config('--output', 'one.yaml'), { code: 0, stdout: '', stderr: '' });
    assert.equal(readFileSync(join(folder, 'one.yaml'), 'utf8'), (await config()).stdout);
    assert.equal((await config('-o', 'no/such/folder')).stderr, 'open no/such/folder: no such file or directory\n');
  });

  it('suggests what was meant', async () => {
    const { code, stderr } = await skep('service', 'craete');
    assert.equal(code, 1);
    assert.match(stderr, /Did you mean 'skep service create'\?/);
  });

  it('stops, starts and restarts a service, and waits for it', async () => {
    assert.equal(
      (await skep('service', 'create', '-d', '--no-resolve-image', '--name', 'web', '--replicas', '2', '--update-monitor', '1ms', 'tiny:1')).code,
      0,
    );
    assert.equal((await skep('service', 'wait', '--timeout', '20s', 'web')).code, 0);
    assert.match((await skep('service', 'explain', 'web')).stdout, /web runs as wanted \(2 out of 2 tasks\)/);
    await skep('service', 'stop', '-d', 'web');
    await api.until<{ Spec: { Mode: { Replicated: { Replicas: number } } } }>('/services/web', ({ Spec }) => Spec.Mode.Replicated.Replicas === 0);
    await skep('service', 'start', '-d', 'web');
    await api.until<{ Spec: { Mode: { Replicated: { Replicas: number } } } }>('/services/web', ({ Spec }) => Spec.Mode.Replicated.Replicas === 2);
    await skep('service', 'restart', '-d', 'web');
    await api.until<{ Spec: { TaskTemplate: { ForceUpdate: number } } }>('/services/web', ({ Spec }) => Spec.TaskTemplate.ForceUpdate === 1);
    assert.equal((await skep('service', 'rm', 'web')).stdout, 'web\n');
  });

  it('says why a service does not run', async () => {
    await skep('service', 'create', '-d', '--no-resolve-image', '--name', 'stuck', '--constraint', 'node.labels.a==b', 'tiny:1');
    const { stdout } = await eventually(
      () => skep('service', 'explain', 'stuck'),
      (result) => result.stdout.includes('is pending'),
    );
    assert.match(stdout, /stuck\.1: is pending: no suitable node \(scheduling constraints not satisfied on 1 node\)\. compare/);
    const waited = await skep('service', 'wait', '-q', '--timeout', '300ms', 'stuck');
    assert.equal(waited.code, 1);
    assert.match(waited.stderr, /has not converged in time\n(.|\n)*is pending/);
    await skep('service', 'rm', 'stuck');
  });

  it('deploys a stack, shows what a change would do, rolls it out and back, and removes it', async () => {
    const file = join(folder, 'stack.yaml');
    const write = (replicas: number, content: string) =>
      writeFileSync(
        file,
        `services: {web: {image: "tiny:1", configs: [c], secrets: [s], deploy: {replicas: ${replicas}, update_config: {monitor: 1ms}}}}\nconfigs: {c: {content: ${content}}}\nsecrets: {s: {environment: TOP_SECRET}}\n`,
      );
    write(1, 'one');
    const deploy = ['stack', 'deploy', '--resolve-image', 'never', '-c', file];
    const planned = await skep(...deploy, '--dry-run', 'app');
    assert.match(planned.stdout, /\+ service app_web/, planned.stderr);
    const first = await skep(...deploy, 'app');
    assert.equal(first.code, 0, first.stderr);
    assert.match((await skep(...deploy, '--dry-run', 'app')).stdout, /Nothing to do/);
    write(2, 'two');
    assert.match((await skep('stack', 'diff', '-c', file, 'app')).stdout, /~ service app_web \(its tasks are replaced\)/);
    assert.equal((await skep(...deploy, 'app')).code, 0);
    assert.match((await skep('stack', 'history', '-q', 'app')).stdout, /^2\n1\n$/);
    const { stdout: shown } = await skep('stack', 'show', 'app', '1');
    assert.match(shown, /content: one/);
    assert.ok(!shown.includes('top-secret'));
    const { body: configs } = await api.http('GET', '/configs');
    assert.ok(!JSON.stringify(configs).includes(Buffer.from('top-secret').toString('base64')));
    assert.equal((await skep('stack', 'rollback', 'app')).code, 0);
    assert.match((await skep('stack', 'services', '--format', '{{.Replicas}}', 'app')).stdout, /^1\/1$/m);
    const removed = await skep('stack', 'rm', 'app');
    assert.equal(removed.code, 0, removed.stderr);
    assert.equal((await skep('stack', 'ls', '--format', '{{.Name}}')).stdout, '');
  });

  it('completes commands, options and names', async () => {
    assert.match((await skep('__complete', '--', 'service', 'cr')).stdout, /^create\tCreate a new service$/m);
    assert.match((await skep('__complete', '--', 'service', 'create', '--repl')).stdout, /^--replicas\t/m);
    assert.match((await skep('__complete', '--', 'node', 'inspect', '')).stdout, /^n1\tnode$/m);
  });
});

async function eventually<T>(look: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const value = await look();
    if (holds(value)) return value;
    if (Date.now() > deadline) assert.fail(`never came to be; last: ${JSON.stringify(value)}`);
    await systemClock.sleep(20);
  }
}
