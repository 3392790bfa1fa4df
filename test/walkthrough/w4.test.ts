// W4 of the walkthrough: networks over several nodes, by the real docker CLI on a manager and two workers.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { stackDeploy } from '../lib/cli-version.ts';
import { type ClusterNode, formSwarm, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/engine.ts';

/** A page that says which container answers and whom it sees. httpd serves until it is killed. */
const WHO =
  'mkdir -p /www/cgi-bin; printf \'#!/bin/sh\\necho; echo "$(hostname) $REMOTE_ADDR"\\n\' > /www/cgi-bin/who; chmod +x /www/cgi-bin/who; exec httpd -f -p 80 -h /www';

describe('W4: networks over several nodes', { skip: process.getuid?.() !== 0 && 'needs root', timeout: 300_000 }, () => {
  let cluster: TestCluster;
  let nodes: readonly ClusterNode[];
  const docker = (...args: string[]) => cluster.manager.docker(...args);

  before(async () => {
    cluster = await startCluster({ nodes: 3 });
    nodes = cluster.nodes;
    await Promise.all(nodes.map(({ engine }) => engine.importBusybox('who:1', `CMD ["sh","-c",${JSON.stringify(WHO)}]`)));
    await formSwarm(cluster);
  });
  after(() => cluster?.stop());

  const replicas = (service: string) => docker('service', 'ls', '--filter', `name=${service}`, '--format', '{{.Replicas}}');
  async function create(name: string, count: number, ...options: string[]): Promise<void> {
    const mode = count === 0 ? ['--mode', 'global'] : ['--replicas', String(count)];
    await docker('service', 'create', '-q', '--detach', '--no-resolve-image', '--stop-grace-period', '500ms', '--name', name, ...mode, ...options);
    const expected = count === 0 ? nodes.length : count;
    await until(`${name} runs`, async () => (await replicas(name)) === `${expected}/${expected}`);
  }
  /** Runs a command in the node's task of a service. */
  async function inTask(node: ClusterNode, service: string, script: string): Promise<string> {
    const [id = ''] = (await node.engine.docker('ps', '-q', '--filter', `label=com.docker.swarm.service.name=${service}`)).split('\n');
    const { stdout, stderr } = await node.engine.tryDocker(['exec', id, 'sh', '-c', script]);
    return `${stdout}${stderr}`.trim();
  }
  const addressesIn = (text: string) => [...text.matchAll(/Address: (10\.[\d.]+)/g)].map(([, address = '']) => address);
  const lookup = async (node: ClusterNode, name: string) => addressesIn(await inTask(node, 'probe', `nslookup -type=a ${name}`));
  const ask = async (node: ClusterNode, name: string) => inTask(node, 'probe', `timeout 5 wget -qO- http://${name}/cgi-bin/who`);
  const sorted = (values: readonly string[]) => [...values].sort((a, b) => (a < b ? -1 : 1));
  async function fromOutside(node: ClusterNode, port: number): Promise<string> {
    const { stdout } = await cluster.client.exec(['curl', '-s', '-m', '5', `http://${node.lanAddress}:${port}/cgi-bin/who`]);
    return stdout.trim();
  }

  test('an overlay network is made and listed beside ingress', async () => {
    await docker('network', 'create', '--driver', 'overlay', 'nd-swarm');
    const list = await docker('network', 'ls', '--format', '{{.Name}} {{.Driver}} {{.Scope}}');
    assert.ok(list.includes('ingress overlay swarm') && list.includes('nd-swarm overlay swarm'), list);
  });

  test('every node reaches a service by its name, and its tasks on all nodes answer', async () => {
    await create('web', 3, '--network', 'nd-swarm', 'who:1');
    await create('probe', 0, '--network', 'nd-swarm', 'who:1', 'sleep', '1000');
    for (const node of nodes) {
      await until(`all three answer ${node.name}`, async () => {
        const answers = await inTask(node, 'probe', 'for i in 1 2 3 4 5 6 7 8 9; do timeout 5 wget -qO- http://web/cgi-bin/who; done');
        return new Set(answers.split('\n').map((line) => line.split(' ')[0])).size === 3 && !answers.includes('wget') && answers.split('\n').length === 9;
      });
    }
  });

  test('a name is one stable virtual address, tasks.NAME is every task', async () => {
    const [first] = nodes;
    assert.ok(first);
    const virtual = await lookup(first, 'web');
    assert.equal(virtual.length, 1);
    const tasks = sorted(await lookup(first, 'tasks.web'));
    assert.equal(tasks.length, 3);
    for (const node of nodes) {
      assert.deepEqual(await lookup(node, 'web'), virtual);
      assert.deepEqual(sorted(await lookup(node, 'tasks.web')), tasks);
    }
    await docker('service', 'update', '-q', '--detach', '--force', 'web');
    await until('other tasks run', async () => sorted(await lookup(first, 'tasks.web')).join() !== tasks.join() && (await replicas('web')) === '3/3');
    assert.deepEqual(await lookup(first, 'web'), virtual);
  });

  test('without a virtual address the name is the tasks, in an order that rotates', async () => {
    await create('rr', 3, '--network', 'nd-swarm', '--endpoint-mode', 'dnsrr', 'who:1');
    for (const node of nodes) {
      await until(`${node.name} knows all three`, async () => (await lookup(node, 'rr')).length === 3);
      const firsts = new Set<string | undefined>();
      for (let tries = 0; tries < 20 && firsts.size < 2; tries++) firsts.add((await lookup(node, 'rr'))[0]);
      assert.ok(firsts.size > 1, 'always the same first');
      assert.match(await ask(node, 'rr'), /^[0-9a-f]{12} \[::ffff:10\./);
    }
  });

  test('only healthy tasks get traffic, from every node', async () => {
    const health = ['--health-cmd', 'test -e /healthy', '--health-interval', '1s', '--health-start-period', '60s'];
    await docker(
      'service',
      'create',
      '-q',
      '--detach',
      '--no-resolve-image',
      '--name',
      'picky',
      '--mode',
      'global',
      '--network',
      'nd-swarm',
      ...health,
      'who:1',
    );
    const running = async (node: ClusterNode) => (await inTask(node, 'picky', 'hostname')).match(/^[0-9a-f]{12}$/)?.[0];
    await until('all have containers', async () => (await Promise.all(nodes.map(running))).every((name) => name !== undefined));
    const [, second] = nodes;
    assert.ok(second);
    for (const node of nodes) assert.deepEqual(await lookup(node, 'tasks.picky'), []);
    await inTask(second, 'picky', 'touch /healthy');
    for (const node of nodes) {
      await until(`${node.name} knows the healthy one`, async () => (await lookup(node, 'tasks.picky')).length === 1);
      assert.equal((await ask(node, 'picky')).split(' ')[0], await running(second));
    }
    await docker('service', 'rm', 'picky');
  });

  test('a published port answers on every node with the client’s own address, also where no task is, and with more replicas than nodes', async () => {
    await create('page', 1, '--publish', '8080:80', '--constraint', 'node.hostname==node2', 'who:1');
    for (const node of nodes) {
      await until(`${node.name} answers`, async () => (await fromOutside(node, 8080)) !== '');
      assert.ok((await fromOutside(node, 8080)).endsWith(`[::ffff:${cluster.client.address}]`), await fromOutside(node, 8080));
    }
    await docker('service', 'update', '-q', '--detach', '--constraint-rm', 'node.hostname==node2', '--replicas', '5', 'page');
    await until('five run', async () => (await replicas('page')) === '5/5');
    for (const node of nodes) {
      const seen = new Set<string>();
      await until(`all five answer through ${node.name}`, async () => {
        seen.add((await fromOutside(node, 8080)).split(' ')[0] ?? '');
        return [...seen].filter((name) => name !== '').length === 5;
      });
    }
    await docker('service', 'rm', 'page');
    for (const node of nodes) await until(`${node.name} is silent`, async () => (await fromOutside(node, 8080)) === '');
  });

  test('a port of mode host answers on the node of its task only', async () => {
    await create('local', 1, '--publish', 'mode=host,published=8081,target=80', '--constraint', 'node.hostname==node3', 'who:1');
    const [first, second, third] = nodes;
    assert.ok(first && second && third);
    await until('node3 answers', async () => /^[0-9a-f]{12} /.test(await fromOutside(third, 8081)));
    assert.deepEqual([await fromOutside(first, 8081), await fromOutside(second, 8081)], ['', '']);
    await docker('service', 'rm', 'local');
  });

  test('two stacks on their own networks cannot reach each other; an external network joins them', async () => {
    const file = async (name: string, text: string) => {
      const path = join(cluster.manager.engine.folder, name);
      await writeFile(path, text);
      return path;
    };
    const service = (name: string, networks: string) =>
      `services:\n  ${name}:\n    image: who:1\n    stop_grace_period: 500ms\n    deploy: {mode: global}\n${networks}`;
    const plain = (name: string) => `version: '3.8'\n${service(name, '')}`;
    const joined = (name: string) => `version: '3.8'\n${service(name, '    networks: [default, meeting]\n')}networks:\n  meeting: {external: true}\n`;
    const deploy = async (stack: string, path: string) => docker(...stackDeploy, '--resolve-image', 'never', '-c', path, stack);
    await deploy('left', await file('left.yml', plain('one')));
    await deploy('right', await file('right.yml', plain('two')));
    await until('both run', async () => (await replicas('left_one')) === '3/3' && (await replicas('right_two')) === '3/3');
    const reach = (node: ClusterNode, from: string, to: string) => inTask(node, from, `timeout 2 wget -qO- http://${to}/cgi-bin/who || echo unreachable`);
    for (const node of nodes) {
      assert.match(await reach(node, 'left_one', 'one'), /^[0-9a-f]{12} /);
      assert.match(await reach(node, 'left_one', 'two'), /unreachable|bad address/);
      const [theirs = ''] = addressesIn(await inTask(node, 'right_two', 'nslookup -type=a two'));
      assert.match(await reach(node, 'left_one', theirs), /unreachable$/);
    }
    await docker('network', 'create', '--driver', 'overlay', 'meeting');
    await deploy('left', await file('left.yml', joined('one')));
    await deploy('right', await file('right.yml', joined('two')));
    // Task after task, each watched for the five seconds that are the default.
    const update = (name: string) => docker('service', 'inspect', '--format', '{{.UpdateStatus.State}}', name);
    await until('both are updated', async () => (await update('left_one')) === 'completed' && (await update('right_two')) === 'completed', 60_000);
    for (const node of nodes) await until(`${node.name} reaches the other stack`, async () => /^[0-9a-f]{12} /.test(await reach(node, 'left_one', 'two')));
    await docker('stack', 'rm', 'left', 'right');
  });

  test('when services and networks are gone nothing of them stays on any node', async () => {
    await docker('service', 'rm', 'web', 'rr', 'probe');
    for (const node of nodes) await until(`${node.name} has no containers`, async () => (await node.engine.docker('ps', '-aq')) === '');
    await until(
      'the networks can be removed',
      async () =>
        (await cluster.manager.tryDocker(['network', 'rm', 'nd-swarm', 'meeting'])).code === 0 ||
        (await docker('network', 'ls', '-q', '--filter', 'name=meeting')) === '',
    );
    for (const node of nodes)
      await until(`${node.name} has no overlay but ingress`, async () => {
        const names = (await node.engine.docker('network', 'ls', '--format', '{{.Name}}')).split('\n');
        return !names.some((name) => /nd-swarm|meeting|left|right/.test(name));
      });
  });
});
