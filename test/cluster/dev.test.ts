// `skep dev` as its users drive it, on a machine that is itself a namespace: so the cluster, which is made to outlive its maker, still ends with the test.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { cgroupsBeginningWith, removeCgroups } from '#dev/cgroups.ts';
import { isInstalled } from '#dev/requirements.ts';
import { importBusybox } from '../lib/busybox-image.ts';
import { createNamespace, type Namespace, runOrThrow, until } from '../lib/namespace.ts';

const skep = join(import.meta.dirname, '../../bin/skep');
/** Unlike any other cluster's on this machine: cgroups are not in a namespace. */
const name = `t${randomBytes(3).toString('hex')}`;
/** Of the networks for documentation. */
const OUTSIDE = '203.0.113.2';
const PATIENCE_MS = 180_000;

describe('a cluster on one machine', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  let machine: Namespace;
  /** What is beyond the machine. */
  let outside: Namespace;
  let folder: string;
  let linksBefore: string;
  const removeAll = () => {
    removeCgroups(cgroupsBeginningWith(`skep-dev.${name}.`));
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skep-dev-'));
    process.once('exit', removeAll);
    machine = await createNamespace('client');
    outside = await createNamespace('client');
    await ip(machine, 'link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(outside.pid));
    for (const [namespace, link, address] of [
      [machine, 'uplink', '203.0.113.1'],
      [outside, 'eth0', OUTSIDE],
    ] as const) {
      await ip(namespace, 'address', 'add', `${address}/24`, 'dev', link);
      await ip(namespace, 'link', 'set', link, 'up');
    }
    linksBefore = await links();
  });
  after(async () => {
    await machine?.destroy();
    await outside?.destroy();
    process.off('exit', removeAll);
    removeAll();
  });

  const ip = ({ pid }: Namespace, ...args: string[]) => runOrThrow(['nsenter', `--net=/proc/${pid}/ns/net`, 'ip', ...args]);
  const links = async () => (await machine.exec(['ip', '-o', '-br', 'link'])).stdout;
  const base = () => join(folder, 'dev');
  const socketOf = (node: string) => join(base(), name, node, 'skep.sock');
  const tryDev = (verb: string, ...args: string[]) =>
    machine.exec([skep, 'dev', verb, '--name', name, ...args], { env: { SKEP_DEV_DIR: base() }, timeoutMs: PATIENCE_MS });
  const dev = async (verb: string, ...args: string[]) => {
    const { code, stdout, stderr } = await tryDev(verb, ...args);
    assert.equal(code, 0, `skep dev ${verb} ${args.join(' ')}: ${stderr}${stdout}${logs()}`);
    return stdout.trim();
  };
  const docker = async (...args: string[]) => {
    const { code, stdout, stderr } = await machine.exec(['docker', '-H', `unix://${socketOf('manager1')}`, ...args]);
    assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}`);
    return stdout.trim();
  };
  const states = async () => {
    const lines = (await dev('ls', '--format', '{{.Name}}={{.State}},{{.Link}}')).split('\n');
    return Object.fromEntries(lines.map((line) => line.split('=') as [string, string]));
  };
  const statuses = () =>
    docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}} {{.ManagerStatus}}').then((text) =>
      text
        .split('\n')
        .map((line) => line.trim())
        .toSorted(),
    );
  /** Nodes of the service's running tasks. */
  const nodesOf = async (service: string) => {
    const lines = (await docker('service', 'ps', service, '--filter', 'desired-state=running', '--format', '{{.Node}} {{.CurrentState}}')).split('\n');
    return lines.filter((line) => line.includes(' Running ')).map((line) => line.split(' ')[0] ?? '');
  };
  const answers = async (address: string) => (await machine.exec(['curl', '-s', '-m', '3', `http://${address}:8080/`])).stdout === 'it works\n';

  it('says what is wrong and makes nothing', async () => {
    for (const [args, words] of [
      [['--managers', '0'], /at least one manager/],
      [['--subnet', '10.9.0.1/24'], /did you mean 10\.9\.0\.0\/24\?/],
      [['--subnet', '127.0.0.0/16'], /overlaps one that this machine uses/],
      [['--name', 'Not_a-name'], /invalid cluster name "Not_a-name"/],
    ] as const) {
      const { code, stderr } = await tryDev('up', ...args);
      assert.notEqual(code, 0);
      assert.match(stderr, words);
    }
    assert.match((await tryDev('kill', 'worker1')).stderr, new RegExp(`there is no cluster ${name}: \`skep dev up\` makes one`));
    assert.equal(existsSync(base()), false);
  });

  it('is completed by another up when the first is killed in the middle', async () => {
    const doomed = await machine.spawnInside([skep, 'dev', 'up', '--name', name, '--managers', '3', '--workers', '1'], {
      env: { ...process.env, SKEP_DEV_DIR: base() },
    });
    await until('the first engine is on its way', () => existsSync(join(base(), name, 'manager1', 'engine.log')), PATIENCE_MS);
    doomed.signal('SIGKILL');
    await doomed.exited;
    const output = await dev('up', '--managers', '3', '--workers', '1');
    assert.match(output, new RegExp(`export DOCKER_HOST=unix://${socketOf('manager1')}`));
    await until('all managers are reachable', async () => {
      const [first, ...others] = await statuses();
      return `${first} ${others.join(' ')}` === 'manager1 Ready Leader manager2 Ready Reachable manager3 Ready Reachable worker1 Ready';
    });
    assert.deepEqual(await states(), { manager1: 'running,up', manager2: 'running,up', manager3: 'running,up', worker1: 'running,up' });
  });

  it('runs a service whose port answers to the machine on every node', async () => {
    const engine = join(base(), name, 'manager1', 'docker.sock');
    await importBusybox(engine, 'busybox:dev', ['CMD ["httpd","-f","-h","/var/www"]']);
    assert.match(await dev('load', '--from', `unix://${engine}`, 'busybox:dev'), /^worker1: Loaded image: busybox:dev$/m);
    await docker(
      'service',
      'create',
      '--detach',
      '--no-resolve-image',
      '--name',
      'web',
      '--replicas',
      '4',
      '-p',
      '8080:80',
      '--stop-grace-period',
      '1s',
      'busybox:dev',
    );
    await until('each node runs one', async () => (await nodesOf('web')).toSorted().join() === 'manager1,manager2,manager3,worker1', PATIENCE_MS);
    for (const address of (await dev('ls', '--format', '{{.Address}}')).split('\n')) await until(`${address} answers`, () => answers(address), PATIENCE_MS);
    const inside = await tryDev('exec', 'worker1', 'sh', '-c', 'hostname; exit 3');
    assert.deepEqual([inside.code, inside.stdout], [3, 'worker1\n']);
  });

  it('lets its nodes out, over the machine', { skip: !isInstalled('slirp4netns') && 'slirp4netns is not installed' }, async () => {
    writeFileSync(join(folder, 'index.html'), 'from outside\n');
    await outside.spawnInside(['busybox', 'httpd', '-f', '-h', folder]);
    const fetched = async (...before: string[]) => (await tryDev('exec', 'manager2', ...before, 'wget', '-q', '-O-', `http://${OUTSIDE}/`)).stdout;
    await until('a node has the page', async () => (await fetched('busybox')) === 'from outside\n', PATIENCE_MS);
    const container = (await nodesOf('web')).includes('manager2') && (await tryDev('exec', 'manager2', 'docker', 'ps', '-q')).stdout.trim();
    assert.equal(await fetched('docker', 'exec', String(container)), 'from outside\n');
  });

  it('loses a node and replaces its task, and gets it back', async () => {
    assert.equal(await dev('kill', 'worker1'), 'worker1');
    assert.equal((await states())['worker1'], 'stopped,');
    assert.match((await tryDev('kill', 'worker1')).stderr, /worker1 is not running/);
    await until('its task runs elsewhere', async () => (await nodesOf('web')).filter((node) => node.startsWith('manager')).length === 4, PATIENCE_MS);
    await dev('start', 'worker1');
    await until('it is ready again', async () => (await statuses()).includes('worker1 Ready'), PATIENCE_MS);
  });

  it('cuts a node off and heals it', async () => {
    await dev('cut', 'manager3');
    await dev('slow', '--rate', '10mbit', 'worker1');
    assert.deepEqual(await states(), { manager1: 'running,up', manager2: 'running,up', manager3: 'running,cut', worker1: 'running,slow (rate 10Mbit)' });
    await until('it is unreachable', async () => (await statuses()).includes('manager3 Down Unreachable'), PATIENCE_MS);
    await dev('heal', 'manager3', 'worker1');
    await until('it is back', async () => /^manager3 Ready (Reachable|Leader)$/m.test((await statuses()).join('\n')), PATIENCE_MS);
    await dev('cut', '--direction', 'in', 'worker1');
    assert.equal((await states())['worker1'], 'running,cut (in)');
  });

  it('goes without a trace, twice', async () => {
    const { stderr } = await tryDev('down');
    assert.equal(stderr, `The cluster ${name} is gone.\n`);
    assert.equal(existsSync(base()), false);
    assert.deepEqual(cgroupsBeginningWith(`skep-dev.${name}.`), []);
    assert.equal(await links(), linksBefore);
    const mounts = readFileSync(`/proc/${machine.pid}/mounts`, 'utf8');
    assert.doesNotMatch(mounts, new RegExp(name));
    const { stdout: processes } = await machine.exec(['ps', '-e', '-o', 'args=']);
    assert.deepEqual(
      processes
        .trim()
        .split('\n')
        .filter((line) => !/^(bash -c ip link set lo up|ps -e )/.test(line)),
      [],
    );
    assert.equal((await machine.exec(['lsns', '--type', 'net', '--noheadings', '--output', 'NS'])).stdout.trim().split('\n').length, 1);
    const again = await tryDev('down');
    assert.deepEqual([again.code, again.stderr], [0, `There is no cluster ${name}.\n`]);
  });

  /** The last words of every daemon, for a test that failed. */
  function logs(): string {
    const place = join(base(), name);
    if (!existsSync(place)) return '';
    const files = readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((file) => /^[a-z]+\d\/[a-z]+\.log$/.test(file));
    return files.map((file) => `\n-- ${file}:\n${readFileSync(join(place, file), 'utf8').split('\n').slice(-8).join('\n')}`).join('');
  }
});
