// A swarm whose manager's disk is damaged, and what brings it back, with a real engine: containers must not notice.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createSeededRandom, seedFromEnvironment } from '../crash/seeded-random.ts';
import { until } from '../lib/namespace.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const skepCommand = join(import.meta.dirname, '../../bin/skep');

describe('a manager whose disk is damaged', () => {
  let skepd: TestSkepd;
  let file: string;
  let nodeId: string;
  let containers: readonly string[];

  before(async () => {
    skepd = await startSkepd();
    await skepd.engine.importBusybox('busybox:1');
    nodeId = await skepd.init();
    await skepd.docker('secret', 'create', 'password', '/etc/hostname');
    await skepd.docker('service', 'create', '--quiet', '--name', 'web', '--replicas', '2', '--secret', 'password', '-p', '8080:80', 'busybox:1', 'sleep', '9d');
    containers = await running();
    assert.equal(containers.length, 2);
    file = join(skepd.engine.folder, 'swarm.skep');
    assert.match(await skep('backup', file), /swarm \w+, version \d+/);
  });
  after(() => skepd?.stop());

  function skep(...args: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const env = { ...process.env, DOCKER_HOST: `unix://${skepd.socket}`, DOCKER_CONFIG: skepd.engine.folder };
      execFile(skepCommand, args, { env }, (error, stdout, stderr) => (error === null ? resolve(stdout) : reject(new Error(stderr))));
    });
  }
  const path = (...names: readonly string[]) => join(skepd.stateDirectory, ...names);
  const running = async () => (await skepd.engine.docker('ps', '-q', '--no-trunc')).split('\n').toSorted();
  const state = () => skepd.docker('info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.Error}}');
  /** The swarm works, and the containers are those of before: none was started twice, stopped, or replaced. */
  async function isWhole(): Promise<void> {
    assert.equal(await skepd.docker('info', '--format', '{{.Swarm.NodeID}}'), nodeId);
    await until('both tasks run', async () => (await skepd.docker('service', 'ls', '--format', '{{.Replicas}}')) === '2/2');
    await skepd.docker('config', 'create', `after-${Date.now()}`, '/etc/hostname');
    await until('the node is ready', async () => (await skepd.docker('node', 'ls', '--format', '{{.Status}} {{.ManagerStatus}}')) === 'Ready Leader');
    assert.deepEqual(await running(), containers);
  }

  it('says which file is damaged and which snapshot there is, and is restored from it', async () => {
    await skepd.stopDaemon();
    truncateSync(path('store.db'), Math.floor(statSync(path('store.db')).size / 8_192) * 4_096);
    await skepd.startDaemon();
    const [, snapshot = ''] = /^error the store \S+store\.db is damaged \(.+\); restore .+ \(skep restore --force (\S+)\)$/.exec(await state()) ?? [];
    assert.match(snapshot, /-scheduled\.skep$/, await state());
    await assert.rejects(skep('restore', file), /already part of a swarm\. Use --force/);
    // The snapshot is of the moment when the swarm was made: it is tried last.
    assert.match(await skep('restore', '--force', file), new RegExp(`current node \\(${nodeId}\\) is its only manager`));
    await isWhole();
    assert(readdirSync(path('replaced')).includes('store.db'), 'the damaged file is kept');
    await skep('restore', '--force', file);
    assert(!readdirSync(path()).includes('replaced'));
    await isWhole();
  });

  it('starts, and is restored, when its store is gone or when what it knows of the swarm cannot be read', async () => {
    await skepd.stopDaemon('SIGKILL');
    for (const name of readdirSync(path()).filter((entry) => entry.startsWith('store.db'))) rmSync(path(name));
    await skepd.startDaemon();
    assert.match(await state(), /^error this manager's store is gone from its disk; restore the swarm from a backup/);
    await skep('restore', '--force', file);
    await isWhole();
    await skepd.stopDaemon();
    truncateSync(path('store.db'), 0);
    await skepd.startDaemon();
    assert.match(await state(), /^error this manager's store is there, but holds no swarm/);
    await skep('restore', '--force', file);
    await isWhole();
    await skepd.stopDaemon('SIGKILL');
    writeFileSync(path('swarm.json'), '{"nodeId":');
    await skepd.startDaemon();
    assert.match(await state(), /^error \S+swarm\.json cannot be read \(.+\); restore the swarm from a backup \(skep restore --force FILE\), or leave it/);
    await skep('restore', '--force', file);
    await isWhole();
  });

  it('takes up its containers when everything that the daemon knew is gone', async () => {
    await skepd.stopDaemon('SIGKILL');
    for (const name of readdirSync(path())) if (!name.startsWith('netd')) rmSync(path(name), { recursive: true });
    await skepd.startDaemon();
    assert.match(await state(), /^inactive/);
    await skep('restore', file);
    await isWhole();
  });

  it('has the old state or the new one, whenever it is killed while it restores', async () => {
    const seed = seedFromEnvironment();
    const random = createSeededRandom(seed);
    console.log(`    seed ${seed} (SKEP_SEED=${seed} repeats it)`);
    for (let round = 0; round < 3; round++) {
      const restoring = skep('restore', '--force', file).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 100 + random(400)));
      await skepd.stopDaemon('SIGKILL');
      await restoring;
      await skepd.startDaemon();
      await until('it is active', async () => (await state()) === 'active');
      await isWhole();
      assert(readdirSync(path()).every((name) => name !== 'restored' && name !== 'restored.new'));
    }
  });
});
