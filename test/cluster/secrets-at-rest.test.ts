// What of secrets, tokens, passwords and keys can be found on the nodes of a locked swarm by whoever has their disks, logs, process lists and answers: nothing
// in the clear, whatever the umask was, and nothing on nodes that have no need of it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { lstatSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ClusterNode, startCluster, type TestCluster } from '../lib/cluster.ts';
import { runOrThrow, until } from '../lib/engine.ts';
import { createWords, entriesUnder, leaksInFiles, leaksInMemory, processIds, watchProcesses } from '../lib/leaks.ts';

const words = createWords();
const processes = watchProcesses(words);
/** Files of the user who sets the swarm up: on none of the nodes. */
const ownFolder = mkdtempSync(join(tmpdir(), 'skep-own-'));
const umask = process.umask();
let cluster: TestCluster;
let nodes: readonly [ClusterNode, ClusterNode, ClusterNode, ClusterNode];

before(async () => {
  // No mask hides a careless mode of what starts from here.
  process.umask(0);
  cluster = await startCluster({ nodes: 4 });
  nodes = cluster.nodes as typeof nodes;
  const [first, second, third, worker] = nodes;
  await Promise.all(nodes.map(({ engine }) => engine.importBusybox('busybox')));
  const request = { ListenAddr: '0.0.0.0:2377', AdvertiseAddr: first.lanAddress, Spec: { EncryptionConfig: { AutoLockManagers: true } } };
  assert.equal((await first.http('POST', '/swarm/init', { ...request, AutoLockManagers: true })).status, 200);
  await noteKeys();
  for (const [node, role] of [
    [worker, 'Worker'],
    [second, 'Manager'],
    [third, 'Manager'],
  ] as const)
    await joinAs(node, role);
  await useOwnRoot();
  await useSecrets();
});
after(async () => {
  process.umask(umask);
  rmSync(ownFolder, { recursive: true, force: true });
  processes.stop();
  await cluster?.stop();
});

interface SwarmAnswer {
  readonly Version: { readonly Index: number };
  readonly Spec: object;
  readonly JoinTokens: Readonly<Record<string, string>>;
}
const swarm = async () => (await nodes[0].http('GET', '/swarm')).json as SwarmAnswer;
const stateOf = async (node: ClusterNode) => node.docker('info', '--format', '{{.Swarm.LocalNodeState}}');
const managerKeys = (node: ClusterNode) => ['certificates/node.key', 'etcd/peer.key'].map((file) => readFileSync(join(node.stateDirectory, file), 'utf8'));
const unlockKeyOf = () => `SWMKEY-1-${words.of('unlock key')}`;

async function noteKeys(): Promise<void> {
  for (const [role, token] of Object.entries((await swarm()).JoinTokens)) words.add(`${role}'s join secret`, token.split('-').at(-1) ?? '');
  const { UnlockKey } = (await nodes[0].http('GET', '/swarm/unlockkey')).json as { readonly UnlockKey: string };
  words.add('unlock key', UnlockKey.replace('SWMKEY-1-', ''));
}

/** Not by the docker CLI, whose arguments everybody can read. */
async function joinAs(node: ClusterNode, role: 'Worker' | 'Manager'): Promise<void> {
  const { JoinTokens } = await swarm();
  const request = { ListenAddr: '0.0.0.0:2377', AdvertiseAddr: node.lanAddress, RemoteAddrs: [`${nodes[0].lanAddress}:2377`], JoinToken: JoinTokens[role] };
  const { status, text } = await node.http('POST', '/swarm/join', request);
  assert.equal(status, 200, text);
}

