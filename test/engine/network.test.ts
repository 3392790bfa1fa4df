// The data plane on a real engine and a real kernel: what a container and a client outside really get.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ClusterNetworkState, NetworkService } from '#protocol/network-state.ts';
import { until } from '../lib/engine.ts';
import { type Lab, type LabContainer, startLab, UDP_CLIENT } from './network-lab.ts';

let lab: Lab;
let web1: LabContainer;
let web2: LabContainer;
let client: LabContainer;
let services: readonly NetworkService[];
let ingress: ClusterNetworkState['ingress'];

const VIP = '10.99.1.100';
const EMPTY_VIP = '10.99.1.101';

before(async () => {
  lab = await startLab();
  await lab.createNetwork('app', 4097);
  await lab.createNetwork('back', 4098);
  await lab.createNetwork('vault', 4099, { internal: true });
  web1 = await lab.container('web1', { app: '10.99.1.11' });
  web2 = await lab.container('web2', { app: '10.99.1.12' });
  client = await lab.container('client', { app: '10.99.1.20', back: '10.99.2.20' });
  const backends = [web1, web2].map(({ endpoint, address }) => ({ taskId: endpoint.taskId, nodeId: 'node', address }));
  services = [
    { serviceId: 's1', networkId: 'id-app', name: 'web', aliases: ['www'], virtualIp: VIP, backends },
    { serviceId: 's2', networkId: 'id-app', name: 'rr', aliases: [], backends },
    { serviceId: 's3', networkId: 'id-app', name: 'empty', aliases: [], virtualIp: EMPTY_VIP, backends: [] },
    { serviceId: 's4', networkId: 'id-back', name: 'hidden', aliases: [], virtualIp: '10.99.2.100', backends: [] },
  ];
  ingress = [
    { serviceId: 's1', protocol: 'tcp', publishedPort: 8080, targetPort: 80, backends },
    { serviceId: 's1', protocol: 'udp', publishedPort: 9090, targetPort: 90, backends },
    { serviceId: 's3', protocol: 'tcp', publishedPort: 8181, targetPort: 80, backends: [] },
  ];
  await lab.apply({ services, ingress });
});

after(async () => {
  await lab.stop();
});

/** curl's words when the answer is a reset; a timeout reads otherwise. */
const REFUSED = /Couldn't connect|refused/;

const curl = ['curl', '-sS', '--max-time', '3', '--no-keepalive'];
const nodeCurl = async (url: string) => {
  const { stdout, stderr } = await lab.engine.exec([...curl, url]);
  return `${stdout}${stderr}`;
};
const curlIn = async (container: LabContainer, url: string) => {
  const { stdout, stderr } = await lab.engine.exec(['nsenter', '-t', String(container.pid), '-n', '--', ...curl, url]);
  return `${stdout}${stderr}`;
};
const outsideCurl = async (port: number) => {
  const { stdout, stderr } = await lab.engine.client.exec([...curl, `http://${lab.engine.address}:${port}/`]);
  return `${stdout}${stderr}`;
};
const outsideUdp = async (port: number, localPort = 0) =>
  (await lab.engine.client.exec([process.execPath, '-e', UDP_CLIENT, lab.engine.address, String(port), String(localPort)])).stdout.trim();
const times = async <T>(count: number, work: () => Promise<T>): Promise<T[]> => {
  const results: T[] = [];
  for (let turn = 0; turn < count; turn++) results.push(await work());
  return results;
};

const distinct = (values: readonly string[]): readonly string[] => [...new Set(values)].sort((a, b) => (a < b ? -1 : 1));

test('containers reach each other by their overlay addresses', async () => {
  assert.match(await client.sh('ping -c1 -W2 10.99.1.11'), /1 packets received/);
  assert.equal(await client.sh('wget -qO- http://10.99.1.12/'), 'web2 10.99.1.20');
});

test('a virtual address leads to every task in turn, which sees the asking task', async () => {
  const answers = await times(4, () => client.sh(`wget -qO- http://${VIP}/`));
  assert.deepEqual(distinct(answers), ['web1 10.99.1.20', 'web2 10.99.1.20']);
  assert.match(await client.sh(`ping -c1 -W2 ${VIP}`), /1 packets received/);
});

test('a task reaches its own service, also when it is the one that answers', async () => {
  const answers = await times(4, () => web1.sh(`wget -qO- http://${VIP}/`));
  assert.deepEqual(distinct(answers), ['web1 10.99.1.1', 'web2 10.99.1.11']);
});

test('a service without tasks refuses connections at once', async () => {
  assert.match(await client.sh(`wget -qO- http://${EMPTY_VIP}/`), /Connection refused/);
});

