// Logs, exec and the rest of a container's commands reach a task on any node through a manager, by the real docker CLI.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { formSwarm, startCluster, type TestCluster } from '../lib/cluster.ts';
import { runOrThrow, until } from '../lib/namespace.ts';

describe('the whole swarm through one socket', () => {
  let cluster: TestCluster;
  let tasks: readonly { readonly id: string; readonly node: string }[];
  before(async () => {
    cluster = await startCluster({ nodes: 2 });
    await Promise.all(cluster.nodes.map((node) => node.engine.importBusybox('busybox:1')));
    await formSwarm(cluster);
    const script = 'echo hello from $(hostname); exec sleep 1000';
    await cluster.manager.docker(
      'service',
      'create',
      '-q',
      '--name',
      'web',
      '--replicas',
      '2',
      '--stop-grace-period',
      '0s',
      '--no-resolve-image',
      'busybox:1',
      'sh',
      '-c',
      script,
    );
    const list = await cluster.manager.docker('service', 'ps', 'web', '--no-trunc', '--format', '{{.ID}} {{.Node}}');
    tasks = list.split('\n').map((line) => ({ id: line.split(' ')[0] ?? '', node: line.split(' ')[1] ?? '' }));
  });
  after(() => cluster?.stop());

  it('has a task on each node', () => {
    assert.deepEqual(tasks.map(({ node }) => node).sort(), ['node1', 'node2']);
  });

  it("merges the service's logs from all nodes", async () => {
    const lines = (await cluster.manager.docker('service', 'logs', 'web')).split('\n');
    assert.equal(lines.length, 2);
    for (const { node } of tasks) assert(lines.some((line) => line.includes(`@${node} `) && line.includes('hello from')));
  });

  it('runs exec, logs, top and inspect on any node by the id and the name of a task', async () => {
    for (const { id, node } of tasks) {
      const hostname = await cluster.manager.docker('exec', id, 'hostname');
      assert.equal(await cluster.manager.docker('logs', id), `hello from ${hostname}`);
      assert.match(await cluster.manager.docker('top', id), /sleep 1000/);
      assert.equal(
        await cluster.manager.docker('inspect', '--type', 'container', '--format', '{{index .Config.Labels "com.docker.swarm.task.id"}}', id),
        id,
        node,
      );
    }
    const names = await Promise.all(['web.1', 'web.2'].map((name) => cluster.manager.docker('exec', name, 'hostname')));
    assert.equal(new Set(names).size, 2);
  });

  it('passes input, both outputs and the exit code of an exec on another node', async () => {
    const remote = tasks.find(({ node }) => node === 'node2');
    assert(remote);
    const input = 'a line\n'.repeat(10_000);
    const result = await cluster.manager.tryDocker(['exec', '-i', remote.id, 'sh', '-c', 'cat; echo oops >&2; exit 3'], { input });
    assert.deepEqual([result.code, result.stdout === input, result.stderr], [3, true, 'oops\n']);
  });

  it('asks one node when the request names it, and says when there is no such node', async () => {
    const there = await cluster.manager.http('GET', '/containers/json', undefined, { 'X-Skep-Node': 'node2' });
    assert.equal((there.json as readonly unknown[]).length, 1);
    const nobody = await cluster.manager.http('GET', '/containers/json', undefined, { 'X-Skep-Node': 'nosuch' });
    assert.deepEqual([nobody.status, nobody.json], [404, { message: 'node nosuch not found' }]);
  });

  it('refuses swarm commands on a worker in the words of Docker', async () => {
    const worker = cluster.nodes[1];
    assert(worker);
    const result = await worker.tryDocker(['service', 'ls']);
    assert.match(result.stderr, /This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state/);
  });

  it('removes the volumes of a stack on every node, when it is asked to', async () => {
    const stack = 'com.docker.stack.namespace=gone';
    const mount = `type=volume,source=gone_data,target=/data,volume-label=${stack}`;
    const flags = ['--mode', 'global', '--label', stack, '--mount', mount, '--stop-grace-period', '0s', '--no-resolve-image'];
    await cluster.manager.docker('service', 'create', '-q', '--name', 'gone_db', ...flags, 'busybox:1', 'sleep', '1000');
    const volumes = async () => Promise.all(cluster.nodes.map(({ engine }) => engine.docker('volume', 'ls', '-q', '--filter', `label=${stack}`)));
    assert.deepEqual(await volumes(), ['gone_data', 'gone_data']);
    const skep = join(import.meta.dirname, '../../bin/skep');
    const removed = await runOrThrow([skep, '-H', `unix://${cluster.manager.socket}`, 'stack', 'rm', '--volumes', 'gone']);
    for (const node of ['node1', 'node2']) assert.match(removed, new RegExp(`Removing volume gone_data on node ${node}`));
    assert.deepEqual(await volumes(), ['', '']);
  });

  it('replaces the tasks of a worker that is cut off, and stops the stale ones when it is back', async () => {
    const worker = cluster.nodes[1];
    assert(worker);
    await worker.cut();
    const running = () => cluster.manager.docker('service', 'ps', 'web', '--filter', 'desired-state=running', '--format', '{{.Node}} {{.CurrentState}}');
    await until('the replacements run', async () => (await running()).split('\n').filter((line) => line.startsWith('node1 Running')).length === 2);
    assert.match(await cluster.manager.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}'), /node2 Down/);
    await worker.heal();
    await until('the stale task is gone', async () => (await worker.engine.docker('ps', '-q')) === '');
    await until('the worker is ready', async () => /node2 Ready/.test(await cluster.manager.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}')));
  });
});
