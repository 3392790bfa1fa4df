// Services on networks, by the real docker CLI: what the data plane is for.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';
import { startClientLoop } from '../walkthrough/client-loop.ts';

let skepd: TestSkepd;

before(async () => {
  skepd = await startSkepd();
  await skepd.engine.exec(['iptables', '-P', 'FORWARD', 'DROP']);
  await skepd.init();
  // A page that says which container answers and whom it sees. httpd serves until it is killed, so that connections are not cut by the signal.
  const script =
    'mkdir -p /www/cgi-bin; printf \'#!/bin/sh\\necho; echo "$(hostname) $REMOTE_ADDR"\\n\' > /www/cgi-bin/who; chmod +x /www/cgi-bin/who; exec httpd -f -p 80 -h /www';
  await skepd.engine.importBusybox('who:1', `CMD ["sh","-c",${JSON.stringify(script)}]`);
  await skepd.docker('network', 'create', '-d', 'overlay', '--attachable', 'app');
  await skepd.docker('network', 'create', '-d', 'overlay', '--attachable', 'other');
  const create = (options: string) =>
    skepd.docker('service', 'create', '--detach=false', '-q', '--no-resolve-image', '--stop-grace-period', '500ms', ...options.split(' '));
  await create('--name web --replicas 3 --network name=app,alias=www -p 8080:80 who:1');
  await create('--name rr --replicas 2 --network app --endpoint-mode dnsrr who:1');
});

after(async () => {
  await skepd.stop();
});

/** Runs a command in a container of its own on a network; resolves with what it printed. */
const on = async (network: string, script: string): Promise<string> => {
  const { stdout, stderr } = await skepd.tryDocker(['run', '--rm', '--network', network, 'who:1', 'sh', '-c', script]);
  return `${stdout}${stderr}`.trim();
};
const distinct = (values: readonly string[]): readonly string[] => [...new Set(values)].sort((a, b) => (a < b ? -1 : 1));

test('a plain container finds a service by its name and its tasks behind the virtual address', async () => {
  const answers = await on('app', 'for i in 1 2 3 4 5 6; do wget -qO- http://web/cgi-bin/who; done');
  assert.equal(distinct(answers.split('\n').map((line) => line.split(' ', 1)[0] ?? '')).length, 3, answers);
  assert.match(await on('app', 'wget -qO- http://www/cgi-bin/who'), /^[0-9a-f]{12} \[::ffff:10\.0\./);
  assert.equal([...(await on('app', 'nslookup -type=a tasks.web')).matchAll(/Address: 10\./g)].length, 3);
  assert.equal([...(await on('app', 'nslookup -type=a rr')).matchAll(/Address: 10\./g)].length, 2);
  assert.match(await on('other', 'wget -qO- http://web/cgi-bin/who'), /bad address/);
});

test('a service reaches itself and others from inside its own tasks', async () => {
  const task = (await skepd.engine.docker('ps', '-q', '--filter', 'label=com.docker.swarm.service.name=web')).split('\n')[0] ?? '';
  for (const name of ['web', 'rr', 'web', 'web'])
    assert.match(await skepd.engine.docker('exec', task, 'wget', '-qO-', `http://${name}/cgi-bin/who`), /^[0-9a-f]{12} \[::ffff:10\./, name);
});

test('a published port answers with the client’s address, and no request is lost by scaling and rolling updates', async () => {
  const { engine } = skepd;
  const url = `http://${engine.address}:8080/cgi-bin/who`;
  const loop = await startClientLoop(engine, url);
  await skepd.docker('service', 'scale', '-d=false', 'web=5');
  await skepd.docker(
    'service',
    'update',
    '-q',
    '--detach=false',
    '--update-parallelism',
    '2',
    '--update-delay',
    '0s',
    '--update-monitor',
    '100ms',
    '--env-add',
    'A=1',
    'web',
  );
  await skepd.docker('service', 'scale', '-d=false', 'web=2');
  const answers = await loop.stop();
  const wrong = answers.filter((line) => !new RegExp(`^[0-9a-f]{12} \\[::ffff:${engine.client.address}\\]$`).test(line));
  assert.deepEqual(wrong, [], `${wrong.length} of ${answers.length} requests`);
  assert.ok(answers.length > 50, `${answers.length} requests`);
});

test('a published port that another program has stays with it, and is said at the task and the node as long as that lasts', async () => {
  const { engine } = skepd;
  const server = await engine.spawnInside([process.execPath, '-e', "require('node:http').createServer((q, s) => s.end('mine')).listen(8383)"]);
  const page = async () => (await engine.client.exec(['curl', '-s', '-m', '3', `http://${engine.address}:8383/cgi-bin/who`])).stdout;
  await until('the other program listens', async () => (await page()) === 'mine');
  await skepd.docker('service', 'create', '-d', '-q', '--no-resolve-image', '--name', 'late', '-p', '8383:80', 'who:1');
  const text = 'published port 8383/tcp already in use by another program on this node: not served here';
  const said = async () => [
    await skepd.docker('service', 'ps', '--no-trunc', '--format', '{{.Error}}', 'late'),
    await skepd.docker('node', 'inspect', 'self', '--format', '{{.Status.Message}}'),
  ];
  await until('both say it', async () => (await said()).join() === `"${text}",${text}`);
  assert.equal(await page(), 'mine');
  server.signal('SIGKILL');
  await until('the port is served', async () => /^[0-9a-f]{12} /.test(await page()), 40_000);
  await until('nobody complains any more', async () => (await said()).join() === ',');
  await skepd.docker('service', 'rm', 'late');
});

test('skepd killed and back: names resolve and ports answer all the while', async () => {
  const { engine } = skepd;
  const task = (await engine.docker('ps', '-q', '--filter', 'label=com.docker.swarm.service.name=rr')).split('\n')[0] ?? '';
  const loop = await startClientLoop(engine, `http://${engine.address}:8080/cgi-bin/who`);
  const asking = engine.docker(
    'exec',
    task,
    'sh',
    '-c',
    'for i in $(seq 1 60); do nslookup -type=a web 127.0.0.11 | grep -q "Address: 10" && echo ok || echo lost; sleep 0.1; done',
  );
  await skepd.stopDaemon('SIGKILL');
  await skepd.startDaemon();
  await until('the node is ready again', async () => (await skepd.docker('node', 'ls', '--format', '{{.Status}}')) === 'Ready');
  assert.deepEqual(distinct((await asking).split('\n')), ['ok']);
  const answers = await loop.stop();
  assert.deepEqual(
    answers.filter((line) => line.startsWith('failed')),
    [],
    `${answers.length} requests`,
  );
});

test('after leaving nothing of the network is left', async () => {
  await skepd.docker('swarm', 'leave', '--force');
  const { engine } = skepd;
  assert.equal((await engine.exec(['ip', 'netns', 'list'])).stdout, '');
  assert.doesNotMatch((await engine.exec(['nft', 'list', 'ruleset'])).stdout, /skep|0x40000000/);
  assert.doesNotMatch((await engine.exec(['ip', 'addr'])).stdout, /169\.254\.53|sk53|swm0/);
  assert.doesNotMatch((await engine.exec(['sh', '-c', 'ps ax -o args'])).stdout, /skep-netd/);
});