test('names resolve to virtual addresses, tasks and containers of shared networks only', async () => {
  const lookup = async (name: string, from: LabContainer = client) =>
    distinct(
      [
        ...(await from.sh(`nslookup -type=a ${name}`))
          .split('\n')
          .slice(2)
          .join('\n')
          .matchAll(/Address: ([0-9.]+)/g),
      ].map(([, address = '']) => address),
    );
  assert.deepEqual(await lookup('web'), [VIP]);
  assert.deepEqual(await lookup('www'), [VIP]);
  assert.deepEqual(await lookup('web.app'), [VIP]);
  assert.deepEqual(await lookup('tasks.web'), ['10.99.1.11', '10.99.1.12']);
  assert.deepEqual(await lookup('rr'), ['10.99.1.11', '10.99.1.12']);
  assert.deepEqual(await lookup('hidden'), ['10.99.2.100']);
  assert.deepEqual(await lookup('hidden', web1), []);
  assert.equal(await client.sh('wget -qO- http://web/ | cut -d" " -f2'), '10.99.1.20');
  assert.match(await client.sh('nslookup 10.99.1.100'), /name = web\.app/);
});

test('dnsrr gives its list in another order now and then', async () => {
  const firsts = new Set<string>();
  // Each of two is the first by chance: all of these are the same once in half a million runs.
  for (let count = 0; count < 20 && firsts.size < 2; count++) firsts.add((await client.sh('wget -qO- http://rr/ | cut -d" " -f1')).trim());
  assert.deepEqual([...firsts].toSorted(), ['web1', 'web2']);
});

test('a published port keeps the address of a client outside, over TCP and UDP', async () => {
  const { address } = lab.engine.client;
  assert.deepEqual(distinct(await times(4, () => outsideCurl(8080))), [`web1 ${address}`, `web2 ${address}`]);
  assert.deepEqual(distinct(await times(4, () => outsideUdp(9090))), [`web1 ${address}`, `web2 ${address}`]);
});

test('a published port without tasks refuses', async () => {
  assert.match(await outsideCurl(8181), REFUSED);
});

test('a published port answers on localhost, on the node’s own address and from containers', async () => {
  assert.deepEqual(distinct((await times(4, () => nodeCurl('http://127.0.0.1:8080/'))).map((answer) => answer.split(' ', 1)[0] ?? '')), ['web1', 'web2']);
  assert.match(await nodeCurl('http://localhost:8080/'), /^web/);
  assert.match(await nodeCurl(`http://${lab.engine.address}:8080/`), new RegExp(`^web[12] ${lab.engine.address}$`));
  // Through itself, too: in turn, so two of four go to the container that asks.
  const answers = await times(4, () => curlIn(web1, `http://${lab.engine.address}:8080/`));
  assert.deepEqual(distinct(answers.map((answer) => answer.split(' ', 1)[0] ?? '')), ['web1', 'web2'], answers.join());
});

test('containers do not reach what listens on the host’s loopback address', async () => {
  const server = await lab.engine.spawnInside([
    process.execPath,
    '-e',
    "require('node:http').createServer((q, s) => s.end('private')).listen(7777, '127.0.0.1')",
  ]);
  await until('the server listens', async () => (await nodeCurl('http://127.0.0.1:7777/')) === 'private');
  const hostile = await lab.container('hostile', { app: '10.99.1.66' });
  const gateway = hostile.gatewayAddress.replace(/\.[0-9]+$/, '.1');
  const script = `echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet; ip route del local 127.0.0.0/8 table local; ip route del local 127.0.0.1 table local; ip route add 127.0.0.1 via ${gateway}`;
  await lab.engine.exec(['nsenter', '-t', String(hostile.pid), '-n', 'sh', '-c', script]);
  assert.match(await curlIn(hostile, 'http://127.0.0.1:7777/'), /timed out/);
  await hostile.remove();
  server.signal('SIGKILL');
});

test('a published port is taken for other programs, and a taken port is not stolen', async () => {
  const listen = (port: number) =>
    lab.engine.exec([
      process.execPath,
      '-e',
      `require('node:http').createServer((q, s) => s.end('mine')).listen(${port}, '0.0.0.0').on('error', (e) => { console.log(e.code); process.exit(1); }); setTimeout(() => process.exit(), 500)`,
    ]);
  assert.match((await listen(8080)).stdout, /EADDRINUSE/);
  const server = await lab.engine.spawnInside([process.execPath, '-e', "require('node:http').createServer((q, s) => s.end('mine')).listen(8282)"]);
  await until('the server listens', async () => (await nodeCurl('http://127.0.0.1:8282/')) === 'mine');
  const extra = { serviceId: 's1', protocol: 'tcp', publishedPort: 8282, targetPort: 80, backends: ingress[0]?.backends ?? [] } as const;
  await lab.apply({ services, ingress: [...ingress, extra] });
  assert.equal(await outsideCurl(8282), 'mine');
  await until('it is said', () => lab.dataPlane.portsInUse().join() === 'tcp/8282');
  server.signal('SIGKILL');
  await server.exited;
  await lab.apply({ services, ingress: [...ingress, extra] });
  assert.match(await outsideCurl(8282), /^web/);
  await until('it is taken back', () => lab.dataPlane.portsInUse().length === 0);
  await lab.apply({ services, ingress });
  assert.match(await outsideCurl(8282), REFUSED);
});

