// Three managers and two workers, one of them Podman where it is there, by the real docker CLI through any manager's socket: logs of tasks that are gone,
// lists of all nodes, and what happens to clients when nodes and the leader are killed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type ClusterNode, startCluster, type TestCluster } from '../lib/cluster.ts';
import { startEngine, until } from '../lib/engine.ts';
import { runOrThrow } from '../lib/namespace.ts';
import { podmanMissing, startPodman } from '../lib/podman.ts';

/** Commands that take longer hang. */
const AT_ONCE_MS = 10_000;
/** The machine may be busy: what is waited for comes, but late. */
const LATE_MS = 60_000;

suite('one socket for the whole swarm', { skip: process.getuid?.() !== 0 && 'needs root', timeout: 300_000 }, () => {
  let cluster: TestCluster;
  let nodes: readonly [ClusterNode, ClusterNode, ClusterNode, ClusterNode, ClusterNode];
  const folder = mkdtempSync(join(tmpdir(), 'skep-one-socket-'));
  before(async () => {
    const last = podmanMissing() === undefined ? startPodman : startEngine;
    cluster = await startCluster({ nodes: 5, engineOf: (name) => (name === 'node5' ? last : startEngine)({ name }) });
    nodes = cluster.nodes as typeof nodes;
    const [first, ...others] = nodes;
    await Promise.all(nodes.map((node) => node.engine.importBusybox('busybox:1')));
    await first.docker('swarm', 'init', '--advertise-addr', first.lanAddress, '--task-history-limit', '0');
    const tokens = await Promise.all(['manager', 'worker'].map((role) => first.docker('swarm', 'join-token', '-q', role)));
    for (const [index, node] of others.entries())
      await node.docker('swarm', 'join', '--advertise-addr', node.lanAddress, '--token', tokens[index < 2 ? 0 : 1] ?? '', `${first.lanAddress}:2377`);
  });
  after(async () => {
    await cluster?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function create(name: string, script: string, ...options: string[]): Promise<void> {
    const flags = ['--detach', '-q', '--no-resolve-image', '--stop-grace-period', '0s', '--name', name, ...options];
    await nodes[0].docker('service', 'create', ...flags, 'busybox:1', 'sh', '-c', script);
  }
  const running = async (service: string) =>
    (await nodes[1].docker('service', 'ps', service, '--filter', 'desired-state=running', '--format', '{{.Node}} {{.ID}} {{.CurrentState}}'))
      .split('\n')
      .filter((line) => line.includes(' Running '))
      .map((line) => ({ node: line.split(' ')[0] ?? '', id: line.split(' ')[1] ?? '' }));
  const allRun = (service: string, count: number) => until(`${service} runs ${count} times`, async () => (await running(service)).length === count, LATE_MS);

  test('logs of tasks that were replaced are shown with the others’, in order of time, through any manager', async () => {
    await create('web', 'echo "hello from $(hostname)"; exec sleep 1000', '--mode', 'global');
    await allRun('web', 5);
    const before = (await running('web')).map(({ id }) => id);
    await nodes[0].docker('service', 'update', '-q', '--force', '--update-parallelism', '0', 'web');
    await allRun('web', 5);
    const ids = [...before, ...(await running('web')).map(({ id }) => id)];
    for (const manager of nodes.slice(0, 3)) {
      let lines: readonly string[] = [];
      await until(`all ten tasks' lines come through ${manager.name}`, async () => {
        lines = (await manager.docker('service', 'logs', '-t', 'web')).split('\n');
        return lines.length === 10;
      });
      assert.deepEqual(lines, lines.toSorted());
      for (const id of ids) assert.equal(lines.filter((line) => line.includes(`web.0.${id}@node`) && line.includes('| hello from ')).length, 1, id);
    }
    const raw = await nodes[1].docker('service', 'logs', '--raw', '--no-trunc', 'web');
    assert.match(raw, /^(hello from [0-9a-z]+\n?){10}$/);
    const tailed = await nodes[2].docker('service', 'logs', '--no-task-ids', '--tail', '0', 'web');
    assert.equal(tailed, '');
  });

  test('a list of all nodes says where each thing is', async () => {
    const configured = join(folder, 'all');
    rmSync(configured, { recursive: true, force: true });
    await nodes[0].engine.exec(['mkdir', '-p', configured]);
    writeFileSync(join(configured, 'config.json'), JSON.stringify({ HttpHeaders: { 'X-Skep-Node': '*' } }));
    const format = '{{.Label "com.docker.swarm.node.name"}}';
    for (const version of ['1.24', '1.41', '1.50']) {
      const env = { ...process.env, DOCKER_API_VERSION: version } as Record<string, string>;
      const listed = await nodes[2].tryDocker(['--config', configured, 'ps', '--format', format], { env });
      assert.deepEqual(listed.stdout.trim().split('\n').sort(), ['node1', 'node2', 'node3', 'node4', 'node5'], listed.stderr);
    }
    const { json, headers } = await nodes[1].http('GET', '/images/json', undefined, { 'X-Skep-Node': 'all' });
    const images = json as readonly { readonly Node: { readonly Name: string }; readonly RepoTags: readonly string[] }[];
    assert.deepEqual(
      images
        .filter(({ RepoTags }) => RepoTags.some((tag) => tag.endsWith('busybox:1')))
        .map(({ Node: { Name } }) => Name)
        .sort(),
      ['node1', 'node2', 'node3', 'node4', 'node5'],
    );
    assert.equal(headers['x-skep-missing-nodes'], undefined);
    const skep = (...args: string[]) => runOrThrow([join(import.meta.dirname, '../../bin/skep'), '-H', `unix://${nodes[1].socket}`, ...args]);
    const places = async (...args: string[]) => (await skep(...args)).split('\n').sort();
    assert.deepEqual(await places('ps', '--all-nodes', '--format', '{{.Node}}'), ['node1', 'node2', 'node3', 'node4', 'node5']);
    assert.match(await skep('ps', '--node', 'node5'), /^CONTAINER ID .*NAMES\n\S+ .*web\.\w+\.\w+$/);
    assert.match(await skep('images', '--all-nodes'), /SIZE +NODE\n(.*busybox.*node\d\n?){5}$/);
    const refused = await nodes[1].http('POST', '/containers/create', {}, { 'X-Skep-Node': '*' });
    assert.equal(refused.status, 400);
  });

  test('a worker reaches nobody else: not by the header, and not by a manager’s tunnel', async () => {
    const [first, , , worker] = nodes;
    const asked = await worker.http('GET', '/containers/json', undefined, { 'X-Skep-Node': 'node1' });
    assert.equal(asked.status, 503);
    const target = await first.docker('node', 'inspect', 'node2', '--format', '{{.ID}}');
    const relay = async (node: ClusterNode) => {
      const script = join(import.meta.dirname, 'relay-caller.ts');
      const command = [process.execPath, '--disable-warning=ExperimentalWarning', script, node.stateDirectory, `${first.lanAddress}:2377`, target];
      return (await node.engine.exec(command)).stdout;
    };
    assert.match(await relay(worker), /^error .*only managers may do this/);
    assert.match(await relay(nodes[2]), /^data .*HTTP\/1\.1 200 OK/s);
  });

  test('a node that is killed in the middle ends an exec there, is said in the logs of all, and comes back with what it kept', async () => {
    const [first, second, , worker] = nodes;
    await create('tick', 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.2; done', '--mode', 'global');
    await allRun('tick', 5);
    const far = (await running('tick')).find(({ node }) => node === worker.name)?.id ?? '';
    const following = follow(second, ['service', 'logs', '-f', 'tick']);
    const exec = follow(first, ['exec', '-i', far, 'sleep', '1000']);
    await until('the log is followed', () => following.lines().some((line) => line.includes(`@${worker.name} `)), LATE_MS);
    await worker.stopDaemon('SIGKILL');
    assert.equal(await exec.exited, 1);
    await until('the node is down', async () => /down/.test(await first.docker('node', 'inspect', worker.name, '--format', '{{.Status.State}}')));
    for (const manager of [first, second]) {
      const started = Date.now();
      const refused = await manager.tryDocker(['exec', far, 'true']);
      assert.deepEqual([refused.code, refused.stderr.trim()], [1, `Error response from daemon: node ${worker.name} is not available (down)`]);
      const logs = await manager.tryDocker(['service', 'logs', '--tail', '1', 'tick']);
      assert.match(logs.stderr, /warning: incomplete log stream\. some logs could not be retrieved for the following reasons: node \w+ is not available/);
      assert.equal(logs.stdout.trim().split('\n').length, 4);
      const { headers } = await manager.http('GET', '/containers/json', undefined, { 'X-Skep-Node': '*' });
      assert.equal(headers['x-skep-missing-nodes'], `${worker.name} (down)`);
      assert.ok(Date.now() - started < AT_ONCE_MS);
    }
    await until('the followed log says what is missing', () => following.errors().includes('disconnected unexpectedly'), LATE_MS);
    await worker.startDaemon();
    await until('the task there was replaced', async () => (await running('tick')).some(({ node, id }) => node === worker.name && id !== far), LATE_MS);
    await until('the replacement is followed', () => following.lines().some((line) => line.includes(`@${worker.name} `) && !line.includes(far)));
    await until('the log of the old task is kept', () => readdirSync(join(worker.stateDirectory, 'kept-logs')).some((name) => name.startsWith(far)));
    following.stop();
    assertEachLineOnce(following.lines());
    // Its container said more while nobody managed it: nothing of that is lost.
    const kept = (await second.docker('service', 'logs', 'tick')).split('\n').filter((line) => line.includes(far));
    const followed = following.lines().filter((line) => line.includes(far));
    assert.ok(kept.length >= followed.length && followed.length > 0);
    assertEachLineOnce(kept);
  });

  test('a change of leader ends no followed log and no exec on another node, and each line comes once', async () => {
    const [first, second] = nodes;
    const following = follow(second, ['service', 'logs', '-f', '--tail', '1', 'tick']);
    const near = (await running('tick')).find(({ node }) => node === second.name)?.id ?? '';
    const exec = follow(second, ['exec', near, 'sh', '-c', 'while :; do echo alive; sleep 0.2; done']);
    const seen = (name: string) => following.lines().filter((line) => line.includes(`@${name} `)).length;
    const far = (await running('tick')).find(({ node }) => node === nodes[3].name)?.id ?? '';
    const farExec = follow(second, ['exec', far, 'sh', '-c', 'while :; do echo alive; sleep 0.2; done']);
    await until('the other node is heard', () => farExec.lines().length > 0, LATE_MS);
    await until('all nodes are heard', () => nodes.every(({ name }) => seen(name) > 0), LATE_MS);
    await first.stopDaemon('SIGKILL');
    const before = nodes.map(({ name }) => seen(name));
    const said = exec.lines().length;
    const farSaid = farExec.lines().length;
    await until('the others are heard again', () => nodes.slice(1).every(({ name }, index) => seen(name) > (before[index + 1] ?? 0) + 5), LATE_MS);
    await until('an exec on the manager’s own node went on', () => exec.lines().length > said + 5, LATE_MS);
    exec.stop();
    await until('an exec on another node went on', () => farExec.lines().length > farSaid + 5, LATE_MS);
    await first.startDaemon();
    await until('the old leader’s node is heard again', () => seen(first.name) > (before[0] ?? 0), LATE_MS);
    following.stop();
    farExec.stop();
    assertEachLineOnce(following.lines().filter((line) => !line.includes(`@${first.name} `)));
  });

  test('when the node leaves, it keeps nothing', async () => {
    const [, , , worker] = nodes;
    await worker.docker('swarm', 'leave');
    assert.deepEqual(
      readdirSync(worker.stateDirectory).filter((name) => name.startsWith('kept-logs')),
      [],
    );
  });
});

/** Of each task every number comes once, in order, and none is left out. */
function assertEachLineOnce(lines: readonly string[]): void {
  const last = new Map<string, number>();
  for (const line of lines) {
    const [, task = '', number = ''] = /^(\S+).*\| line (\d+)$/.exec(line) ?? [];
    if (task === '') continue;
    assert.equal(Number(number), (last.get(task) ?? Number(number) - 1) + 1, `${task}: line ${number} after ${last.get(task)}`);
    last.set(task, Number(number));
  }
}

/** A docker CLI that goes on until it is stopped. */
function follow(node: ClusterNode, args: readonly string[]) {
  const child = spawn('docker', ['-H', `unix://${node.socket}`, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return {
    /** Whole ones. */
    lines: () => stdout.split('\n').slice(0, -1),
    errors: () => stderr,
    exited: new Promise<number | null>((resolve) => child.on('exit', resolve)),
    stop: () => void child.kill('SIGKILL'),
  };
}
