// Ports published over IPv6 on two nodes: clients outside, the nodes themselves, ::1, containers; and who may not get out.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ClusterNetworkState } from '#protocol/network-state.ts';
import { runOrThrow, until } from '../lib/engine.ts';
import { applyCluster, type Lab, type LabContainer, LINK6, startLab } from './network-lab.ts';

const UNDERLAY = ['fd77::1', 'fd77::2'] as const;

let labs: readonly [Lab, Lab];
let web: readonly [LabContainer, LabContainer];
let shut: LabContainer;
let cluster: ClusterNetworkState;

before(async () => {
  labs = await Promise.all([startLab({ ipv6: true }), startLab({ ipv6: true })]);
  const [one, two] = labs;
  const peer = ['link', 'add', 'peer', 'type', 'veth', 'peer', 'name', 'peer', 'netns', String(two.engine.pid)];
  await runOrThrow(['nsenter', `--net=/proc/${one.engine.pid}/ns/net`, 'ip', ...peer]);
  for (const [index, lab] of labs.entries()) {
    await lab.engine.exec(['ip', 'addr', 'add', `${UNDERLAY[index]}/64`, 'dev', 'peer', 'nodad']);
    await lab.engine.exec(['ip', 'link', 'set', 'peer', 'up']);
    await lab.engine.client.exec(['ip', '-6', 'route', 'add', 'default', 'via', LINK6.node]);
    await lab.createNetwork('app', 4097);
  }
  await one.createNetwork('shut', 4098, { internal: true });
  web = await Promise.all([one.container('web1', { app: '10.99.1.11' }), two.container('web2', { app: '10.99.1.12' })]);
  shut = await one.container('shut', { shut: '10.99.2.11' });
  const backends = web.map(({ endpoint, address }, index) => ({ taskId: endpoint.taskId, nodeId: `node${index}`, address }));
  const network = { internal: false, attachable: true, encrypted: false, subnets: [] };
  cluster = {
    version: 1,
    nodes: UNDERLAY.map((dataPathAddress, index) => ({ nodeId: `node${index}`, index: index + 1, dataPathAddress, publishes6: true })),
    networks: [
      { ...network, networkId: 'id-app', name: 'app', vxlanId: 4097, endpoints: backends.map((backend) => ({ ...backend, names: [] })) },
      {
        ...network,
        networkId: 'id-shut',
        name: 'shut',
        vxlanId: 4098,
        internal: true,
        endpoints: [{ taskId: shut.endpoint.taskId, nodeId: 'node0', address: shut.address, names: [] }],
      },
    ],
    services: [],
    ingress: [
      { serviceId: 's', protocol: 'tcp', publishedPort: 8080, targetPort: 80, backends },
      { serviceId: 's', protocol: 'udp', publishedPort: 9090, targetPort: 90, backends },
      { serviceId: 'idle', protocol: 'tcp', publishedPort: 8081, targetPort: 80, backends: [] },
    ],
  };
  await apply(cluster);
});

after(async () => {
  for (const lab of labs) await lab.stop();
});

async function apply(state: ClusterNetworkState): Promise<void> {
  for (const [index, lab] of labs.entries()) await applyCluster(lab, index === 0 ? [web[0], shut] : [web[1]], state);
}

type Place = Pick<Lab['engine'], 'exec'>;
const byText = (a = '', b = '') => (a < b ? -1 : 1);
const curl = async (place: Place, url: string, ...more: string[]): Promise<string> => {
  const { stdout, stderr } = await place.exec(['curl', '-gsS', '--max-time', '3', ...more, url]);
  return `${stdout}${stderr}`.trim();
};
/** For what must not get through. */
const BRIEFLY = ['--max-time', '1'];
const inside = ({ engine }: Lab, { pid }: LabContainer): Place => ({
  exec: (argv, options) => engine.exec(['nsenter', '-t', String(pid), '-n', '--', ...argv], options),
});
const answers = async (count: number, work: () => Promise<string>): Promise<readonly string[]> => {
  const all = new Set<string>();
  for (let turn = 0; turn < count; turn++) all.add(await work());
  return [...all].toSorted(byText);
};
const udp = (host: string, port: number) => `
const socket = require('node:dgram').createSocket('udp6');
const late = setTimeout(() => { console.log('none'); process.exit(); }, 1000);
socket.on('message', (message) => { console.log(String(message)); process.exit(); });
socket.send('x', ${port}, '${host}');
`;

test('clients outside reach the tasks of both nodes through either, and are seen under their own address', async () => {
  for (const { engine } of labs) {
    assert.deepEqual(await answers(6, () => curl(engine.client, `http://[${LINK6.node}]:8080/`)), [`web1 ${LINK6.client}`, `web2 ${LINK6.client}`]);
    const ask = async () => (await engine.client.exec([process.execPath, '-e', udp(LINK6.node, 9090)])).stdout.trim();
    assert.deepEqual(await answers(6, ask), [`web1 ${LINK6.client}`, `web2 ${LINK6.client}`]);
  }
});

test('a port without tasks refuses', async () => {
  assert.match(await curl(labs[0].engine.client, `http://[${LINK6.node}]:8081/`), /Failed to connect|refused/);
});

test('the node itself reaches both, by ::1, by localhost and by its own addresses', async () => {
  for (const { engine } of labs) {
    for (const host of ['[::1]', 'localhost', `[${LINK6.node}]`]) {
      const seen = await answers(6, () => curl(engine, `http://${host}:8080/`));
      assert.deepEqual([...new Set(seen.map((answer) => answer.split(' ', 1)[0] ?? ''))], ['web1', 'web2'], host);
    }
    assert.match(await curl(engine, 'http://[::1]:8081/'), /reset|refused|Empty reply|Failed/i);
  }
});