test('a service may publish port 53, and names resolve all the same', async () => {
  const dns = { serviceId: 's1', protocol: 'udp', publishedPort: 53, targetPort: 90, backends: ingress[0]?.backends ?? [] } as const;
  await lab.apply({ services, ingress: [...ingress, dns] });
  assert.match(await outsideUdp(53), /^web/);
  assert.match(await client.sh('nslookup -type=a web'), new RegExp(VIP));
  await lab.apply({ services, ingress });
});

test('a container on an internal network only has names and neighbours but no way out', async () => {
  const inside = await lab.container('inside', { vault: '10.99.3.10' });
  // Also before anybody has told of it.
  const early = await curlIn(inside, `http://${lab.engine.address}:8080/`);
  assert.match(early, /timed out/);
  const backends = [{ taskId: inside.endpoint.taskId, nodeId: 'node', address: inside.address }];
  await lab.apply({ services, ingress: [...ingress, { serviceId: 's5', protocol: 'tcp', publishedPort: 8383, targetPort: 80, backends }] });
  assert.match(await curlIn(inside, `http://${lab.engine.address}:8080/`), /timed out/);
  assert.match(await outsideCurl(8383), /^inside/);
  assert.match(await inside.sh('nslookup -type=a inside'), /10\.99\.3\.10/);
  assert.match(await inside.sh(`ping -c1 -W1 ${lab.engine.client.address}`), / 0 packets received/);
  await inside.remove();
  await lab.apply({ services, ingress });
});

test('a UDP client with a fixed port is led to a living task when its task has died', async () => {
  const first = await outsideUdp(9090, 5555);
  const dead = first.startsWith('web1') ? web1 : web2;
  const living = dead === web1 ? web2 : web1;
  const backends = [{ taskId: living.endpoint.taskId, nodeId: 'node', address: living.address }];
  // Taken out of the load balancer: known flows stay.
  const without = ingress.map((port) => ({ ...port, backends: port.backends.length === 0 ? [] : backends }));
  await lab.apply({ services, ingress: without });
  assert.equal(await outsideUdp(9090, 5555), first);
  await dead.remove();
  await lab.apply({ services, ingress: without });
  assert.match(await outsideUdp(9090, 5555), new RegExp(`^${living.name} `));
  const revived = await lab.container(dead.name, { app: dead.address });
  if (dead === web1) web1 = revived;
  else web2 = revived;
  await lab.apply({ services, ingress });
});

test('netd killed: traffic goes on, and it comes back with the same state and names', async () => {
  const pid = await lab.netdPid();
  await lab.engine.exec(['kill', '-9', String(pid)]);
  assert.match(await outsideCurl(8080), /^web/);
  await until('netd runs again', async () => (await lab.netdPid().catch(() => pid)) !== pid);
  await until('names resolve again', async () => (await client.sh('nslookup -type=a web')).includes(VIP));
  const late = await lab.container('late', { app: '10.99.1.30' });
  assert.match(await late.sh('wget -qO- http://10.99.1.11/'), /^web1/);
  await late.remove();
});

test('what others have broken is repaired', async () => {
  await lab.engine.exec(['nft', 'delete', 'table', 'ip', 'skep']);
  await lab.engine.exec(['iptables', '-F', 'DOCKER-USER']);
  await lab.engine.exec(['ip', 'addr', 'del', '169.254.53.53/32', 'dev', 'lo']);
  // The first stray connection tells that the rules are gone.
  await outsideCurl(8080);
  await until('the published port answers', async () => (await outsideCurl(8080)).startsWith('web'));
  await until('names resolve again', async () => (await client.sh('nslookup -type=a web')).includes(VIP));
});

test('skepd away: names and ports go on, and its next connection finds the same netd', async () => {
  const pid = await lab.netdPid();
  await lab.dataPlane.close();
  assert.match(await outsideCurl(8080), /^web/);
  const again = await lab.connect();
  assert.equal(await lab.netdPid(), pid);
  await again.close();
});
