// Trust between nodes, as users see it: join tokens, certificates that are renewed, roots that are replaced, nodes that are removed or leave.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createCertificateRequest, signCertificateRequest } from '#ca/node-certificate.ts';
import { type ClusterNode, formSwarm, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/engine.ts';

let cluster: TestCluster;
let nodes: readonly [ClusterNode, ClusterNode, ClusterNode];

before(async () => {
  cluster = await startCluster({ nodes: 3 });
  nodes = cluster.nodes as typeof nodes;
  await formSwarm({ ...cluster, nodes: nodes.slice(0, 2) });
  await Promise.all(nodes.map(({ engine }) => engine.importBusybox('busybox')));
});
after(() => cluster.stop());

const certificateOf = async ({ stateDirectory }: ClusterNode) => new X509Certificate(await readFile(join(stateDirectory, 'certificates/node.crt'), 'utf8'));
const rootsOf = ({ stateDirectory }: ClusterNode) => readFile(join(stateDirectory, 'certificates/root.crt'), 'utf8');
const nodeState = (node: ClusterNode) => cluster.manager.docker('node', 'inspect', node.name, '--format', '{{.Status.State}}').catch(() => 'gone');
const localState = (node: ClusterNode) => node.docker('info', '--format', '{{.Swarm.LocalNodeState}}');
const tokenOf = (role: string) => cluster.manager.docker('swarm', 'join-token', '-q', role);

async function refusal(node: ClusterNode, token: string, address = `${cluster.manager.lanAddress}:2377`, ...more: string[]): Promise<string> {
  const { code, stderr } = await node.tryDocker(['swarm', 'join', '--advertise-addr', node.lanAddress, '--token', token, ...more, address]);
  assert.equal(code, 1, stderr);
  return stderr.trim();
}

test('a wrong, a rotated, a foreign and a malformed token are refused in the words of Docker, and the node stays free', async () => {
  const [manager, , third] = nodes;
  const old = await tokenOf('worker');
  assert.match(await manager.docker('swarm', 'join-token', '--rotate', 'worker'), /^Successfully rotated worker join token\./);
  const current = await tokenOf('worker');
  assert.notEqual(current, old);
  assert.equal(current.slice(0, 60), old.slice(0, 60));
  const invalid = /rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster$/;
  assert.match(await refusal(third, old), invalid);
  assert.match(await refusal(third, `${current.slice(0, -25)}${'0'.repeat(25)}`), invalid);
  assert.match(await refusal(third, current.slice(0, -1)), /invalid join token$/);
  const foreign = current.replace(/^SWMTKN-1-../, 'SWMTKN-1-00');
  assert.match(await refusal(third, foreign), /remote CA does not match fingerprint\. Expected: [0-9a-f]{64}$/);
  assert.equal(await localState(third), 'inactive');
  assert.equal(await manager.docker('node', 'ls', '-q').then((text) => text.split('\n').length), 2);
});

test('a manager that refuses the connection is told at once', async () => {
  const [, second, third] = nodes;
  const text = await refusal(third, await tokenOf('worker'), `${second.lanAddress}:2377`);
  assert.match(
    text,
    /rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp [0-9.]+:2377: connect: connection refused"$/,
  );
});

test('a node that joins with availability drain gets no tasks; joining twice is refused', async () => {
  const [manager, , third] = nodes;
  const token = await tokenOf('worker');
  const joined = await third.docker(
    'swarm',
    'join',
    '--availability',
    'drain',
    '--advertise-addr',
    third.lanAddress,
    '--token',
    token,
    `${manager.lanAddress}:2377`,
  );
  assert.equal(joined, 'This node joined a swarm as a worker.');
  assert.equal(await manager.docker('node', 'inspect', third.name, '--format', '{{.Spec.Availability}} {{.Status.State}}'), 'drain ready');
  assert.match(await refusal(third, token), /This node is already part of a swarm\. Use "docker swarm leave" to leave this swarm and join another one\.$/);
  await manager.docker('service', 'create', '-q', '--name', 'everywhere', '--mode', 'global', '--stop-grace-period', '1s', 'busybox', 'sleep', '1000');
  const where = await manager.docker('service', 'ps', 'everywhere', '--format', '{{.Node}}');
  assert.deepEqual(where.split('\n').sort(), ['node1', 'node2']);
  await manager.docker('node', 'update', '--availability', 'active', third.name);
  await until('it has a task when it is active', async () =>
    (await manager.docker('node', 'ps', third.name, '--format', '{{.CurrentState}}')).startsWith('Running'),
  );
});

test('a shorter life of certificates makes every node renew its own at once, and sessions go on', async () => {
  const [manager] = nodes;
  const serials = await Promise.all(nodes.map(async (node) => (await certificateOf(node)).serialNumber));
  const sessions = await Promise.all(nodes.map(async (node) => countSessions(node)));
  await manager.docker('swarm', 'update', '--cert-expiry', '2h');
  await until('all have new certificates', async () => {
    const certificates = await Promise.all(nodes.map(certificateOf));
    return certificates.every(({ serialNumber }, index) => serialNumber !== serials[index]);
  });
  for (const node of nodes) {
    const { validToDate } = await certificateOf(node);
    assert.ok(validToDate.getTime() - Date.now() <= 2 * 3_600_000);
  }
  assert.deepEqual(await Promise.all(nodes.map(async (node) => countSessions(node))), sessions);
});

async function countSessions(node: ClusterNode): Promise<number> {
  return (await node.daemonLog(100_000)).split('session with a manager is open').length;
}

test('the root is replaced while nodes follow: all certificates are new, the old root is dropped, tokens change, sessions go on', async () => {
  const [manager] = nodes;
  const [oldRoot, oldToken] = [await manager.docker('swarm', 'ca'), await tokenOf('worker')];
  const sessions = await Promise.all(nodes.map(async (node) => countSessions(node)));
  const output = await manager.docker('swarm', 'ca', '--rotate');
  assert.match(output, /desired root digest: sha256:[0-9a-f]{64}/);
  const newRoot = await manager.docker('swarm', 'ca');
  assert.notEqual(newRoot, oldRoot);
  assert.ok(output.endsWith(newRoot.trim()));
  for (const node of nodes) {
    assert.equal((await rootsOf(node)).trim(), newRoot.trim());
    assert.ok((await certificateOf(node)).verify(new X509Certificate(newRoot).publicKey));
  }
  assert.notEqual((await tokenOf('worker')).slice(0, 60), oldToken.slice(0, 60));
  assert.deepEqual(await Promise.all(nodes.map(async (node) => countSessions(node))), sessions);
});

test('a node that is off holds a rotation up, even over a restart of the manager, and ends it when it is back', async () => {
  const [manager, , third] = nodes;
  const isRotating = async () => (await manager.http('GET', '/swarm')).json as { RootRotationInProgress: boolean; TLSInfo: { TrustRoot: string } };
  const oldRoot = await manager.docker('swarm', 'ca');
  await third.stopDaemon();
  assert.equal(await manager.docker('swarm', 'ca', '--rotate', '--detach'), '');
  await until('the other nodes have followed', async () => (await rootsOf(nodes[1])).split('BEGIN CERTIFICATE').length === 3);
  await manager.stopDaemon('SIGKILL');
  await manager.startDaemon();
  // Begun once more: the first attempt is given up, and nobody who followed it is shut out.
  assert.equal(await manager.docker('swarm', 'ca', '--rotate', '--detach'), '');
  assert.deepEqual([(await isRotating()).RootRotationInProgress, (await isRotating()).TLSInfo.TrustRoot.trim()], [true, oldRoot.trim()]);
  await until('the running worker is a member still', async () => (await nodeState(nodes[1])) === 'ready');
  await third.startDaemon();
  await until('the rotation is over', async () => !(await isRotating()).RootRotationInProgress);
  const newRoot = await manager.docker('swarm', 'ca');
  assert.notEqual(newRoot, oldRoot);
  for (const node of nodes) await until(`${node.name} trusts the new root only`, async () => (await rootsOf(node)).trim() === newRoot.trim());
  for (const node of nodes) await until(`${node.name} is ready`, async () => (await nodeState(node)) === 'ready');
});

test('a node that leaves is down at once, can be removed, and joins again with the new root', async () => {
  const [manager, , third] = nodes;
  assert.equal(await third.docker('swarm', 'leave'), 'Node left the swarm.');
  assert.equal(await nodeState(third), 'down');
  assert.equal(await manager.docker('node', 'rm', third.name), third.name);
  await third.docker('swarm', 'join', '--advertise-addr', third.lanAddress, '--token', await tokenOf('worker'), `${manager.lanAddress}:2377`);
  assert.equal(await nodeState(third), 'ready');
});

test('a join that gets no answer says so after 20 seconds, goes on in the background, and can be given up', async () => {
  const [manager, , third] = nodes;
  const token = await tokenOf('worker');
  await third.docker('swarm', 'leave');
  await manager.docker('node', 'rm', third.name);
  await third.cut();
  const begunAt = Date.now();
  assert.match(
    await refusal(third, token),
    /Timeout was reached before node joined\. The attempt to join the swarm will continue in the background\. Use the "docker info" .* The last attempt: no answer from /,
  );
  assert.ok(Math.abs(Date.now() - begunAt - 20_000) < 3_000);
  assert.equal(await localState(third), 'pending');
  assert.match(await refusal(third, token), /This node is already part of a swarm/);
  assert.equal(await third.docker('swarm', 'leave'), 'Node left the swarm.');
  assert.equal(await localState(third), 'inactive');
  await refusal(third, token);
  await third.heal();
  await until('it has joined', async () => (await nodeState(third)) === 'ready' && (await localState(third)) === 'active');
});

test('a root of the user’s own takes over; a bad one is refused in the words of Docker', async () => {
  const [manager] = nodes;
  const file = (name: string) => join(manager.engine.folder, name);
  const openssl = async (...args: string[]) => {
    const { code, stderr } = await manager.engine.exec(['openssl', ...args]);
    assert.equal(code, 0, stderr);
  };
  await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3650', '-subj', '/CN=our own', '-keyout', file('ca.key'), '-out', file('ca.crt'));
  await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '100', '-subj', '/CN=short', '-keyout', file('short.key'), '-out', file('short.crt'));
  const rotate = async (...args: string[]) => manager.tryDocker(['swarm', 'ca', '--rotate', '-q', ...args]);
  assert.match((await rotate('--ca-cert', file('short.crt'), '--ca-key', file('short.key'))).stderr, /InvalidArgument desc = CA certificate expires too soon/);
  assert.match((await rotate('--ca-cert', file('ca.crt'), '--ca-key', file('short.key'))).stderr, /InvalidArgument desc = certificate key mismatch/);
  const external = await rotate('--external-ca', 'protocol=cfssl,url=https://192.0.2.1', '--ca-cert', file('ca.crt'));
  assert.match(external.stderr, /there must be at least one valid, reachable external CA corresponding to the desired CA certificate/);
  const { code, stderr } = await rotate('--ca-cert', file('ca.crt'), '--ca-key', file('ca.key'));
  assert.equal(code, 0, stderr);
  const root = await readFile(file('ca.crt'), 'utf8');
  assert.equal((await manager.docker('swarm', 'ca')).trim(), root.trim());
  for (const node of nodes) assert.ok((await certificateOf(node)).verify(new X509Certificate(root).publicKey));
});

