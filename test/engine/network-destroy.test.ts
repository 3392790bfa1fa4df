// Taking the data plane off a node leaves the node as it was before.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { until } from '../lib/engine.ts';
import { type Lab, startLab } from './network-lab.ts';

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
