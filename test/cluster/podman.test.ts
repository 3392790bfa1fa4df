// One swarm of a Docker node and a Podman node: nobody who uses a service can tell which node serves.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { type ClusterNode, formSwarm, startCluster, type TestCluster } from '../lib/cluster.ts';
import { startEngine, until } from '../lib/engine.ts';
import { podmanMissing, startPodman } from '../lib/podman.ts';

const IMAGE = 'who:1';
/** A page that says which container answers and whom it sees. */
const SCRIPT =
  'mkdir -p /tmp/www/cgi-bin; printf \'#!/bin/sh\\necho; echo "$(hostname) $REMOTE_ADDR"\\n\' > /tmp/www/cgi-bin/who; chmod +x /tmp/www/cgi-bin/who; exec httpd -f -p 80 -h /tmp/www';

suite('a swarm of Docker and Podman', { skip: podmanMissing() ?? false }, () => {
  let cluster: TestCluster;
  let onDocker: ClusterNode;
  let onPodman: ClusterNode;
  before(async () => {
    cluster = await startCluster({ nodes: 2, ipv6: 'besides', engineOf: (name) => (name === 'node1' ? startEngine({ name }) : startPodman({ name })) });
    const [first, second] = cluster.nodes;
    assert.ok(first && second);
    onDocker = first;
    onPodman = second;
    await Promise.all(cluster.nodes.map((node) => node.engine.importBusybox(IMAGE, `CMD ["sh","-c",${JSON.stringify(SCRIPT)}]`)));
    await formSwarm(cluster);
    await until('both nodes are ready', async () => (await onDocker.docker('node', 'ls', '--format', '{{.Status}}')) === 'Ready\nReady');
    await onDocker.docker('network', 'create', '--driver', 'overlay', '--ipv6', 'inner');
    const flags = ['--replicas', '4', '--network', 'inner', '--publish', '18080:80', '--stop-signal', 'SIGKILL'];
    await onDocker.docker('service', 'create', '--detach', '--quiet', '--no-resolve-image', '--name', 'web', ...flags, IMAGE);
    await until('all tasks run', async () => (await places()).length === 4, 40_000);
  });
  after(() => cluster.stop());

  /** The nodes of the running tasks, sorted. */
  async function places(): Promise<readonly string[]> {
    const lines = await onDocker.docker('service', 'ps', '--filter', 'desired-state=running', '--format', '{{.Node}} {{.CurrentState}}', 'web');
    return lines
      .split('\n')
      .filter((line) => line.includes(' Running '))
      .map((line) => line.split(' ')[0] ?? '')
      .sort();
  }

  /** The containers' hostnames on a node. */
  async function hostnames(node: ClusterNode): Promise<readonly string[]> {
    const ids = (await node.engine.docker('ps', '-q')).split('\n');
    return Promise.all(ids.map((id) => node.engine.docker('exec', id, 'hostname')));
  }

  const anyContainer = async (node: ClusterNode) => (await node.engine.docker('ps', '-q')).split('\n')[0] ?? '';

  test('a service is spread over both', async () => {
    assert.deepEqual(await places(), ['node1', 'node1', 'node2', 'node2']);
  });

  test('each node’s published port leads to the tasks of both, and they see the client’s own address', async () => {
    const all = new Set([...(await hostnames(onDocker)), ...(await hostnames(onPodman))]);
    for (const node of [onDocker, onPodman]) {
      const seen = new Set<string>();
      await until(`all tasks answer through ${node.name}`, async () => {
        const { stdout } = await cluster.client.exec(['curl', '-s', '-m', '3', `http://${node.lanAddress}:18080/cgi-bin/who`]);
        const [hostname = '', address = ''] = stdout.trim().split(' ');
        if (hostname === '') return false;
        assert.equal(address, `[::ffff:${cluster.client.address}]`);
        seen.add(hostname);
        return seen.size === all.size;
      });
      assert.deepEqual([...seen].sort(), [...all].sort());
    }
  });

  test('so it is over IPv6', async () => {
    for (const { name, lanAddress6 } of [onDocker, onPodman]) {
      const seen = new Set<string>();
      await until(`all tasks answer through ${name}`, async () => {
        const { stdout } = await cluster.client.exec(['curl', '-gs', '-m', '3', `http://[${lanAddress6}]:18080/cgi-bin/who`]);
        const [hostname = '', address = ''] = stdout.trim().split(' ');
        if (hostname === '') return false;
        assert.equal(address, `[${cluster.client.address6}]`);
        return seen.add(hostname).size === 4;
      });
    }
  });

  test('tasks of either find the service by name and reach all of it, over the overlay between the nodes', async () => {
    for (const node of [onDocker, onPodman]) {
      const container = await anyContainer(node);
      const seen = new Set<string>();
      await until(`all tasks answer a container of ${node.name}`, async () => {
        const answer = await node.engine.tryDocker(['exec', container, 'wget', '-q', '-O', '-', 'http://web/cgi-bin/who']);
        if (answer.code === 0) seen.add(answer.stdout.split(' ')[0] ?? '');
        return seen.size === 4;
      });
      const addresses = await node.engine.docker('exec', container, 'nslookup', 'tasks.web');
      assert.equal(addresses.match(/^Address: 10\./gm)?.length, 4);
    }
  });

  test('on a network with IPv6 the tasks of both have such addresses, and reach each other by them', async () => {
    const { json } = await onDocker.http('GET', '/services/web');
    const { VirtualIPs } = (json as { Endpoint: { VirtualIPs: { AddrIPv6?: string }[] } }).Endpoint;
    const [address = ''] = VirtualIPs.flatMap(({ AddrIPv6 }) => AddrIPv6?.split('/', 1) ?? []);
    for (const node of [onDocker, onPodman]) {
      const container = await anyContainer(node);
      const seen = new Set<string>();
      await until(`all tasks answer a container of ${node.name} over IPv6`, async () => {
        const answer = await node.engine.tryDocker(['exec', container, 'wget', '-q', '-O', '-', `http://[${address}]/cgi-bin/who`]);
        if (answer.code === 0) seen.add(answer.stdout.split(' ')[0] ?? '');
        return seen.size === 4;
      });
      assert.equal((await node.engine.docker('exec', container, 'nslookup', '-type=aaaa', 'tasks.web')).match(/^Address: fd/gm)?.length, 4);
    }
  });

  test('the manager shows the logs of both, and reaches a container on the Podman node', async () => {
    await onDocker.docker(
      'service',
      'create',
      '--detach',
      '--quiet',
      '--no-resolve-image',
      '--name',
      'talk',
      '--mode',
      'global',
      '--stop-signal',
      'SIGKILL',
      IMAGE,
      'sh',
      '-c',
      'echo from $(hostname); sleep 1000',
    );
    await until('both lines are there', async () => (await onDocker.docker('service', 'logs', '--raw', 'talk')).split('\n').length === 2);
    const [far = ''] = await hostnames(onPodman);
    const id = (await onPodman.engine.docker('ps', '-q', '--no-trunc')).split('\n')[0] ?? '';
    assert.equal(await onDocker.docker('exec', id, 'hostname'), far);
  });

  test('a drained Podman node hands its tasks to the other, and back', async () => {
    await onDocker.docker('node', 'update', '--availability', 'drain', 'node2');
    await until('everything runs on Docker', async () => (await places()).join() === 'node1,node1,node1,node1', 40_000);
    await until('nothing is left running there', async () => (await onPodman.engine.docker('ps', '-q')) === '');
    await onDocker.docker('node', 'update', '--availability', 'active', 'node2');
    await onDocker.docker('service', 'update', '--detach', '--force', 'web');
    await until('the service is spread again', async () => (await places()).join() === 'node1,node1,node2,node2', 60_000);
  });
});
