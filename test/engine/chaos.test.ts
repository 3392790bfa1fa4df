// What skepd and skep-netd outlive: an engine that breaks everything at random, clients that say nonsense and leave in the middle, and no file descriptor to spare. The same processes serve
// on afterwards, with no more files open than before. SKEP_SEED repeats what the engine does, SKEP_CHAOS_MS lets it last.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createSeededRandom, seedFromEnvironment } from '../crash/seeded-random.ts';
import { type ChaosEngine, startChaosEngine } from '../lib/chaos-engine.ts';
import { startEngine, until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const IMAGE = 'busybox:chaos';
const STORM_MS = Number(process.env['SKEP_CHAOS_MS'] ?? 6_000);
/** Connections that are kept for the next request, and what is asked for just then. */
const SPARE_FILES = 25;
/** So many are held while no file descriptor is left. */
const HOLDERS = 80;

/** What nobody should say to a port of ours. */
const nonsense: readonly (string | Buffer)[] = [
  '\r\n\r\n',
  'GET',
  'GET / HTTP/1.1\r\n',
  `GET /info HTTP/1.1\r\nHost: d\r\nX: ${'x'.repeat(2_000_000)}`,
  'GET /%ff%fe/\xff HTTP/1.1\r\nHost: d\r\n\r\n',
  'POST /services/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n\xff\xfe{"a\xc3\x28"}',
  'POST /services/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  'POST /build HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf',
  'POST /session HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  'POST /v9.99/containers/a/attach HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
  'POST /containers/none/attach?stream=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
  'POST /exec/none/start HTTP/1.1\r\nHost: d\r\nContent-Length: 2\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n{}',
  'GET /events HTTP/1.1\r\nHost: d\r\n\r\n',
  'GET // HTTP/1.1\r\nHost: d\r\n\r\n',
  'CONNECT a:1 HTTP/1.1\r\nHost: d\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  Buffer.from('16030100f1010000ed0303', 'hex'),
  randomBytes(10_000),
];

/** The same at ports inside the node: each is dialled, told something, and left in one of several ways. */
const INSIDE = `
const net = require('node:net'), tls = require('node:tls'), dgram = require('node:dgram');
const [address, plugin] = process.argv.slice(1);
const bytes = require('node:crypto').randomBytes;
const places = [{ host: address, port: 2377 }, { host: '169.254.53.53', port: 53 }, { path: plugin }];
const udp = dgram.createSocket('udp4').on('error', () => {});
for (let round = 0; round < 60; round++) {
  for (const place of places) {
    const socket = net.connect(place).on('error', () => {});
    socket.on('connect', () => {
      socket.write([bytes(50), Buffer.from('GET / HTTP/1.1\\r\\n\\r\\n'), Buffer.from([0, 5, 1, 2]), Buffer.from([255, 255])][round % 4]);
      setTimeout(() => [() => socket.destroy(), () => socket.end(), () => place.port && socket.resetAndDestroy()][round % 3](), round);
    });
  }
  const strange = tls.connect({ host: address, port: 2377, rejectUnauthorized: false, ALPNProtocols: ['h2'] }).on('error', () => {});
  strange.on('secureConnect', () => { strange.write(round % 2 ? bytes(500) : 'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'); setTimeout(() => strange.destroy(), round); });
  udp.send(bytes(1 + round * 8), 53, '169.254.53.53');
}
setTimeout(() => process.exit(0), 1500);
`;

describe('daemons whose surroundings break', () => {
  const seed = seedFromEnvironment();
  const random = createSeededRandom(seed);
  const chance = () => random(1_000_000) / 1_000_000;
  let skepd: TestSkepd;
  let chaos: ChaosEngine;

  before(async () => {
    console.log(`SKEP_SEED=${seed}`);
    const engine = await startEngine({ name: 'chaos' });
    try {
      await engine.importBusybox(IMAGE, 'CMD ["sh","-c","while :; do date; sleep 1; done"]');
      chaos = await startChaosEngine({ upstream: engine.socket, socket: join(engine.folder, 'chaos.sock'), random: chance });
      skepd = await startSkepd({ engine, args: ['--engine', `unix://${chaos.socket}`] });
      await skepd.init();
      await skepd.docker('service', 'create', '-d', '--name', 'web', '--replicas', '2', '--publish', '8080:80', '--stop-grace-period', '0s', IMAGE);
      await converged();
    } catch (error) {
      await engine.stop();
      throw error;
    }
  });

  after(async () => {
    try {
      await skepd.stop();
    } finally {
      await chaos.stop();
      await skepd.engine.stop();
    }
  });

  const pidIn = async (file: string) => (await skepd.engine.exec(['cat', join(skepd.stateDirectory, file)])).stdout.trim();
  const pids = async () => [await pidIn('skepd.pid'), await pidIn('network/netd.pid')] as const;
  const filesOf = async (pid: string) => Number((await skepd.engine.exec(['sh', '-c', `ls /proc/${pid}/fd | wc -l`])).stdout);
  const converged = () =>
    until('all tasks run', async () => (await skepd.tryDocker(['service', 'ls', '--format', '{{.Replicas}}'])).stdout.trim() === '2/2', 60_000);

  /** One connection that says one thing and goes, in one way or another. */
  async function sayNonsense(path: string, bytes: string | Buffer): Promise<void> {
    const socket = connect({ path, allowHalfOpen: true });
    socket.on('error', () => {});
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    await delay(chance() * 200);
    if (chance() < 0.5) socket.destroy();
    else socket.end();
    await delay(50);
    socket.destroy();
  }

  /** A request whose answer, of whatever kind, is read for a moment. */
  function askAndLeave(method: string, path: string): Promise<void> {
    return new Promise((resolve) => {
      const outgoing = request({ socketPath: skepd.socket, method, path }, (response) => response.on('error', () => {}).resume());
      outgoing.on('error', () => {});
      outgoing.once('close', () => resolve());
      outgoing.end();
      setTimeout(() => outgoing.destroy(), 100 + chance() * 1_500);
    });
  }

  async function pester(untilMs: number): Promise<void> {
    const paths = [
      '/info',
      '/version',
      '/_ping',
      '/containers/json',
      '/images/json',
      '/events',
      '/services',
      '/tasks',
      '/services/web/logs?stdout=1&follow=1',
      '/networks',
      '/system/df',
    ];
    while (performance.now() < untilMs) {
      await Promise.all([
        ...Array.from({ length: 4 }, () => askAndLeave('GET', paths[random(paths.length)] ?? '/info')),
        sayNonsense(skepd.socket, nonsense[random(nonsense.length)] ?? ''),
        sayNonsense(join(skepd.stateDirectory, 'netd.sock'), nonsense[random(nonsense.length)] ?? ''),
      ]);
    }
  }

  async function useDocker(untilMs: number): Promise<void> {
    while (performance.now() < untilMs) {
      const { stdout } = await skepd.engine.tryDocker(['ps', '-q', '--filter', 'label=com.docker.swarm.service.name=web']);
      const [container = 'none'] = stdout.split('\n');
      const commands = [
        ['exec', container, 'echo', 'here'],
        ['logs', '-f', container],
        ['attach', '--no-stdin', container],
        ['run', '--rm', IMAGE, 'echo', 'ran'],
        ['service', 'update', '-d', '--force', 'web'],
      ];
      await skepd.tryDocker(commands[random(commands.length)] ?? [], { timeoutMs: 1_500 }).catch(() => {});
    }
  }

  it('serve on after an engine and clients that do everything wrong', async () => {
    const before = await pids();
    const files = await Promise.all(before.map(filesOf));
    const plugin = '/run/docker/plugins/skep.sock';
    chaos.storm();
    const untilMs = performance.now() + STORM_MS;
    await Promise.all([pester(untilMs), useDocker(untilMs), skepd.engine.exec([process.execPath, '-e', INSIDE, skepd.engine.address, plugin])]);
    chaos.calm();
    assert(Object.keys(chaos.done).length >= 4, JSON.stringify(chaos.done));
    await converged();
    assert.equal(await skepd.docker('run', '--rm', IMAGE, 'echo', 'all is well'), 'all is well');
    assert.deepEqual(await pids(), before, await skepd.daemonLog(5));
    for (const [index, pid] of before.entries())
      await until(`process ${pid} has its files closed`, async () => (await filesOf(pid)) <= (files[index] ?? 0) + SPARE_FILES);
  });

  it('serve on after there was no file descriptor left', async () => {
    const before = await pids();
    const files = await Promise.all(before.map(filesOf));
    const limit = (pid: string, count: number) => skepd.engine.exec(['prlimit', '--pid', pid, `--nofile=${count}:`]);
    for (const [index, pid] of before.entries()) await limit(pid, (files[index] ?? 0) + 4);
    const holders = [skepd.socket, join(skepd.stateDirectory, 'netd.sock')].flatMap((path) =>
      Array.from({ length: HOLDERS }, () => connect({ path }).on('error', () => {})),
    );
    await Promise.all([
      pester(performance.now() + 2_500),
      skepd.engine.exec([process.execPath, '-e', INSIDE, skepd.engine.address, '/run/docker/plugins/skep.sock']),
    ]);
    for (const socket of holders) socket.destroy();
    for (const pid of before) await limit(pid, 65_536);
    await until('skepd answers', async () => (await skepd.http('GET', '/info').catch(() => undefined))?.status === 200);
    assert.equal(await skepd.docker('run', '--rm', IMAGE, 'echo', 'all is well'), 'all is well');
    await converged();
    assert.deepEqual(await pids(), before, await skepd.daemonLog(5));
    for (const [index, pid] of before.entries())
      await until(`process ${pid} has its files closed`, async () => (await filesOf(pid)) <= (files[index] ?? 0) + SPARE_FILES);
  });
});
