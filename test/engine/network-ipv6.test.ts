// IPv6 beside IPv4 on an overlay of two nodes: addresses, virtual addresses, names, what is refused, and what is forgotten.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ClusterNetworkState } from '#protocol/network-state.ts';
import { runOrThrow, until } from '../lib/engine.ts';
import { applyCluster, type Lab, type LabContainer, startLab } from './network-lab.ts';

const UNDERLAY = ['10.77.0.1', '10.77.0.2'] as const;
const [VIP, VIP6, IDLE6] = ['10.99.1.100', 'fd99:1::64', 'fd99:1::65'];

let labs: readonly [Lab, Lab];
let web: readonly [LabContainer, LabContainer];
let cluster: ClusterNetworkState;

before(async () => {
  labs = await Promise.all([startLab(), startLab()]);
  const [one, two] = labs;
  const peer = ['link', 'add', 'peer', 'type', 'veth', 'peer', 'name', 'peer', 'netns', String(two.engine.pid)];
  await runOrThrow(['nsenter', `--net=/proc/${one.engine.pid}/ns/net`, 'ip', ...peer]);
  for (const [index, lab] of labs.entries()) {
    await lab.engine.exec(['ip', 'addr', 'add', `${UNDERLAY[index]}/24`, 'dev', 'peer']);
    await lab.engine.exec(['ip', 'link', 'set', 'peer', 'up']);
    await lab.createNetwork('app', 4097, { ipv6: true });
  }
  web = await Promise.all([one.container('web1', { app: '10.99.1.11' }), two.container('web2', { app: '10.99.1.12' })]);
  const backends = web.map(({ endpoint, address, address6 = '' }, index) => ({ taskId: endpoint.taskId, nodeId: `node${index}`, address, address6 }));
  const endpoints = backends.map((backend, index) => ({ ...backend, names: [`web${index + 1}`] }));
  const subnets = [
    { subnet: '10.99.1.0/24', gateway: '10.99.1.1' },
    { subnet: 'fd99:1::/64', gateway: 'fd99:1::1' },
  ];
  cluster = {
    version: 1,
    nodes: UNDERLAY.map((dataPathAddress, index) => ({ nodeId: `node${index}`, index: index + 1, dataPathAddress })),
    networks: [{ networkId: 'id-app', name: 'app', vxlanId: 4097, subnets, internal: false, attachable: true, encrypted: false, endpoints }],
    services: [
      { serviceId: 's', networkId: 'id-app', name: 'web', aliases: [], virtualIp: VIP, virtualIp6: VIP6, backends },
      { serviceId: 'idle', networkId: 'id-app', name: 'idle', aliases: [], virtualIp: '10.99.1.101', virtualIp6: IDLE6, backends: [] },
      { serviceId: 'rr', networkId: 'id-app', name: 'rr', aliases: [], backends },
    ],
    ingress: [],
  };
  await apply(cluster);
});

after(async () => {
  for (const lab of labs) await lab.stop();
});

async function apply(state: ClusterNetworkState): Promise<void> {
  for (const [index, lab] of labs.entries()) await applyCluster(lab, web.slice(index, index + 1), state);
}

/** What curl says in a container's network; the image has none that speaks IPv6 addresses. */
const curl = async (index: 0 | 1, url: string, seconds = 3): Promise<string> => {
  const inside = ['nsenter', '-t', String(web[index].pid), '-n', '--', 'curl', '-gsS', '--max-time', String(seconds), url];
  const { stdout, stderr } = await labs[index].engine.exec(inside);
  return `${stdout}${stderr}`;
};
const byText = (a = '', b = '') => (a < b ? -1 : 1);
const several = async (count: number, work: () => Promise<string>): Promise<readonly string[]> => {
  const answers = new Set<string>();
  for (let turn = 0; turn < count; turn++) answers.add(await work());
  return [...answers].sort(byText);
};

test('containers have an address of each family, and reach each other over both across nodes', async () => {
  const [web1] = web;
  const settings = await labs[0].engine.docker('inspect', '--format', '{{json .NetworkSettings.Networks.app}}', 'web1');
  const { GlobalIPv6Address, GlobalIPv6PrefixLen } = JSON.parse(settings) as { GlobalIPv6Address: string; GlobalIPv6PrefixLen: number };
  assert.deepEqual([GlobalIPv6Address, GlobalIPv6PrefixLen], [web1.address6, 64]);
  assert.equal(await curl(0, `http://[${web[1].address6}]/`), `web2 ${web1.address6}`);
  assert.equal(await curl(0, `http://${web[1].address}/`), `web2 ${web1.address}`);
});