test('a node that was off until its certificate expired gets back in with its key, and with no other', async () => {
  const [manager, , third] = nodes;
  const read = (name: string) => readFile(join(manager.engine.folder, name), 'utf8');
  const root = { certificate: await read('ca.crt'), key: await read('ca.key') };
  const folder = join(third.stateDirectory, 'certificates');
  const nodeId = await third.docker('info', '--format', '{{.Swarm.NodeID}}');
  const clusterId = await manager.docker('info', '--format', '{{.Swarm.Cluster.ID}}');
  /** What the node would have if it had been off for a hundred days. */
  const expire = (request: string) =>
    signCertificateRequest(root, request, { nodeId, role: 'worker', clusterId }, { now: Date.now() - 100 * 86_400_000, expiryMs: 86_400_000 });
  // Killed, for one that is stopped in order is waited for.
  await third.stopDaemon('SIGKILL');
  const { stdout: request } = await third.engine.exec(['openssl', 'req', '-new', '-key', join(folder, 'node.key'), '-subj', '/CN=x']);
  const stranger = await createCertificateRequest();
  const ownKey = await readFile(join(folder, 'node.key'), 'utf8');
  await writeFile(join(folder, 'node.crt'), await expire(stranger.request));
  await writeFile(join(folder, 'node.key'), stranger.key);
  await third.startDaemon();
  await until('it is down', async () => (await nodeState(third)) === 'down');
  await until('it is refused', async () => (await third.daemonLog(1_000)).includes('its key is not the newest that the managers know'));
  assert.equal(await nodeState(third), 'down');
  await third.stopDaemon();
  await writeFile(join(folder, 'node.crt'), await expire(request));
  await writeFile(join(folder, 'node.key'), ownKey);
  // The root is being replaced, too, by the time it comes back: nodes that are away hold that up, so they cannot miss it.
  await manager.docker('swarm', 'ca', '--rotate', '--detach');
  await third.startDaemon();
  await until('it is back', async () => (await nodeState(third)) === 'ready');
  assert.ok((await certificateOf(third)).validToDate.getTime() > Date.now());
  await until('the rotation is over', async () => !((await manager.http('GET', '/swarm')).json as { RootRotationInProgress: boolean }).RootRotationInProgress);
});