test('a node reaches both through the other node', async () => {
  const seen = await answers(6, () => curl(labs[0].engine, `http://[${UNDERLAY[1]}]:8080/`));
  assert.deepEqual([...new Set(seen.map((answer) => answer.split(' ', 1)[0] ?? ''))], ['web1', 'web2']);
});

test('much crosses ::1 and the mesh whole', async () => {
  const [one, two] = labs;
  const size = 3_000_000;
  const script = `require('node:http').createServer((q, s) => s.end(Buffer.alloc(${size}))).listen(81)`;
  const server = await two.engine.spawnInside(['nsenter', '-t', String(web[1].pid), '-n', '--', process.execPath, '-e', script]);
  const backends = [{ taskId: web[1].endpoint.taskId, nodeId: 'node1' }];
  await apply({ ...cluster, version: 2, ingress: [...cluster.ingress, { serviceId: 's', protocol: 'tcp', publishedPort: 8181, targetPort: 81, backends }] });
  for (const [place, host] of [
    [one.engine.client, LINK6.node],
    [one.engine, '::1'],
  ] as const) {
    const get = () => curl(place, `http://[${host}]:8181/`, '-o', '/dev/null', '-w', '%{size_download}');
    await until(`it arrives whole from ${host}`, async () => (await get()) === String(size));
  }
  server.signal('SIGKILL');
});

test('containers reach published ports, and each other over nothing else', async () => {
  const [one] = labs;
  const seen = await answers(6, () => curl(inside(one, web[0]), `http://[${LINK6.node}]:8080/`));
  assert.deepEqual([...new Set(seen.map((answer) => answer.split(' ', 1)[0] ?? ''))], ['web1', 'web2']);
  const other = shut.endpoint.gatewayAddress6 ?? '';
  assert.notEqual(other, '');
  assert.match(await curl(inside(one, web[0]), `http://[${other}]/`, ...BRIEFLY), /timed out/);
});

test('containers get out over IPv6 under the node’s address, but not those on internal networks, from whatever address', async () => {
  const [one] = labs;
  const { client } = one.engine;
  const script = "require('node:http').createServer((q, s) => s.end(q.socket.remoteAddress)).listen(7000, '::')";
  const outside = await client.spawnInside([process.execPath, '-e', script]);
  const listener = await one.engine.spawnInside([process.execPath, '-e', script]);
  await until('a container reaches it', async () => (await curl(inside(one, web[0]), `http://[${LINK6.client}]:7000/`)) === LINK6.node);
  assert.match(await curl(inside(one, shut), `http://[${LINK6.client}]:7000/`, ...BRIEFLY), /timed out/);
  const [linkLocal = ''] =
    (await one.engine.exec(['ip', '-6', '-o', 'addr', 'show', 'dev', 'docker_gwbridge', 'scope', 'link'])).stdout.match(/fe80:[0-9a-f:]+/) ?? [];
  assert.notEqual(linkLocal, '');
  // Its second interface is the way out.
  for (const host of ['fd97::1', `${linkLocal}%25eth1`]) assert.match(await curl(inside(one, shut), `http://[${host}]:7000/`, ...BRIEFLY), /timed out/, host);
  assert.match(await curl(inside(one, web[0]), 'http://[fd97::1]:7000/'), /^fd97:/);
  outside.signal('SIGKILL');
  listener.signal('SIGKILL');
});

test('a port that another program has over IPv6 only is not taken from it, and is served over IPv4', async () => {
  const [one] = labs;
  const script = "require('node:http').createServer((q, s) => s.end('another')).listen({ port: 8282, host: '::', ipv6Only: true })";
  const other = await one.engine.spawnInside([process.execPath, '-e', script]);
  await until('it listens', async () => (await curl(one.engine, 'http://[::1]:8282/')) === 'another');
  const backends = [{ taskId: web[0].endpoint.taskId, nodeId: 'node0' }];
  await apply({ ...cluster, version: 3, ingress: [...cluster.ingress, { serviceId: 's', protocol: 'tcp', publishedPort: 8282, targetPort: 80, backends }] });
  assert.equal(await curl(one.engine.client, `http://[${LINK6.node}]:8282/`), 'another');
  assert.match(await curl(one.engine.client, `http://${one.engine.address}:8282/`), /^web1 /);
  other.signal('SIGKILL');
  await until('the port is served over IPv6, too', async () => (await curl(one.engine.client, `http://[${LINK6.node}]:8282/`)).startsWith('web1 '));
});

test('what others have flushed is repaired, and a node alone has no mesh', async () => {
  const [one] = labs;
  await one.engine.exec(['nft', 'delete', 'table', 'ip6', 'skep']);
  await until('it answers again', async () => (await curl(one.engine.client, `http://[${LINK6.node}]:8080/`)).startsWith('web'));
  await one.dataPlane.applyCluster({ ...cluster, version: 4, nodes: cluster.nodes.slice(0, 1), ingress: [] }, AbortSignal.timeout(20_000));
  assert.doesNotMatch((await one.engine.exec(['ip', '-6', 'rule'])).stdout, /0x4000/);
  assert.doesNotMatch((await one.engine.exec(['ip', 'link'])).stdout, /swm0/);
});
