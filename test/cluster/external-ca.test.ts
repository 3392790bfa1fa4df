// A swarm whose certificates a certificate authority outside of it signs, which takes only clients that it knows.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { appendFile, chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createCertificateRequest, signCertificateRequest } from '#ca/node-certificate.ts';
import { type ClusterNode, startCluster, type TestCluster } from '../lib/cluster.ts';
import { type InsideProcess, runOrThrow, until } from '../lib/engine.ts';

const PORT = 8_888;
let cluster: TestCluster;
let nodes: readonly [ClusterNode, ClusterNode, ClusterNode];
let folder: string;
let authority: InsideProcess | undefined;
const file = (name: string) => join(folder, name);
const url = () => `https://${cluster.client.address}:${PORT}/api/v1/cfssl/sign`;
const externalCa = () => `protocol=cfssl,url=${url()},cacert=${file('ca.crt')}`;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skep-external-ca-'));
  await openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '3650',
    '-subj',
    '/CN=our authority',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.crt'),
  );
  const root = { certificate: await readFile(file('ca.crt'), 'utf8'), key: await readFile(file('ca.key'), 'utf8') };
  // For the first manager, which has no certificate of its own when it asks first.
  const { request, key } = await createCertificateRequest();
  await writeFile(file('clients.pem'), root.certificate);
  await writeFile(
    file('first.crt'),
    await signCertificateRequest(root, request, { nodeId: 'first', role: 'worker', clusterId: 'operators' }, { now: Date.now() }),
  );
  await writeFile(file('first.key'), key);
  await chmod(file('first.key'), 0o600);
  cluster = await startCluster({ nodes: 3 });
  nodes = cluster.nodes as typeof nodes;
});
after(async () => {
  authority?.signal('SIGKILL');
  await cluster?.stop();
  await rm(folder, { recursive: true, force: true });
});

