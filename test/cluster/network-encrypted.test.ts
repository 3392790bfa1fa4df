// `--opt encrypted` as users have it: real nodes that tell each other their keys through the managers, by the real docker CLI.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { type ClusterNode, formSwarm, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/engine.ts';

const has = (tool: string) => spawnSync('sh', ['-c', 'command -v "$0"', tool]).status === 0;
const missing = process.getuid?.() !== 0 ? 'needs root' : has('wg') && has('wireguard-go') ? false : 'needs wireguard-tools and wireguard-go';

describe('encrypted networks on a swarm', { skip: missing, timeout: 180_000 }, () => {
  let cluster: TestCluster;
  let nodes: readonly ClusterNode[];

  before(async () => {
    cluster = await startCluster({ nodes: 2 });
    nodes = cluster.nodes;
    await Promise.all(
      nodes.map(({ engine }) => engine.importBusybox('who:1', 'CMD ["sh","-c","mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www"]')),
    );
    await formSwarm(cluster);
  });
  after(() => cluster?.stop());

  async function inTask({ engine }: ClusterNode, script: string): Promise<string> {
    const [id = ''] = (await engine.docker('ps', '-q', '--filter', 'label=com.docker.swarm.service.name=web')).split('\n');
    return (await engine.tryDocker(['exec', id, 'sh', '-c', script])).stdout.trim();
  }
  /** How many tasks answer the node's task, asked by virtual address. */
  const answering = async (node: ClusterNode) =>
    new Set((await inTask(node, 'for i in 1 2 3 4; do timeout 3 wget -qO- http://web/; done')).split('\n').filter((line) => line !== '')).size;
  const allAnswer = async () => (await Promise.all(nodes.map(answering))).every((count) => count === nodes.length);

  test('tasks on all nodes answer each other through WireGuard, with interfaces that leave room for it', async () => {
    const docker = (...args: string[]) => cluster.manager.docker(...args);
    await docker('network', 'create', '--driver', 'overlay', '--opt', 'encrypted', 'sealed');
    await docker('service', 'create', '-q', '--detach', '--no-resolve-image', '--mode', 'global', '--network', 'sealed', '--name', 'web', 'who:1');
    await until('every node’s task reaches all', allAnswer);
    for (const node of nodes) {
      const peers = (await node.engine.exec(['wg', 'show', 'skw0', 'latest-handshakes'])).stdout.trim().split('\n');
      assert.equal(peers.length, nodes.length - 1);
      assert.ok(
        peers.every((line) => Number(line.split('\t')[1]) > 0),
        peers.join(),
      );
      assert.match(await inTask(node, 'cat /sys/class/net/eth0/mtu'), /^1[0-9]+$/);
      assert.equal(await inTask(node, 'ip -o link show eth0 | grep -c "mtu 1370"'), '1');
    }
  });

  test('a wireguard-go that dies is replaced', async (t) => {
    const [node] = nodes;
    assert.ok(node);
    const find = async () => (await node.engine.exec(['sh', '-c', 'grep -l "^wireguard-go$" /proc/[0-9]*/comm | cut -d/ -f3'])).stdout.trim();
    const pid = await find();
    if (pid === '') return t.skip('the kernel has WireGuard');
    await node.engine.exec(['kill', '-9', pid]);
    await until('every node’s task reaches all again', allAnswer);
    assert.notEqual(await find(), pid);
  });

  test('when the last encrypted network is gone, so is WireGuard', async () => {
    const docker = (...args: string[]) => cluster.manager.docker(...args);
    await docker('service', 'rm', 'web');
    await until('the network can be removed', () =>
      docker('network', 'rm', 'sealed').then(
        () => true,
        () => false,
      ),
    );
    for (const { engine } of nodes) await until('the device is gone', async () => (await engine.exec(['ip', 'link', 'show', 'skw0'])).code !== 0);
  });
});