/** A root whose key is known, to look for it. */
async function useOwnRoot(): Promise<void> {
  const [key, certificate] = [join(ownFolder, 'ca.key'), join(ownFolder, 'ca.crt')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  await runOrThrow(['openssl', 'req', '-x509', ...curve, '-nodes', '-days', '3650', '-subj', '/CN=own', '-keyout', key, '-out', certificate]);
  words.add('key of the root', readFileSync(key, 'utf8').split('\n')[2] ?? '');
  await nodes[0].docker('swarm', 'ca', '--rotate', '-q', '--ca-cert', certificate, '--ca-key', key);
  await noteKeys();
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const registryAuth = () => Buffer.from(JSON.stringify({ username: 'u', password: words.of('registry password') })).toString('base64url');
const serviceOf = (name: string, image: string, secretId: string) => ({
  Name: name,
  TaskTemplate: {
    ContainerSpec: {
      Image: image,
      Command: ['sleep', '1000'],
      Secrets: [{ SecretID: secretId, SecretName: 'word', File: { Name: 'word', UID: '0', GID: '0', Mode: 0o400 } }],
    },
    Networks: [{ Target: 'inside' }],
    Placement: { Constraints: ['node.hostname==node2'] },
  },
});

/** A service that runs with a secret, and one whose image cannot be had with its password, both on the second node. */
async function useSecrets(): Promise<void> {
  const [first, second, third] = nodes;
  await first.docker('network', 'create', '--driver', 'overlay', 'inside');
  for (const what of ['secret', 'registry password']) words.add(what, `word${randomBytes(16).toString('hex')}`);
  const { ID } = (await second.http('POST', '/secrets/create', { Name: 'word', Data: base64(words.of('secret')) })).json as { readonly ID: string };
  for (const [name, image] of [
    ['reader', 'busybox'],
    ['unavailable', '127.0.0.1:1/busybox:none'],
  ] as const) {
    const { status, text } = await third.http('POST', '/services/create', serviceOf(name, image, ID), { 'X-Registry-Auth': registryAuth() });
    assert.equal(status, 201, text);
  }
  const states = () => first.docker('node', 'ps', second.name, '--format', '{{.Name}} {{.CurrentState}}');
  await until('one runs, one is refused', async () => /reader.1 Running/.test(await states()) && /unavailable.1 Rejected/.test(await states()), 60_000);
}

async function pidOf({ stateDirectory }: ClusterNode): Promise<number> {
  const isDaemon = (pid: string) => {
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return argv.includes(stateDirectory) && argv.some((word) => word.endsWith('/skepd.ts'));
    } catch {
      return false;
    }
  };
  const pid = processIds().find(isDaemon);
  assert.ok(pid, `no skepd on ${stateDirectory}`);
  return Number(pid);
}

test('the container reads the secret, and neither inspect nor any answer or error shows one', async () => {
  const [first, second, , worker] = nodes;
  const [container = ''] = (await second.engine.docker('ps', '-q')).split('\n');
  assert.equal(await second.engine.docker('exec', container, 'cat', '/run/secrets/word'), words.of('secret'));
  const { Version, Spec } = await swarm();
  const key = readFileSync(join(ownFolder, 'ca.key'), 'utf8');
  const wrongJoin = { JoinToken: `SWMTKN-1-${words.of("Worker's join secret")}`, RemoteAddrs: ['127.0.0.1:1'] };
  const bad: readonly (readonly [string, unknown, Readonly<Record<string, string>>?])[] = [
    ['/secrets/create', { Name: 'x', Data: `!${words.of('secret')}` }],
    ['/secrets/create', { Name: 'a b', Data: base64(words.of('secret')) }],
    ['/secrets/create', { Name: 'x', Data: { [words.of('secret')]: 1 } }],
    ['/secrets/create', `{"Name":"x","Data":"${words.of('secret')}`],
    ['/services/create', { Name: 'x', TaskTemplate: { ContainerSpec: {} } }, { 'X-Registry-Auth': registryAuth() }],
    ['/services/create', { Name: 'x' }, { 'X-Registry-Auth': `!${words.of('registry password')}` }],
    ['/swarm/unlock', { UnlockKey: `${unlockKeyOf()}x` }],
    [`/swarm/update?version=${Version.Index}`, { ...Spec, CAConfig: { SigningCACert: 'none', SigningCAKey: key } }],
  ];
  for (const [path, body, headers] of bad) {
    const { status, text } = await first.http('POST', path, body, headers);
    assert.ok(status >= 400, `${path}: ${status}`);
    assert.deepEqual(words.foundIn(Buffer.from(text)), [], `${path}: ${text}`);
  }
  assert.deepEqual(words.foundIn(Buffer.from((await worker.http('POST', '/swarm/join', wrongJoin)).text)), []);
  const events = `/events?since=1&until=${Math.ceil(Date.now() / 1000)}`;
  for (const path of ['/secrets', '/secrets/word', '/services', '/services/reader', '/tasks', '/nodes', '/info', `/containers/${container}/json`, events]) {
    const { status, text } = await second.http('GET', path);
    assert.equal(status, 200, path);
    assert.deepEqual(words.foundIn(Buffer.from(text)), [], path);
  }
});

test('a worker without a task that uses a secret does not even have it in its memory', async () => {
  const [, second, , worker] = nodes;
  assert.ok(leaksInMemory(words, await pidOf(second)).includes('secret'), 'it can be found where it is');
  assert.deepEqual(
    leaksInMemory(words, await pidOf(worker)).filter((what) => what !== "Worker's join secret"),
    [],
  );
});

test('every file is its owner’s, nobody else may write anywhere, and a daemon that crashes writes its memory nowhere', async () => {
  for (const node of nodes) {
    assert.equal(lstatSync(node.stateDirectory).mode & 0o777, 0o700);
    for (const { path, mode, kind } of entriesUnder(node.stateDirectory))
      assert.equal(mode & (kind === 'socket' ? 0o022 : 0o077), 0, `${kind} ${path} has mode ${mode.toString(8)}`);
    assert.match(readFileSync(`/proc/${await pidOf(node)}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
  }
});

test('the private keys of managers lie on their disks as autolock wants it, and a locked manager comes back', async () => {
  const [first, second] = nodes;
  const managers = nodes.slice(0, 3);
  const all = (isLocked: boolean) => managers.every((node) => managerKeys(node).every((text) => text.includes('PRIVATE KEY') !== isLocked));
  assert.ok(all(true));
  // With new keys for all, too.
  await second.docker('swarm', 'ca', '--rotate', '-q');
  assert.ok(all(true));
  assert.equal(await second.docker('swarm', 'update', '--autolock=false'), 'Swarm updated.');
  await until('they lie open', () => all(false));
  const update = `/swarm/update?version=${(await swarm()).Version.Index}`;
  assert.equal((await second.http('POST', update, { ...(await swarm()).Spec, EncryptionConfig: { AutoLockManagers: true } })).status, 200);
  await noteKeys();
  await until('they are locked', () => all(true));
  await first.stopDaemon('SIGKILL');
  await first.startDaemon();
  assert.equal(await stateOf(first), 'locked');
  assert.equal((await first.http('POST', '/swarm/unlock', { UnlockKey: unlockKeyOf() })).status, 200);
  await until('it is a manager again', async () => (await first.docker('node', 'ls', '--filter', 'name=node1', '--format', '{{.ManagerStatus}}')) !== '');
  await useOwnRoot();
});

test('no file of any node and no process’s arguments or environment had any of it', () => {
  for (const { engine } of nodes) assert.deepEqual(leaksInFiles(words, engine.folder), []);
  assert.deepEqual(processes.stop(), []);
});

test('a container cannot send to the data path of nodes, where it would be on every network', async () => {
  const [first, second] = nodes;
  const counted = async () =>
    (await first.engine.exec(['nft', 'list', 'table', 'ip', 'counted'])).stdout.match(/counter packets (\d+)/g)?.map((text) => text.split(' ')[2]);
  const rules = ['4789', '4790'].map((port) => `udp dport ${port} udp length 26 counter`).join('\n');
  const input = `table ip counted {\nchain in {\ntype filter hook prerouting priority -400\n${rules}\n}\n}\n`;
  const { code, stderr } = await first.engine.exec(['nft', '-f', '-'], { input });
  assert.equal(code, 0, stderr);
  const [container = ''] = (await second.engine.docker('ps', '-q')).split('\n');
  // busybox has no other program that sends a datagram of a known length: 18 bytes that ask for a file.
  const send = (port: string) => second.engine.docker('exec', container, 'timeout', '1', 'tftp', '-g', '-r', 'x', '-l', '/dev/null', first.lanAddress, port);
  // The one that goes through comes last.
  await send('4789').catch(() => {});
  await until('the other port is reached', async () => {
    await send('4790').catch(() => {});
    return (await counted())?.[1] !== '0';
  });
  assert.equal((await counted())?.[0], '0');
});

test('a demoted manager has nothing more that is for managers, and goes on over a restart; a node that left has nothing at all', async () => {
  const [first, , third] = nodes;
  const names = () => entriesUnder(third.stateDirectory).map(({ path }) => path.slice(third.stateDirectory.length + 1));
  await first.docker('node', 'demote', third.name);
  await until('it is a worker', async () => (await third.tryDocker(['node', 'ls'])).stderr.includes('This node is not a swarm manager'));
  for (const name of names()) assert.ok(!/^(store\.db|data-key|etcd|snapshots|restored|replaced)/.test(name), name);
  await third.stopDaemon();
  await third.startDaemon();
  assert.equal(await stateOf(third), 'active');
  await third.docker('swarm', 'leave');
  assert.deepEqual(
    names().filter((name) => !['engine-kind', 'netd.log', 'skepd.lock', 'skepd.pid'].includes(name)),
    [],
  );
});