test('a node that was removed while it was off, and then the root was replaced, says that it must join again', async () => {
  const [manager, , third] = nodes;
  await third.stopDaemon();
  await manager.docker('node', 'rm', '--force', third.name);
  await manager.docker('swarm', 'ca', '--rotate', '-q');
  await third.startDaemon();
  await until('it says so', async () =>
    /root that this node does not trust.*leave the swarm, and join again/.test(await third.docker('info', '--format', '{{.Swarm.Error}}')),
  );
  assert.equal(await third.docker('swarm', 'leave'), 'Node left the swarm.');
});

test('a removed node is out at once: its session is closed, it is not let in again, it says so and stops its tasks', async () => {
  const [manager, second] = nodes;
  assert.match((await manager.tryDocker(['node', 'rm', second.name])).stderr, /FailedPrecondition desc = node \w+ is not down and can't be removed/);
  assert.equal(await manager.docker('node', 'rm', '--force', second.name), second.name);
  await until('the removed node knows', async () => (await localState(second)) === 'error');
  assert.match(await second.docker('info', '--format', '{{.Swarm.Error}}'), /PermissionDenied desc = this node is not part of the swarm any more/);
  await until('its tasks are stopped', async () => (await second.engine.docker('ps', '-q')) === '');
  assert.equal(await nodeState(second), 'gone');
  assert.equal(await second.docker('swarm', 'leave'), 'Node left the swarm.');
  assert.equal(await localState(second), 'inactive');
});
