// IPv6 as users have it: nodes that know each other by addresses of IPv6 only, and networks of both families on them, by the real docker CLI.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { type ClusterNode, formSwarm, joinAddress, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/engine.ts';

const lacksWireGuard = ['wg', 'wireguard-go'].some((tool) => spawnSync('sh', ['-c', 'command -v "$0"', tool]).status !== 0);

describe('a swarm over IPv6', { skip: process.getuid?.() !== 0 && 'needs root', timeout: 240_000 }, () => {
  let cluster: TestCluster;
  let nodes: readonly ClusterNode[];
  const docker = (...args: string[]) => cluster.manager.docker(...args);

  before(async () => {
    cluster = await startCluster({ nodes: 2, ipv6: 'only' });
    nodes = cluster.nodes;
    // The page says which container it is, the program whom it sees.
    const script =
      'mkdir -p /www/cgi-bin; hostname > /www/index.html; printf \'#!/bin/sh\\necho; echo "$(hostname) $REMOTE_ADDR"\\n\' > /www/cgi-bin/who; chmod +x /www/cgi-bin/who; exec httpd -f -p 80 -h /www';
    await Promise.all(nodes.map(({ engine }) => engine.importBusybox('who:1', `CMD ["sh","-c",${JSON.stringify(script)}]`)));
    await formSwarm(cluster);
  });
  after(() => cluster?.stop());

  async function inTask({ engine }: ClusterNode, script: string): Promise<string> {
    const [id = ''] = (await engine.docker('ps', '-q', '--filter', 'label=com.docker.swarm.service.name=web')).split('\n');
    return (await engine.tryDocker(['exec', id, 'sh', '-c', script])).stdout.trim();
  }
  const json = async <T>(...args: string[]) => JSON.parse(await docker(...args)) as T;
  const hosts = (text: string) => new Set(text.split('\n').filter((line) => line !== '')).size;

  test('nodes are shown and joined by their addresses of IPv6', async () => {
    const [one, two] = nodes;
    assert.ok(one && two);
    assert.match(await docker('swarm', 'join-token', 'worker'), new RegExp(`docker swarm join --token \\S+ ${joinAddress(one).replaceAll(/[[\]]/g, '\\$&')}`));
    assert.equal(await docker('node', 'inspect', 'node2', '--format', '{{.Status.Addr}}'), two.lanAddress);
    assert.equal(await docker('node', 'inspect', 'self', '--format', '{{.ManagerStatus.Addr}}'), joinAddress(one));
  });

  test('a service on a network of both families is reached over each, from every node, by name and virtual address', async () => {
    await docker('network', 'create', '--driver', 'overlay', '--attachable', '--ipv6', 'both');
    await docker(
      'service',
      'create',
      '-q',
      '--detach',
      '--no-resolve-image',
      '--mode',
      'global',
      '--network',
      'both',
      '--publish',
      '18080:80',
      '--name',
      'web',
      'who:1',
    );
    await until(
      'tasks run everywhere',
      async () => (await docker('service', 'ps', 'web', '--filter', 'desired-state=running')).match(/Running [^ ]+ /g)?.length === 2,
    );
    // The docker CLI shows what it knows: one address per network.
    const service = (await cluster.manager.http('GET', '/services/web')).json as { Endpoint: { VirtualIPs: { Addr: string; AddrIPv6?: string }[] } };
    const [ingress, vip, ...more] = service.Endpoint.VirtualIPs;
    assert.deepEqual([ingress?.AddrIPv6, more], [undefined, []]);
    const [virtual, virtual6] = [vip?.Addr.split('/')[0], vip?.AddrIPv6?.split('/')[0]];
    assert.match(vip?.AddrIPv6 ?? '', /^fd[0-9a-f:]+\/64$/);
    for (const node of nodes) {
      for (const url of [`http://${virtual}/`, `http://[${virtual6}]/`, 'http://web/']) {
        await until(`${url} answers from both`, async () => hosts(await inTask(node, `for i in 1 2 3 4 5 6; do timeout 3 wget -qO- ${url}; done`)) === 2);
      }
      // A client takes that address of several which is next to its own.
      assert.equal(hosts(await inTask(node, 'timeout 3 wget -qO- http://tasks.web/')), 1);
      assert.match(await inTask(node, 'nslookup -type=aaaa web'), new RegExp(`Address: ${virtual6}$`, 'm'));
    }
  });

  test('its published port answers clients outside on every node, who are seen under their own address, and the nodes by ::1', async () => {
    for (const node of nodes) {
      const seen = new Set<string>();
      await until(`both tasks answer through ${node.name}`, async () => {
        const { stdout } = await cluster.client.exec(['curl', '-gs', '-m', '3', `http://[${node.lanAddress}]:18080/cgi-bin/who`]);
        const [hostname = '', address = ''] = stdout.trim().split(' ');
        if (hostname === '') return false;
        assert.equal(address, `[${cluster.client.address}]`);
        return seen.add(hostname).size === 2;
      });
      assert.equal((await node.engine.exec(['curl', '-gs', '-m', '3', 'http://[::1]:18080/'])).stdout.trim().length, 12);
    }
  });

  test('what the swarm shows of it and what the containers have are the same', async () => {
    const [network] = await json<[{ EnableIPv6: boolean; IPAM: { Config: { Subnet: string; Gateway: string }[] } }]>('network', 'inspect', 'both');
    assert.equal(network.EnableIPv6, true);
    const [four, six] = network.IPAM.Config;
    assert.match(four?.Subnet ?? '', /^10\.0\.\d+\.0\/24$/);
    assert.match(six?.Subnet ?? '', /^fd[0-9a-f]{2}:[0-9a-f:]+::\/64$/);
    const task = (await docker('service', 'ps', 'web', '-q', '--filter', 'node=node1')).split('\n')[0] ?? '';
    const { NetworksAttachments } = (await cluster.manager.http('GET', `/tasks/${task}`)).json as { NetworksAttachments: { Addresses: string[] }[] };
    const [address, address6] = NetworksAttachments[0]?.Addresses ?? [];
    const [container = ''] = (await docker('ps', '-q', '--filter', `label=com.docker.swarm.task.id=${task}`)).split('\n');
    const shown = await docker(
      'inspect',
      container,
      '--format',
      '{{with .NetworkSettings.Networks.both}}{{.IPAddress}} {{.GlobalIPv6Address}}/{{.GlobalIPv6PrefixLen}}{{end}}',
    );
    assert.equal(shown, `${address?.split('/')[0]} ${address6}`);
  });

  test('a plain container gets an address of each family, the ones that it asks for if it asks', async () => {
    const [network] = await json<[{ IPAM: { Config: { Subnet: string }[] } }]>('network', 'inspect', 'both');
    const wanted = `${network.IPAM.Config[1]?.Subnet.split('/')[0]}abcd`;
    await docker('run', '-d', '--name', 'plain', '--network', 'both', '--ip6', wanted, 'who:1');
    const shown = await docker('inspect', 'plain', '--format', '{{with .NetworkSettings.Networks.both}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}');
    assert.match(shown, new RegExp(`^10\\.0\\.\\d+\\.\\d+ ${wanted}$`));
    const [, two] = nodes;
    assert.ok(two);
    await until('the other node’s task reaches it', async () => hosts(await inTask(two, `timeout 3 wget -qO- http://[${wanted}]/`)) === 1);
    await docker('rm', '-f', 'plain');
  });

  test('what cannot be is refused in words', async () => {
    const refused = async (...args: string[]) => (await cluster.manager.tryDocker(['network', 'create', '-d', 'overlay', ...args, 'no'])).stderr;
    const [network] = await json<[{ IPAM: { Config: { Subnet: string }[] } }]>('network', 'inspect', 'both');
    assert.match(await refused('--ipv6', '--subnet', 'fd00:1::/127'), /too small/);
    assert.match(await refused('--ipv6', '--subnet', 'fe80:1::/64'), /not one of unicast/);
    assert.match(await refused('--ipv6', '--opt', 'com.docker.network.driver.mtu=1200'), /MTU of at least 1280/);
    assert.match(await refused('--ipv4=false', '--ipv6'), /IPv4 cannot be disabled in a Swarm scoped network/);
    await docker('network', 'create', '-d', 'overlay', '--ipv6', '--subnet', network.IPAM.Config[1]?.Subnet ?? '', 'late');
    await docker('service', 'create', '-q', '--detach', '--no-resolve-image', '--network', 'late', '--name', 'late', 'who:1');
    await until('its task says why', async () =>
      (await docker('service', 'ps', '--no-trunc', 'late')).includes('Pool overlaps with other one on this address space'),
    );
    await docker('service', 'rm', 'late');
  });

  test('an encrypted network has IPv6 inside, and WireGuard goes over IPv6', { skip: lacksWireGuard && 'needs wireguard-tools and wireguard-go' }, async () => {
    await docker('network', 'create', '-d', 'overlay', '--ipv6', '--opt', 'encrypted', 'sealed');
    await docker('service', 'create', '-q', '--detach', '--no-resolve-image', '--mode', 'global', '--network', 'sealed', '--name', 'secret', 'who:1');
    const [, two] = nodes;
    assert.ok(two);
    const ask = async () => {
      const [id = ''] = (await two.engine.docker('ps', '-q', '--filter', 'label=com.docker.swarm.service.name=secret')).split('\n');
      const lookup = (await two.engine.tryDocker(['exec', id, 'nslookup', '-type=aaaa', 'secret'])).stdout;
      const address = /Address: (fd\S+)$/m.exec(lookup)?.[1];
      return hosts((await two.engine.tryDocker(['exec', id, 'sh', '-c', `for i in 1 2 3 4; do timeout 3 wget -qO- http://[${address}]/; done`])).stdout);
    };
    await until('both tasks answer', async () => (await ask()) === 2, 60_000);
    assert.match((await two.engine.exec(['wg', 'show', 'skw0', 'endpoints'])).stdout, new RegExp(`\\[${cluster.manager.lanAddress}\\]:\\d+`));
    await docker('service', 'rm', 'secret');
  });

  test('a second manager joins etcd over IPv6', async () => {
    await docker('node', 'promote', 'node2');
    await until('it is one', async () => (await docker('node', 'ls', '--format', '{{.Hostname}} {{.ManagerStatus}}')).includes('node2 Reachable'), 60_000);
    await docker('node', 'demote', 'node2');
  });
});