test('a virtual address of IPv6 leads to every task, keeps the client’s address, and leads a task to itself', async () => {
  assert.deepEqual(await several(4, () => curl(0, `http://[${VIP6}]/`)), ['web1 fd99:1::1', 'web2 fd99:1::11']);
  assert.deepEqual(await several(4, () => curl(1, `http://[${VIP6}]/`)), ['web1 fd99:1::12', 'web2 fd99:1::1']);
});

test('a virtual address without tasks refuses at once', async () => {
  const begin = performance.now();
  assert.match(await curl(0, `http://[${IDLE6}]/`), /Failed to connect|refused/);
  assert.ok(performance.now() - begin < 2_000);
});

test('names have addresses of both families, and addresses their names', async () => {
  const [web1] = web;
  const lookup = async (type: string, name: string) =>
    [...(await web1.sh(`nslookup -type=${type} ${name}`)).matchAll(/Address:\s+(\S+)$/gm)].map(([, address]) => address);
  // The first is the server's own.
  assert.deepEqual((await lookup('aaaa', 'web')).slice(1), [VIP6]);
  assert.deepEqual((await lookup('a', 'web')).slice(1), [VIP]);
  assert.deepEqual((await lookup('aaaa', 'tasks.web')).slice(1).toSorted(byText), ['fd99:1::11', 'fd99:1::12']);
  assert.deepEqual((await lookup('aaaa', 'rr')).slice(1).toSorted(byText), ['fd99:1::11', 'fd99:1::12']);
  assert.match(await web1.sh(`nslookup ${web[1].address6}`), /name = web2\.app/);
  assert.match(await web1.sh('wget -qO- http://web/'), /^web[12] /);
});

test('nothing unknown is flooded to other nodes, and nobody becomes a router by saying so', async () => {
  const [one] = labs;
  const inOverlay = async (...argv: string[]) => (await one.engine.exec(['nsenter', '--net=/run/netns/skep-4097', '--', ...argv])).stdout;
  assert.match(await inOverlay('nft', 'list', 'table', 'ip6', 'skep'), /nd-router-advert/);
  assert.doesNotMatch(await inOverlay('bridge', 'fdb', 'show', 'dev', 'vxlan0'), /00:00:00:00:00:00/);
  assert.match(await curl(0, 'http://[fd99:1::99]/', 1), /timed out|unreachable|No route/i);
});

test('connections to a task that is gone are forgotten, and its entries with it', async () => {
  const [one] = labs;
  const inOverlay = async (...argv: string[]) => (await one.engine.exec(['nsenter', '--net=/run/netns/skep-4097', '--', ...argv])).stdout;
  await curl(0, `http://[${web[1].address6}]/`);
  assert.match(await inOverlay('ip', 'neigh', 'show', 'dev', 'vxlan0'), /fd99:1::12 /);
  const left = (all: ClusterNetworkState['services'][number]['backends']) => all.filter(({ taskId }) => taskId === web[0].endpoint.taskId);
  await apply({
    ...cluster,
    version: 2,
    networks: cluster.networks.map((network) => ({ ...network, endpoints: network.endpoints.slice(0, 1) })),
    services: cluster.services.map((service) => ({ ...service, backends: left(service.backends) })),
  });
  assert.doesNotMatch(await inOverlay('ip', 'neigh', 'show', 'dev', 'vxlan0'), /fd99:1::12 /);
  assert.doesNotMatch(await inOverlay('conntrack', '-L', '-f', 'ipv6'), /dst=fd99:1::(64|12) .* src=fd99:1::12 /);
  assert.deepEqual(await several(3, () => curl(0, `http://[${VIP6}]/`)), ['web1 fd99:1::1']);
  await apply({ ...cluster, version: 3 });
  await until('both answer again', async () => (await several(4, () => curl(0, `http://[${VIP6}]/`))).length === 2);
});

test('what somebody has destroyed is made again', async () => {
  const [one] = labs;
  const inOverlay = (...argv: string[]) => one.engine.exec(['nsenter', '--net=/run/netns/skep-4097', '--', ...argv]);
  await inOverlay('nft', 'delete', 'table', 'ip6', 'skep');
  await inOverlay('ip', 'addr', 'flush', 'dev', 'br0');
  await one.engine.exec(['kill', '-9', String(await one.netdPid())]);
  await until('netd runs again', () =>
    one.netdPid().then(
      () => true,
      () => false,
    ),
  );
  await apply({ ...cluster, version: 4 });
  await until('both answer again', async () => (await several(4, () => curl(0, `http://[${VIP6}]/`))).length === 2);
});
