// W1 of the walkthrough: the first service on one node, by the real docker CLI against a real skepd and dockerd.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { convergedText } from '../lib/cli-version.ts';
import { run, until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

describe('W1: first service on one node', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  let skepd: TestSkepd;
  let node: string;

  before(async () => {
    skepd = await startSkepd();
    const serve = `trap 'exit 0' TERM; echo "page of $(hostname)" > /var/www/index.html; httpd -f -p 80 -h /var/www & wait`;
    await skepd.engine.importBusybox('nginx:latest', `CMD ${JSON.stringify(['sh', '-c', serve])}`);
  });

  after(async () => {
    await skepd?.stop();
  });

  const docker = (...args: string[]) => skepd.docker(...args);
  /** The page of a published port as a machine outside of the node sees it. */
  async function page(port: number): Promise<string> {
    const { stdout } = await skepd.engine.client.exec(['curl', '-s', '-m', '3', `http://${skepd.engine.address}:${port}/`]);
    return stdout.trim();
  }
  /** What the CLI shows to a user at a terminal: only there it draws bars. */
  async function onTerminal(args: readonly string[]): Promise<string> {
    const { code, stdout } = await run(['script', '-qec', `stty cols 120 rows 40; docker -H unix://${skepd.socket} ${args.join(' ')}`, '/dev/null']);
    assert.equal(code, 0, stdout);
    return stdout.replaceAll('\r', '');
  }
  const replicas = (service: string) => docker('service', 'ls', '--filter', `name=${service}`, '--format', '{{.Replicas}}');

  test('swarm init makes this node a manager and tells how others join', async () => {
    const output = await docker('swarm', 'init', '--advertise-addr', skepd.engine.address);
    const shown = new RegExp(
      `^Swarm initialized: current node \\(([0-9a-z]{25})\\) is now a manager\\.\\n\\nTo add a worker to this swarm, run the following command:\\n\\n    docker swarm join --token SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25} ${skepd.engine.address}:2377\\n\\nTo add a manager to this swarm, run 'docker swarm join-token manager' and follow the instructions\\.$`,
    ).exec(output);
    assert.ok(shown?.[1], output);
    node = shown[1];
    const again = await skepd.tryDocker(['swarm', 'init']);
    assert.match(again.stderr, /This node is already part of a swarm/);
  });

  test('info shows the block of the swarm', async () => {
    const output = await docker('info');
    const block = output.slice(output.indexOf(' Swarm: active'), output.indexOf(' Runtimes:'));
    const lines = block.split('\n').map((line) => line.trimEnd());
    const varying = /^ {2}(NodeID|ClusterID):/;
    assert.deepEqual(
      lines.filter((line) => line !== '' && !varying.test(line)),
      [
        ' Swarm: active',
        '  Is Manager: true',
        '  Managers: 1',
        '  Nodes: 1',
        '  Default Address Pool: 10.0.0.0/8',
        '  SubnetSize: 24',
        '  Data Path Port: 4789',
        '  Orchestration:',
        '   Task History Retention Limit: 5',
        '  Raft:',
        '   Snapshot Interval: 10000',
        '   Number of Old Snapshots to Retain: 0',
        '   Heartbeat Tick: 1',
        '   Election Tick: 10',
        '  Dispatcher:',
        '   Heartbeat Period: 5 seconds',
        '  CA Configuration:',
        '   Expiry Duration: 3 months',
        '   Force Rotate: 0',
        '  Autolock Managers: false',
        '  Root Rotation In Progress: false',
        `  Node Address: ${skepd.engine.address}`,
        '  Manager Addresses:',
        `   ${skepd.engine.address}:2377`,
      ],
    );
    assert.match(block, new RegExp(`^ {2}NodeID: ${node}$`, 'm'));
    assert.match(block, /^ {2}ClusterID: [0-9a-z]{25}$/m);
  });

  test('node ls shows this node: ready, active, leader', async () => {
    await until('the node is ready', async () => (await docker('node', 'ls', '--format', '{{.Status}}')) === 'Ready');
    const [header, row] = (await docker('node', 'ls')).split('\n');
    assert.match(header ?? '', /^ID +HOSTNAME +STATUS +AVAILABILITY +MANAGER STATUS +ENGINE VERSION$/);
    assert.match(row ?? '', new RegExp(`^${node} \\* +\\S+ +Ready +Active +Leader +\\d+\\.\\d+`));
    assert.equal(await docker('node', 'inspect', 'self', '--format', '{{ .ManagerStatus.Reachability }} {{ .Status.State }}'), 'reachable ready');
  });

  test('service create waits until both tasks run, and says so', async () => {
    const output = await onTerminal(['service', 'create', '--replicas', '2', '-p', '80:80', '--name', 'web', 'nginx']);
    assert.match(output, /^[0-9a-z]{25}$/m);
    assert.match(output, /overall progress: 2 out of 2 tasks/);
    assert.match(output, /1\/2: running +\[=+>\]/);
    assert.match(output, /2\/2: running +\[=+>\]/);
    assert.match(output, new RegExp(convergedText('[0-9a-z]{25}')));
  });

  test('service ls and ps show it as Docker does', async () => {
    const [header, row] = (await docker('service', 'ls')).split('\n');
    assert.match(header ?? '', /^ID +NAME +MODE +REPLICAS +IMAGE +PORTS$/);
    assert.match(row ?? '', /^[0-9a-z]{12} +web +replicated +2\/2 +nginx:latest +\*:80->80\/tcp$/);
    const rows = (await docker('service', 'ps', '--format', '{{ .ID }} ({{ .Name }}): {{ .Node }} {{ .CurrentState }}', 'web')).split('\n');
    assert.equal(rows.length, 2);
    for (const line of rows) assert.match(line, /^[0-9a-z]{12} \(web\.[12]\): \S+ Running (Less than a second|\d+ seconds?) ago$/);
    assert.match(await docker('ps', '--format', '{{.Names}}'), /^web\.[12]\.[0-9a-z]{25}\nweb\.[12]\.[0-9a-z]{25}$/);
  });

  test('the page answers on port 80 of the node', async () => {
    await until('the page answers', async () => (await page(80)).startsWith('page of '));
    const seen = new Set<string>();
    for (let round = 0; round < 20; round++) seen.add(await page(80));
    assert.equal(seen.size, 2, `both tasks serve: ${[...seen].join(', ')}`);
  });

  test('the long form of --publish does the same', async () => {
    await docker('service', 'create', '--quiet', '--name', 'long', '--publish', 'published=8080,target=80', 'nginx');
    await until('the page answers', async () => (await page(8080)).startsWith('page of '));
    assert.equal(await docker('service', 'rm', 'long'), 'long');
  });

  test('scaling to three starts one more', async () => {
    const output = await docker('service', 'scale', 'web=3');
    assert.match(output, /^web scaled to 3\n/);
    assert.match(output, /overall progress: 3 out of 3 tasks/);
    assert.equal(await replicas('web'), '3/3');
    assert.equal((await docker('service', 'ps', '-q', 'web')).split('\n').length, 3);
  });

  test('a drained node loses its tasks, and gets them back when it is active', async () => {
    assert.equal(await docker('node', 'update', '--availability', 'drain', node), node);
    await until('no task runs', async () => (await replicas('web')) === '0/3');
    const rows = (await docker('service', 'ps', '--no-trunc', '--format', '{{.DesiredState}}|{{.CurrentState}}|{{.Error}}', 'web')).split('\n');
    assert.equal(rows.filter((row) => row.startsWith('Shutdown|Shutdown')).length, 3, rows.join('\n'));
    const pending = rows.filter((row) => row.startsWith('Running|Pending'));
    assert.equal(pending.length, 3, rows.join('\n'));
    assert.match(pending[0] ?? '', /\|"no suitable node \(1 node not available for new tasks\)"$/);
    assert.match(await docker('node', 'ls'), /Ready +Drain +Leader/);
    await docker('node', 'update', '--availability', 'active', node);
    await until('all run again', async () => (await replicas('web')) === '3/3');
    await until('the page answers', async () => (await page(80)).startsWith('page of '));
  });

  test('service rm leaves nothing behind', async () => {
    assert.equal(await docker('service', 'rm', 'web'), 'web');
    await until('no container is left', async () => (await docker('ps', '-aq')) === '');
    await until('the port is closed', async () => (await page(80)) === '');
    assert.equal(await docker('service', 'ls', '-q'), '');
    const rules = async () => (await skepd.engine.exec(['nft', 'list', 'ruleset'])).stdout;
    await until('no rule of the port is left', async () => !/\b(tcp|dport)\b[^\n]*\b80\b/.test(await rules()));
    const listening = await skepd.engine.exec(['ss', '-Hltn', 'sport = :80']);
    assert.equal(listening.stdout.trim(), '');
    await until('no network namespace of a task is left', async () => (await skepd.engine.exec(['sh', '-c', 'ls /run/docker/netns'])).stdout.trim() === '');
  });
});
