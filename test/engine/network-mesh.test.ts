// Two nodes: tasks reach each other across them, and a port published on one is answered by a task of the other that sees the client's own address.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ClusterNetworkState } from '#protocol/network-state.ts';
import { runOrThrow, until } from '../lib/engine.ts';
import { applyCluster, type Lab, type LabContainer, startLab, UDP_CLIENT } from './network-lab.ts';

const VIP = '10.99.1.100';
const ADDRESSES = ['10.77.0.1', '10.77.0.2'] as const;

let labs: readonly [Lab, Lab];
let web: readonly [LabContainer, LabContainer];
let cluster: ClusterNetworkState;

before(async () => {
  labs = await Promise.all([startLab(), startLab()]);
  const [one, two] = labs;
  await runOrThrow([
    'nsenter',
    `--net=/proc/${one.engine.pid}/ns/net`,
    'ip',
    'link',
    'add',
    'peer',
    'type',
    'veth',
    'peer',
    'name',
    'peer',
    'netns',
    String(two.engine.pid),
  ]);
  for (const [index, lab] of labs.entries()) {
    await lab.engine.exec(['ip', 'addr', 'add', `${ADDRESSES[index]}/24`, 'dev', 'peer']);
    await lab.engine.exec(['ip', 'link', 'set', 'peer', 'up']);
    await lab.createNetwork('app', 4097);
  }
  web = await Promise.all([one.container('web1', { app: '10.99.1.11' }), two.container('web2', { app: '10.99.1.12' })]);
  const backends = web.map(({ endpoint, address }, index) => ({ taskId: endpoint.taskId, nodeId: `node${index}`, address }));
  cluster = {
    version: 1,
    nodes: ADDRESSES.map((dataPathAddress, index) => ({ nodeId: `node${index}`, index: index + 1, dataPathAddress })),
    networks: [
      {
        networkId: 'id-app',
        name: 'app',
        vxlanId: 4097,
        subnets: [],
        internal: false,
        attachable: true,
        encrypted: false,
        endpoints: backends.map(({ taskId, nodeId, address }, index) => ({ taskId, nodeId, address, names: [`web${index + 1}`] })),
      },
    ],
    services: [{ serviceId: 's', networkId: 'id-app', name: 'web', aliases: [], virtualIp: VIP, backends }],
    ingress: [
      { serviceId: 's', protocol: 'tcp', publishedPort: 8080, targetPort: 80, backends },
      { serviceId: 's', protocol: 'udp', publishedPort: 9090, targetPort: 90, backends },
    ],
  };
  await apply(cluster);
});

after(async () => {
  for (const lab of labs) await lab.stop();
});

async function apply(state: ClusterNetworkState): Promise<void> {
  for (const [index, lab] of labs.entries()) await applyCluster(lab, web.slice(index, index + 1), state);
}

const distinct = (values: readonly string[]): readonly string[] => [...new Set(values)].sort((a, b) => (a < b ? -1 : 1));
const times = async (count: number, work: () => Promise<string>): Promise<readonly string[]> => {
  const results: string[] = [];
  for (let turn = 0; turn < count; turn++) results.push(await work());
  return results;
};
const outside = async ({ engine }: Lab, localPort?: number): Promise<string> => {
  const fixed = localPort === undefined ? [] : ['--local-port', String(localPort)];
  const { stdout, stderr } = await engine.client.exec(['curl', '-sS', '--max-time', '3', ...fixed, `http://${engine.address}:8080/`]);
  return `${stdout}${stderr}`;
};

test('tasks on different nodes reach each other, directly, by name and by virtual address', async () => {
  const [web1, web2] = web;
  assert.match(await web1.sh('ping -c1 -W2 10.99.1.12'), /1 packets received/);
  assert.equal(await web2.sh('wget -qO- http://10.99.1.11/'), 'web1 10.99.1.12');
  assert.deepEqual(distinct(await times(4, () => web1.sh(`wget -qO- http://${VIP}/`))), ['web1 10.99.1.1', 'web2 10.99.1.11']);
  assert.deepEqual(distinct(await times(4, () => web2.sh('wget -qO- http://web/'))), ['web1 10.99.1.12', 'web2 10.99.1.1']);
});

test('a port published on every node keeps the client’s address, wherever the task is', async () => {
  for (const lab of labs) {
    const { address } = lab.engine.client;
    assert.deepEqual(distinct(await times(6, () => outside(lab))), [`web1 ${address}`, `web2 ${address}`]);
    const udp = async () => (await lab.engine.client.exec([process.execPath, '-e', UDP_CLIENT, lab.engine.address, '9090'])).stdout.trim();
    assert.deepEqual(distinct(await times(4, udp)), [`web1 ${address}`, `web2 ${address}`]);
  }
});

test('large answers cross the mesh', async () => {
  const [one] = labs;
  const size = 3_000_000;
  const server = await labs[1].engine.spawnInside([
    'nsenter',
    '-t',
    String(web[1].pid),
    '-n',
    '--',
    process.execPath,
    '-e',
    `require('node:http').createServer((q, s) => s.end(Buffer.alloc(${size}))).listen(81)`,
  ]);
  const backends = [{ taskId: web[1].endpoint.taskId, nodeId: 'node1', address: web[1].address }];
  await apply({ ...cluster, version: 2, ingress: [...cluster.ingress, { serviceId: 's', protocol: 'tcp', publishedPort: 8181, targetPort: 81, backends }] });
  const get = async () =>
    (await one.engine.client.exec(['curl', '-sS', '--max-time', '5', '-o', '/dev/null', '-w', '%{size_download}', `http://${one.engine.address}:8181/`]))
      .stdout;
  await until('the large answer arrives whole', async () => (await get()) === String(size));
  server.signal('SIGKILL');
});

test('localhost and a node’s own address reach tasks of the other node', async () => {
  const [one] = labs;
  for (const host of ['127.0.0.1', ADDRESSES[0], one.engine.address]) {
    const answers = await times(4, async () => (await one.engine.exec(['curl', '-sS', '--max-time', '3', `http://${host}:8080/`])).stdout);
    assert.deepEqual(distinct(answers.map((answer) => answer.split(' ', 1)[0] ?? '')), ['web1', 'web2'], host);
  }
});

test('a node that leaves takes tunnel, mesh and rules with it', async () => {
  const [one] = labs;
  const alone = { ...cluster, version: 3, nodes: cluster.nodes.slice(0, 1), services: [], ingress: [] };
  await one.dataPlane.applyCluster(alone, AbortSignal.timeout(20_000));
  assert.doesNotMatch((await one.engine.exec(['ip', 'link'])).stdout, /swm0/);
  assert.doesNotMatch((await one.engine.exec(['ip', 'rule'])).stdout, /0x4000/);
  assert.doesNotMatch((await one.engine.exec(['ip', '-n', 'skep-4097', 'link'])).stdout, /vxlan/);
});
