// Coming and going: the data plane shares a machine with others, and taking it off leaves the machine as it was before.
import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../lib/engine.ts';
import { type Lab, startLab, UDP_CLIENT } from './network-lab.ts';

let lab: Lab;

before(async () => {
  lab = await startLab();
});

after(async () => {
  await lab.stop();
});

/** What the kernel and the engine's plugin folder have, in words that can be compared. */
async function picture(): Promise<Record<string, string>> {
  const look = async (...argv: string[]) => (await lab.engine.exec(argv)).stdout.replaceAll(/^#.*$|\[[0-9]+:[0-9]+\]|if[0-9]+:|^[0-9]+:/gm, '');
  return {
    namespaces: await look('ip', 'netns', 'list'),
    links: await look('ip', '-br', 'link', 'show'),
    // IPv6 brings link-local addresses of its own whenever a device gets a carrier.
    addresses: await look('ip', '-4', '-br', 'addr', 'show'),
    rules: await look('nft', 'list', 'ruleset'),
    filter: await look('iptables-save'),
    routing: await look('ip', 'rule', 'show'),
    routes: await look('ip', '-4', 'route', 'show', 'table', 'all'),
    plugins: await look('ls', '/run/docker/plugins', '/run/netns'),
    processes: (await look('sh', '-c', 'ps ax -o args'))
      .split('\n')
      .filter((line) => line.includes('skep-netd'))
      .join('\n'),
    localnet: await look('cat', '/proc/sys/net/ipv4/conf/docker_gwbridge/route_localnet'),
  };
}

const processGone = () => until('its process is gone', async () => (await picture())['processes'] === '');

test('destroy leaves nothing', async () => {
  // A picture from before netd ever ran: its own presence is what must vanish.
  await lab.dataPlane.destroy(AbortSignal.timeout(20_000));
  await processGone();
  const before = await picture();
  const dataPlane = await lab.connect();
  await lab.createNetwork('app', 4097);
  const web = await lab.container('web', { app: '10.99.1.11' });
  const backends = [{ taskId: web.endpoint.taskId, nodeId: 'a', address: web.address }];
  const signal = AbortSignal.timeout(20_000);
  await dataPlane.applyLocal({ version: 1, endpoints: [web.endpoint] }, signal);
  await dataPlane.applyCluster(
    {
      version: 1,
      // A second node brings the mesh, its routes and rules, and the tunnel.
      nodes: [
        { nodeId: 'a', index: 1, dataPathAddress: lab.engine.address },
        { nodeId: 'b', index: 2, dataPathAddress: lab.engine.client.address },
      ],
      networks: [{ networkId: 'id-app', name: 'app', vxlanId: 4097, subnets: [], internal: true, attachable: true, encrypted: false, endpoints: [] }],
      services: [{ serviceId: 's', networkId: 'id-app', name: 'web', aliases: [], virtualIp: '10.99.1.100', backends }],
      ingress: [{ serviceId: 's', protocol: 'tcp', publishedPort: 8080, targetPort: 80, backends }],
    },
    signal,
  );
  const during = await picture();
  for (const key of ['namespaces', 'links', 'addresses', 'rules', 'filter', 'routing', 'routes', 'plugins', 'processes', 'localnet'])
    assert.notEqual(during[key], before[key], key);
  await web.remove();
  await lab.engine.docker('network', 'rm', 'app');
  await dataPlane.destroy(AbortSignal.timeout(20_000));
  await processGone();
  assert.deepEqual(await picture(), before);
  assert.deepEqual((await readdir(lab.stateDirectory)).sort(), ['netd.log']);
});

test('two skepds live side by side on one machine', async () => {
  const other = join(lab.engine.folder, 'other');
  await mkdir(other);
  const [first, second] = [await lab.connect(), await lab.connect(other)];
  assert.equal(first.driverName, 'skep');
  assert.notEqual(second.driverName, first.driverName);
  assert.notEqual(second.dnsAddress, first.dnsAddress);
  // The same VXLAN id and subnet in two swarms.
  for (const { driverName } of [first, second]) {
    const options = ['-o', 'skep.network=x', '-o', 'skep.vni=4097', '--subnet', '10.98.0.0/24', '--gateway', '10.98.0.1'];
    await lab.engine.docker(
      'network',
      'create',
      '-d',
      driverName,
      ...(driverName === 'skep' ? options : [...options.slice(0, 4), '--subnet', '10.97.0.0/24']),
      `x-${driverName}`,
    );
  }
  assert.equal((await lab.engine.exec(['ip', 'netns', 'list'])).stdout.trim().split('\n').length, 2);
  await lab.engine.docker('network', 'rm', `x-${second.driverName}`);
  await second.destroy(AbortSignal.timeout(20_000));
  assert.match((await lab.engine.exec(['ip', 'netns', 'list'])).stdout, /^skep-4097/);
  await lab.engine.docker('network', 'rm', 'x-skep');
  await first.destroy(AbortSignal.timeout(20_000));
});

test('one in another network namespace that has the same files takes no names of the first', async () => {
  const apart = join(lab.engine.folder, 'apart');
  await mkdir(apart);
  const [first, second] = [await lab.connect(), await lab.connect(apart, { apart: true })];
  assert.notEqual(second.driverName, first.driverName);
  const options = ['-o', 'skep.network=x', '-o', 'skep.vni=4097', '--subnet', '10.98.0.0/24', '--gateway', '10.98.0.1'];
  await lab.engine.docker('network', 'create', '-d', first.driverName, ...options, 'x');
  await second.destroy(AbortSignal.timeout(20_000));
  assert.match((await lab.engine.exec(['ip', 'netns', 'list'])).stdout, /^skep-4097/);
  await lab.engine.docker('network', 'rm', 'x');
  await first.destroy(AbortSignal.timeout(20_000));
});

test('names resolve although another program has port 53 of every address, and port 53 is not taken from it', async () => {
  await processGone();
  const script =
    "const s = require('node:dgram').createSocket('udp4'); s.on('message', (m, p) => s.send('mine', p.port, p.address)).bind(53); require('node:net').createServer().listen(53)";
  const server = await lab.engine.spawnInside([process.execPath, '-e', script]);
  const ask = async () => (await lab.engine.client.exec([process.execPath, '-e', UDP_CLIENT, lab.engine.address, '53'])).stdout.trim();
  await until('the other program answers', async () => (await ask()) === 'mine');
  const dataPlane = await lab.connect();
  await lab.engine.docker(
    'network',
    'create',
    '-d',
    'skep',
    '--subnet',
    '10.99.1.0/24',
    '--gateway',
    '10.99.1.1',
    '-o',
    'skep.network=id-app',
    '-o',
    'skep.vni=4097',
    'app',
  );
  const web = await lab.container('asker', { app: '10.99.1.11' });
  const signal = AbortSignal.timeout(20_000);
  const backends = [{ taskId: web.endpoint.taskId, nodeId: 'a', address: web.address }];
  const network = { networkId: 'id-app', name: 'app', vxlanId: 4097, subnets: [], internal: false, attachable: true, encrypted: false, endpoints: [] };
  await dataPlane.applyLocal({ version: 1, endpoints: [web.endpoint] }, signal);
  await dataPlane.applyCluster(
    {
      version: 1,
      nodes: [],
      networks: [network],
      services: [{ serviceId: 's', networkId: 'id-app', name: 'web', aliases: [], virtualIp: '10.99.1.100', backends }],
      ingress: [{ serviceId: 's', protocol: 'udp', publishedPort: 53, targetPort: 90, backends }],
    },
    signal,
  );
  assert.match(await web.sh('nslookup -type=a web'), /10\.99\.1\.100/);
  assert.equal(await ask(), 'mine');
  server.signal('SIGKILL');
  await web.remove();
  await lab.engine.docker('network', 'rm', 'app');
  await dataPlane.destroy(AbortSignal.timeout(20_000));
});
