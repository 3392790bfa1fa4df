// The same skepd on Podman's Docker-compatible socket: what users see is what they see on Docker.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { until } from '../lib/engine.ts';
import { podmanMissing, startPodman } from '../lib/podman.ts';
import { startClientLoop } from '../walkthrough/client-loop.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const IMAGE = 'busybox:podman';
const missing = podmanMissing();

suite('skepd on Podman', { skip: missing ?? false }, () => {
  let skepd: TestSkepd;
  before(async () => {
    const engine = await startPodman();
    try {
      await engine.importBusybox(IMAGE);
      skepd = await startSkepd({ engine });
    } catch (error) {
      await engine.stop();
      throw error;
    }
    await skepd.init();
    await skepd.docker('network', 'create', '--driver', 'overlay', 'inner');
  });
  after(async () => {
    await skepd.stop();
    await skepd.engine.stop();
  });

  const create = (name: string, flags: readonly string[], ...command: string[]) =>
    skepd.docker('service', 'create', '--detach', '--quiet', '--no-resolve-image', '--name', name, ...flags, IMAGE, ...command);

  async function running(name: string): Promise<readonly string[]> {
    const lines = await skepd.docker('service', 'ps', '--no-trunc', '--filter', 'desired-state=running', '--format', '{{.ID}} {{.CurrentState}}', name);
    return lines.split('\n').flatMap((line) => (/ Running /.test(line) ? [line.split(' ')[0] ?? ''] : []));
  }

  const runs = (name: string, count: number) => until(`${name} has ${count} running tasks`, async () => (await running(name)).length === count, 30_000);
  const containerOf = async (name: string) => (await skepd.docker('ps', '-q', '--filter', `label=com.docker.swarm.service.name=${name}`)).split('\n')[0] ?? '';
  const inside = async (name: string, script: string) => skepd.docker('exec', await containerOf(name), 'sh', '-c', script);
  const fetch = (port: number, path = '/') => skepd.engine.client.exec(['curl', '-s', '-m', '3', `http://${skepd.engine.address}:${port}${path}`]);
  const namespaces = async () => (await skepd.engine.exec(['ls', '/run/netns'])).stdout.split('\n').filter((line) => line.startsWith('skep-t-'));

  test('a service has its names, its virtual address, its secret and its published port, and sees its clients’ own address', async () => {
    const secret = await skepd.tryDocker(['secret', 'create', 'key', '-'], { input: 'open sesame' });
    assert.equal(secret.code, 0, secret.stderr);
    const who = '#!/bin/sh\necho Content-type: text/plain; echo; echo $(hostname) $REMOTE_ADDR';
    const script = `mkdir -p /tmp/www/cgi-bin; echo '${who}' > /tmp/www/cgi-bin/who; chmod +x /tmp/www/cgi-bin/who; echo begins; exec httpd -f -p 80 -h /tmp/www`;
    const flags = ['--replicas', '2', '--network', 'inner', '--secret', 'key', '--publish', '18080:80', '--stop-signal', 'SIGKILL'];
    await create('web', flags, 'sh', '-c', script);
    await runs('web', 2);
    const seen = new Set<string>();
    await until('both tasks answer the client', async () => {
      const { stdout } = await fetch(18_080, '/cgi-bin/who');
      if (stdout !== '') seen.add(stdout.trim());
      return seen.size === 2;
    });
    const virtualIp = JSON.parse(await skepd.docker('service', 'inspect', '--format', '{{json .Endpoint.VirtualIPs}}', 'web')) as { Addr: string }[];
    const addresses = virtualIp.map(({ Addr }) => Addr.split('/')[0]);
    const answered = /Address: (\d\S+)/.exec(await inside('web', 'nslookup web'))?.[1];
    assert.ok(addresses.includes(answered), `${answered} of ${addresses.join(' ')}`);
    assert.equal((await inside('web', 'nslookup tasks.web')).match(/^Address: \d/gm)?.length, 2);
    assert.equal(await inside('web', 'cat /run/secrets/key'), 'open sesame');
    for (const line of seen) assert.ok(line.endsWith(`[::ffff:${skepd.engine.client.address}]`), line);
    assert.match(await inside('web', 'wget -q -O - http://web/cgi-bin/who'), /^[0-9a-z]{12} \[::ffff:10\./, 'the virtual address leads to a task');
    assert.match(await inside('web', 'cat /etc/hosts; hostname -i'), /^127\.0\.0\.1\s+localhost\n[^]*\n10\.\d+\.\d+\.\d+$/);
    assert.equal(await skepd.docker('service', 'logs', '--raw', 'web'), 'begins\nbegins');
  });

  test('containers are adopted after a restart of skepd', async () => {
    const containers = await skepd.engine.docker('ps', '-q', '--no-trunc');
    const tasks = await running('web');
    await skepd.stopDaemon('SIGKILL');
    await skepd.startDaemon();
    await runs('web', 2);
    assert.deepEqual(await running('web'), tasks);
    assert.equal(await skepd.engine.docker('ps', '-q', '--no-trunc'), containers);
    assert.match((await fetch(18_080, '/cgi-bin/who')).stdout, /ffff/);
  });

  test('the end of Podman’s service or of skep-netd touches no task, and both are taken up again', async () => {
    const containers = await skepd.engine.docker('ps', '-q', '--no-trunc');
    const tasks = await running('web');
    await skepd.engine.stopDaemon('SIGKILL');
    assert.match((await fetch(18_080, '/cgi-bin/who')).stdout, /ffff/);
    await skepd.engine.startDaemon();
    const netd = (await readFile(join(skepd.stateDirectory, 'network/netd.pid'), 'utf8')).trim();
    await skepd.engine.exec(['kill', '-9', netd]);
    assert.match((await fetch(18_080, '/cgi-bin/who')).stdout, /ffff/);
    await until('names are answered again', async () => /Address: 10\./.test(await inside('web', 'nslookup web || true')));
    await skepd.docker('service', 'scale', '--detach', 'web=3');
    await runs('web', 3);
    assert.deepEqual(
      (await running('web')).filter((id) => tasks.includes(id)),
      tasks,
    );
    for (const id of containers.split('\n')) assert.ok((await skepd.engine.docker('ps', '-q', '--no-trunc')).includes(id));
  });

  test('a rolling update replaces every task and loses no request, and what is over has no namespace any more', async () => {
    const tasks = await running('web');
    const client = await startClientLoop(skepd.engine, `http://${skepd.engine.address}:18080/cgi-bin/who`);
    await skepd.docker('service', 'update', '--detach', '--quiet', '--no-resolve-image', '--env-add', 'ROUND=2', 'web');
    await until(
      'the update is complete',
      async () => (await skepd.docker('service', 'inspect', '--format', '{{.UpdateStatus.State}}', 'web')) === 'completed',
      30_000,
    );
    const answers = await client.stop();
    assert.ok(answers.length > 10);
    assert.deepEqual(
      answers.filter((line) => !/^[0-9a-z]{12} /.test(line)),
      [],
    );
    const now = await running('web');
    assert.ok(!now.some((id) => tasks.includes(id)));
    assert.equal(await inside('web', 'echo $ROUND'), '2');
    await until(
      'only running tasks have namespaces',
      async () =>
        (await namespaces()).sort().join() ===
        now
          .map((id) => `skep-t-${id}`)
          .sort()
          .join(),
    );
    assert.match((await fetch(18_080, '/cgi-bin/who')).stdout, /ffff/);
  });

  test('a task runs once its health check passes, and is replaced when it fails', async () => {
    const flags = [
      '--health-cmd',
      'test -e /tmp/ok',
      '--health-interval',
      '200ms',
      '--health-retries',
      '2',
      '--stop-signal',
      'SIGKILL',
      '--restart-delay',
      '0s',
    ];
    await create('sick', [...flags, '--publish', 'mode=host,published=19000,target=80'], 'sh', '-c', 'exec httpd -f -p 80 -h /var/www');
    await until('the container is there', async () => (await containerOf('sick')) !== '');
    await until(
      'the task is given up',
      async () => (await skepd.docker('service', 'ps', '--no-trunc', '--format', '{{.Error}}', 'sick')).includes('unhealthy'),
      30_000,
    );
    await skepd.docker('service', 'rm', 'sick');
    await create('well', [...flags, '--publish', 'mode=host,published=19001,target=80'], 'sh', '-c', 'touch /tmp/ok; exec httpd -f -p 80 -h /var/www');
    await runs('well', 1);
    assert.equal((await fetch(19_001)).stdout, 'it works\n', 'a port published on this node only answers');
    assert.match(await skepd.docker('service', 'ps', '--format', '{{.Ports}}', 'well'), /\*:19001->80\/tcp/);
    const [task] = await running('well');
    await inside('well', 'rm /tmp/ok');
    await until('another task runs', async () => (await running('well'))[0] !== task, 30_000);
    await skepd.docker('service', 'rm', 'well');
  });

  test('the grace period is kept, and a task keeps its network in it', async () => {
    const script = 'trap "nslookup web > /proc/1/fd/1; echo bye; exit 0" TERM; while :; do sleep 0.1; done';
    await create('slow', ['--network', 'inner', '--stop-grace-period', '10s'], 'sh', '-c', script);
    await runs('slow', 1);
    const follow = await skepd.engine.spawnInside([
      'sh',
      '-c',
      `docker -H unix://${skepd.socket} service logs --raw --follow slow > ${skepd.engine.folder}/slow.log 2>&1`,
    ]);
    await skepd.docker('service', 'scale', '--detach', 'slow=0');
    await until('it has said goodbye', async () => (await skepd.engine.exec(['cat', `${skepd.engine.folder}/slow.log`])).stdout.includes('bye'));
    follow.signal('SIGKILL');
    assert.match((await skepd.engine.exec(['cat', `${skepd.engine.folder}/slow.log`])).stdout, /Name:\s+web/);
    await skepd.docker('service', 'rm', 'slow');
  });

  test('a task on an internal network resolves names and does not get out; one on no network does', async () => {
    await skepd.docker('network', 'create', '--driver', 'overlay', '--internal', 'closed');
    await create('locked', ['--network', 'closed', '--stop-signal', 'SIGKILL'], 'sleep', '1000');
    await create('free', ['--stop-signal', 'SIGKILL'], 'sleep', '1000');
    await Promise.all([runs('locked', 1), runs('free', 1)]);
    const out = `ping -c 1 -W 1 ${skepd.engine.client.address} > /dev/null && echo out || echo in`;
    assert.equal(await inside('free', out), 'out');
    assert.equal(await inside('locked', out), 'in');
    assert.match(await inside('locked', 'nslookup locked'), /Name:\s+locked/);
    await skepd.docker('service', 'rm', 'locked', 'free');
  });

  test('a task on the host’s network, and one with every kind of mount and limit, run', async () => {
    await create('host', ['--network', 'host', '--stop-signal', 'SIGKILL'], 'sleep', '1000');
    const mounts = ['--mount', 'type=volume,source=data,target=/data', '--mount', 'type=tmpfs,target=/scratch', '--read-only'];
    const limits = [
      '--limit-memory',
      '64m',
      '--limit-pids',
      '50',
      '--cap-add',
      'NET_ADMIN',
      '--user',
      'app',
      '--log-driver',
      'json-file',
      '--host',
      'db:10.9.8.7',
    ];
    await create('much', [...mounts, ...limits, '--hostname', 'm-{{.Task.Slot}}', '--stop-signal', 'SIGKILL'], 'sleep', '1000');
    await Promise.all([runs('host', 1), runs('much', 1)]);
    assert.match(await inside('host', 'ip addr'), new RegExp(skepd.engine.address.replaceAll('.', '\\.')));
    assert.match(await inside('much', 'id -u; hostname; grep db /etc/hosts'), /^1000\nm-1\n10\.9\.8\.7\s+db$/);
    const mounted = await inside('much', 'mount');
    assert.match(mounted, / on \/data /);
    assert.match(mounted, / on \/scratch type tmpfs/);
    assert.match(mounted, / on \/ type overlay \(ro,/);
    await skepd.docker('service', 'rm', 'host', 'much');
  });

  test('plain containers work through the proxy, on the engine’s own networks', async () => {
    assert.equal(await skepd.docker('run', '--rm', IMAGE, 'echo', 'hello'), 'hello');
    const piped = await skepd.tryDocker(['run', '--rm', '--interactive', IMAGE, 'cat'], { input: 'through' });
    assert.equal(piped.stdout, 'through');
  });

  test('a plain container on an attachable network reaches services by name, is reached, and gives its address back', async () => {
    await skepd.docker('network', 'create', '--driver', 'overlay', '--attachable', 'open');
    await create('inside', ['--network', 'open', '--stop-signal', 'SIGKILL'], 'httpd', '-f', '-p', '80', '-h', '/var/www');
    await runs('inside', 1);
    const tasks = await namespaces();
    assert.equal(await skepd.docker('run', '--rm', '--network', 'open', IMAGE, 'wget', '-q', '-O', '-', 'http://inside/'), 'it works');
    await skepd.docker('run', '--detach', '--name', 'plain', '--network', 'open', IMAGE, 'httpd', '-f', '-p', '81', '-h', '/var/www');
    const address = /inet (10\.[\d.]+)/.exec(await skepd.docker('exec', 'plain', 'ip', 'addr', 'show', 'eth0'))?.[1];
    await until('the service reaches the container', async () => (await inside('inside', `wget -q -O - http://${address}:81/ || true`)) === 'it works');
    const refused = await skepd.tryDocker(['run', '--rm', '--network', 'open', '--publish', '18099:80', IMAGE, 'true']);
    assert.match(refused.stderr, /can publish no ports/);
    await skepd.docker('rm', '--force', 'plain');
    await until('their namespaces are gone', async () => (await namespaces()).join() === tasks.join());
    await skepd.docker('service', 'rm', 'inside');
  });

  test('leaving the swarm leaves nothing of ours on the node', async () => {
    await skepd.docker('swarm', 'leave', '--force');
    const left = await skepd.engine.exec(['sh', '-c', 'ls /run/netns; ip -o link; ip -o addr show lo; nft list tables; mount; ip rule']);
    assert.doesNotMatch(left.stdout, /skep-t-|skep-gw|skep-\d|sg53|169\.254\.53|table ip skep|\/secrets type tmpfs/);
    assert.equal(await skepd.docker('ps', '-aq', '--filter', 'label=com.docker.swarm.task'), '');
  });
});