const openssl = (...args: string[]) => runOrThrow(['openssl', ...args]);
const certificateOf = async ({ stateDirectory }: ClusterNode) => new X509Certificate(await readFile(join(stateDirectory, 'certificates/node.crt'), 'utf8'));
const isOfAuthority = async (node: ClusterNode) => (await certificateOf(node)).verify(new X509Certificate(await readFile(file('ca.crt'), 'utf8')).publicKey);
const signed = async () => (await readFile(file('signed.log'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
const trustRoot = () => cluster.manager.docker('swarm', 'ca');

async function startAuthority(): Promise<void> {
  const server = join(import.meta.dirname, '../lib/external-ca-server.ts');
  const started = await cluster.client.spawnInside(
    [process.execPath, '--disable-warning=ExperimentalWarning', server, folder, cluster.client.address, String(PORT)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  await new Promise((resolve) => started.child.stdout?.once('data', resolve));
  authority = started;
}

async function stopAuthority(): Promise<void> {
  authority?.signal('SIGKILL');
  await authority?.exited;
  authority = undefined;
}

async function joinSwarm(node: ClusterNode, role = 'worker') {
  const token = await cluster.manager.docker('swarm', 'join-token', '-q', role);
  return node.tryDocker(['swarm', 'join', '--advertise-addr', node.lanAddress, '--token', token, `${cluster.manager.lanAddress}:2377`]);
}

test('a new swarm needs the certificate of its authority, and an authority that answers', async () => {
  const [manager] = nodes;
  const init = async (ca: string) => (await manager.tryDocker(['swarm', 'init', '--advertise-addr', manager.lanAddress, '--external-ca', ca])).stderr;
  assert.match(await init(`protocol=cfssl,url=${url()}`), /a new swarm must know the CA certificate of its external CA: add cacert=<file> to --external-ca/);
  assert.match(await init(externalCa()), /the external CA at https:\S+ does not answer: connect ECONNREFUSED/);
  await startAuthority();
  assert.match(await init(externalCa()), /the external CA at https:\S+ does not answer: it does not take the certificate that it is shown, or wants one/);
  assert.equal(await manager.docker('info', '--format', '{{.Swarm.LocalNodeState}}'), 'inactive');
});

test('the authority signs for the first manager, for a worker, and for a second manager', async () => {
  const [manager, worker, second] = nodes;
  await manager.stopDaemon();
  await manager.startDaemon(['--external-ca-cert', file('first.crt'), '--external-ca-key', file('first.key')]);
  await manager.docker('swarm', 'init', '--advertise-addr', manager.lanAddress, '--external-ca', externalCa());
  assert.equal((await trustRoot()).trim(), (await readFile(file('ca.crt'), 'utf8')).trim());
  assert.match(await manager.docker('info'), /External CAs:\s+cfssl: https:/);
  // From now on the manager shows its own certificate.
  await manager.stopDaemon();
  await manager.startDaemon();
  assert.deepEqual(await joinSwarm(worker), { code: 0, stdout: 'This node joined a swarm as a worker.\n', stderr: '' });
  assert.equal((await joinSwarm(second, 'manager')).code, 0);
  for (const node of nodes) assert.ok(await isOfAuthority(node));
  const managerId = await manager.docker('info', '--format', '{{.Swarm.NodeID}}');
  assert.ok((await signed()).slice(1).every((line) => line.includes(`CN=${managerId}`)));
  assert.match((await signed())[1] ?? '', /"OU":"swarm-worker"/);
});

test('a certificate that is due is renewed by the authority, also one that only the managers’ keys would have made shorter', async () => {
  const [, worker] = nodes;
  const root = { certificate: await readFile(file('ca.crt'), 'utf8'), key: await readFile(file('ca.key'), 'utf8') };
  const nodeId = await worker.docker('info', '--format', '{{.Swarm.NodeID}}');
  const clusterId = await cluster.manager.docker('info', '--format', '{{.Swarm.Cluster.ID}}');
  const old = (await certificateOf(worker)).serialNumber;
  await worker.stopDaemon();
  const folderOfNode = join(worker.stateDirectory, 'certificates');
  const request = await openssl('req', '-new', '-key', join(folderOfNode, 'node.key'), '-subj', '/CN=x');
  const past = { now: Date.now() - 89 * 86_400_000, expiryMs: 90 * 86_400_000 };
  await writeFile(join(folderOfNode, 'node.crt'), await signCertificateRequest(root, request, { nodeId, role: 'worker', clusterId }, past));
  await worker.startDaemon();
  const isRenewed = async () => {
    const { validToDate, serialNumber } = await certificateOf(worker);
    return serialNumber !== old && validToDate.getTime() > Date.now() + 300 * 86_400_000;
  };
  await until('it is renewed', isRenewed);
  const count = (await signed()).length;
  await cluster.manager.docker('swarm', 'update', '--cert-expiry', '2h');
  assert.equal((await signed()).length, count);
});

test('while the authority is away a join waits and says for what, and the swarm goes on; what it refuses or forges is final', async () => {
  const [manager, worker] = nodes;
  await worker.docker('swarm', 'leave');
  await manager.docker('node', 'rm', worker.name);
  await stopAuthority();
  const joining = joinSwarm(worker);
  const info = async () => worker.docker('info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.Error}}');
  await until('it says what it waits for', async () => /^pending the external CA at https:\S+ does not answer: connect ECONNREFUSED/.test(await info()));
  assert.equal((await manager.docker('node', 'ls', '-q')).split('\n').length, 2);
  assert.equal((await manager.docker('service', 'create', '--detach', '--name', 'x', 'busybox')).length, 25);
  await startAuthority();
  // Within the 20 seconds, or in the background after them.
  await joining;
  await until('it has joined', async () => (await info()) === 'active');
  await worker.docker('swarm', 'leave');
  await writeFile(file('mode'), 'refuse');
  assert.match((await joinSwarm(worker)).stderr, /the external CA at \S+ refused to sign: .*policy violation/);
  await writeFile(file('mode'), 'other');
  assert.match(
    (await joinSwarm(worker)).stderr,
    /answered with a certificate that cannot be used: it names swarm-worker somebody-else of \w+, instead of swarm-worker \w+/,
  );
  await rm(file('mode'));
  assert.equal((await joinSwarm(worker)).code, 0);
});

test('the swarm turns to a root of its own, which the authority signs for, and back to the authority', async () => {
  const [manager] = nodes;
  const ca = (...args: string[]) => manager.tryDocker(['swarm', 'ca', '--rotate', '-q', ...args]);
  await until('the node that was removed is gone', async () => {
    const down = await manager.docker('node', 'ls', '--format', '{{.ID}} {{.Status}}');
    for (const line of down.split('\n').filter((text) => text.endsWith(' Down'))) await manager.docker('node', 'rm', line.split(' ')[0] ?? '');
    return !down.includes(' Down');
  });
  assert.deepEqual(await ca(), { code: 0, stdout: '', stderr: '' });
  assert.match((await signed()).at(-1) ?? '', /"CN":"swarm-ca".*"profile":"CA"/);
  const own = await trustRoot();
  for (const node of nodes) assert.ok((await certificateOf(node)).verify(new X509Certificate(own).publicKey));
  await stopAuthority();
  const unreachable = await ca('--external-ca', externalCa(), '--ca-cert', file('ca.crt'));
  assert.match(
    unreachable.stderr,
    /InvalidArgument desc = there must be at least one valid, reachable external CA corresponding to the desired CA certificate/,
  );
  // Until the rotation is over the managers show certificates of the present root.
  await appendFile(file('clients.pem'), own);
  await startAuthority();
  assert.deepEqual(await ca('--external-ca', externalCa(), '--ca-cert', file('ca.crt')), { code: 0, stdout: '', stderr: '' });
  for (const node of nodes) assert.ok(await isOfAuthority(node));
  await stopAuthority();
  assert.match((await ca()).stderr, /there must be at least one valid, reachable external CA corresponding to the current CA certificate/);
  // Whoever has the authority's key needs it no more.
  assert.deepEqual(await ca('--ca-cert', file('ca.crt'), '--ca-key', file('ca.key')), { code: 0, stdout: '', stderr: '' });
  assert.deepEqual(await ca(), { code: 0, stdout: '', stderr: '' });
  assert.notEqual(await trustRoot(), own);
});
