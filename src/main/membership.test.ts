import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createCertificateRequest, signCertificateRequest } from '#ca/node-certificate.ts';
import { createRootCa } from '#ca/root.ts';
import type { Control, InitRequest } from '#control/control.ts';
import { defaultClusterSpec } from '#domain/defaults.ts';
import type { EtcdProcess } from '#etcd/process.ts';
import { AppError } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock, createSeededRandom } from '#lib/testing/fake-clock.ts';
import { createUnlockKey, formatUnlockKey } from '#store/seal.ts';
import { type ManagerHandlers, startManagerServer } from '#transport/server.ts';
import { writeDataKey } from './data-key.ts';
import { writeIdentity } from './identity.ts';
import { REMOVED } from './membership-texts.ts';
import { createMembership } from './membership.ts';
import type { NodeFactory, NodeRuntime } from './node-runtime.ts';
import { writeManagers } from './remote-managers.ts';
import { createStateDirectory } from './state-directory.ts';

const request: InitRequest = {
  listenAddr: '0.0.0.0:2377',
  advertiseAddr: '192.0.2.1',
  dataPathAddr: '',
  dataPathPort: 0,
  defaultAddrPool: [],
  subnetSize: 0,
  forceNewCluster: false,
  autoLockManagers: false,
  availability: 'active',
  spec: { ...defaultClusterSpec, name: '' },
};
const join_ = {
  listenAddr: '0.0.0.0:2377',
  advertiseAddr: '',
  dataPathAddr: '',
  availability: 'active',
  joinToken: 'x',
  remoteAddrs: ['192.0.2.2:2377'],
} as const;
const interfaces = () => ({ eth0: [{ address: '192.0.2.1', family: 'IPv4' as const, internal: false, netmask: '', mac: '', cidr: null }] });

/** A membership on a real state directory whose node does nothing but remember what was asked of it. */
function setUp(context: TestContext, path = mkdtempSync(join(tmpdir(), 'skep-membership-')), others: Partial<NodeFactory> = {}) {
  context.after(() => rmSync(path, { recursive: true, force: true }));
  const directory = createStateDirectory(path);
  const asked: string[] = [];
  let failure: Error | undefined;
  let noEngine = false;
  const nodes: NodeFactory = {
    level: 1,
    async startManager({ swarm, dataKey, founding }) {
      asked.push(founding === undefined ? 'start' : 'found');
      if (failure !== undefined) throw failure;
      if (founding !== undefined) {
        writeDataKey(directory.dataKeyFile, dataKey, undefined);
        directory.writeSwarm(swarm);
      }
      return {
        manager: {
          control: { nodes: { list: () => [] } } as unknown as Control,
          dataKey,
          backups: {
            make: () => Promise.reject(new Error('not asked for')),
            snapshots: { take: () => Promise.reject(new Error('not asked for')), run: async () => {} },
            lockSnapshots: async () => {},
          },
          trouble: () => undefined,
          resign: async () => {},
        },
        managers: () => [],
        dnsAddress: '169.254.53.53',
        ready: async () => {},
        logs: async function* () {},
        stop: async () => void asked.push('stop'),
      };
    },
    startWorker: () => Promise.reject(new Error('not asked for')),
    joinManagers: () => Promise.reject(new Error('not asked for')),
    removeAll: async () => void asked.push('remove'),
    ...others,
  };
  const clock = createFakeClock();
  const membership = createMembership({
    directory,
    nodes,
    interfaces,
    engineAnswers: async () => {
      if (noEngine) throw new AppError('unavailable', 'Cannot connect to the Docker engine');
    },
    defaults: { listenAddr: '', advertiseAddr: '', dataPathAddr: '', dataPathPort: 0, defaultAddrPools: [] },
    clock,
    random: createSeededRandom(3),
    log: silentLogger,
  });
  return { path, clock, directory, membership, asked, fail: (error: Error) => (failure = error), loseEngine: () => (noEngine = true) };
}

test('a node without a swarm says so, in the words of Docker', async (context) => {
  const { membership } = setUp(context);
  await membership.resume();
  assert.equal(membership.info().state, 'inactive');
  assert.throws(() => membership.control(), { code: 'unavailable', message: /^This node is not a swarm manager. Use "docker swarm init"/ });
  await assert.rejects(membership.leave(false), { code: 'unavailable', message: 'This node is not part of a swarm' });
  await assert.rejects(membership.unlock('x'), { message: /^This node is not a swarm manager/ });
});

test('init makes a swarm once; leaving needs force and leaves an empty state directory', async (context) => {
  const { membership, directory, asked } = setUp(context);
  const id = await membership.init(request);
  assert.equal(directory.readSwarm()?.nodeId, id);
  assert.equal(directory.readSwarm()?.dataPathPort, 4789);
  await assert.rejects(membership.init(request), { code: 'unavailable', message: /already part of a swarm/ });
  await assert.rejects(membership.join(join_), { code: 'unavailable', message: /already part of a swarm/ });
  await assert.rejects(membership.leave(false), { message: /Removing the last manager erases all current state/ });
  await membership.leave(true);
  assert.deepEqual(asked, ['found', 'stop', 'remove']);
  assert.equal(directory.readSwarm(), undefined);
  assert(!existsSync(directory.dataKeyFile));
});

test('an init that fails leaves nothing behind', async (context) => {
  const { membership, directory, fail } = setUp(context);
  fail(new Error('no engine'));
  await assert.rejects(membership.init(request), /no engine/);
  assert.equal(membership.info().state, 'inactive');
  assert.equal(directory.readSwarm(), undefined);
});

test('a node whose engine does not answer is not made a member', async (context) => {
  const { membership, asked, loseEngine } = setUp(context);
  loseEngine();
  await assert.rejects(membership.init(request), { code: 'unavailable', message: 'Cannot connect to the Docker engine' });
  assert.deepEqual([membership.info().state, asked], ['inactive', []]);
});

test('bad requests are refused before anything is made', async (context) => {
  const { membership, asked } = setUp(context);
  await assert.rejects(membership.init({ ...request, dataPathPort: 80 }), { message: 'Datapath port number is not in valid range (1024-49151) : 80' });
  await assert.rejects(membership.init({ ...request, subnetSize: 30 }), { message: 'subnet size is out of range: 30' });
  await assert.rejects(membership.init({ ...request, defaultAddrPool: ['abc'] }), { message: 'invalid base pool abc: invalid CIDR address: abc' });
  await assert.rejects(membership.init({ ...request, defaultAddrPool: ['10.0.0.0/25'] }), {
    message: 'invalid CIDR: "10.0.0.0/25". Subnet size is too small for pool: 24',
  });
  await assert.rejects(membership.init({ ...request, defaultAddrPool: ['10.0.0.0/8', 'fd00::/80'] }), {
    message: 'invalid CIDR: "fd00::/80". Subnet size is too small for pool: 64',
  });
  await assert.rejects(membership.init({ ...request, spec: { ...defaultClusterSpec, name: 'mine' } }), { message: 'swarm spec must be named "default"' });
  await assert.rejects(membership.join({ ...join_, remoteAddrs: [] }), { message: 'at least 1 RemoteAddr is required to join' });
  await assert.rejects(membership.join(join_), { message: 'invalid join token' });
  assert.deepEqual(asked, []);
});

test('a daemon resumes what it was, also in the middle of leaving', async (context) => {
  const first = setUp(context);
  const id = await first.membership.init(request);
  await first.membership.stop();
  const second = setUp(context, first.path);
  await second.membership.resume();
  assert.deepEqual(second.asked, ['start']);
  const swarm = second.directory.readSwarm();
  assert.equal(swarm?.nodeId, id);
  if (swarm !== undefined) second.directory.writeSwarm({ ...swarm, leaving: true });
  const third = setUp(context, first.path);
  await third.membership.resume();
  assert.deepEqual([third.membership.info().state, third.asked], ['inactive', ['remove']]);
  assert.equal(third.directory.readSwarm(), undefined);
});

test('a locked node stays locked until it gets its key', async (context) => {
  const first = setUp(context);
  await first.membership.init(request);
  const unlockKey = createUnlockKey(createSeededRandom(1));
  rmSync(first.directory.dataKeyFile);
  writeDataKey(first.directory.dataKeyFile, new Uint8Array(32).fill(7), unlockKey);
  const second = setUp(context, first.path);
  await second.membership.resume();
  assert.equal(second.membership.info().state, 'locked');
  assert.throws(() => second.membership.control(), { message: /Swarm is encrypted and needs to be unlocked/ });
  await assert.rejects(second.membership.leave(false), { message: /Swarm is encrypted and locked/ });
  await assert.rejects(second.membership.unlock('nonsense'), { code: 'invalidArgument', message: 'invalid key string' });
  const wrong = formatUnlockKey(createUnlockKey(createSeededRandom(2)));
  await assert.rejects(second.membership.unlock(wrong), { code: 'unauthenticated', message: 'swarm could not be unlocked: invalid key provided' });
  for (let tries = 2; tries <= 10; tries++) await assert.rejects(second.membership.unlock(wrong), { code: 'unauthenticated' });
  await assert.rejects(second.membership.unlock(formatUnlockKey(unlockKey)), { message: 'too many wrong unlock keys: try again in 2 s' });
  await second.clock.advance(2_000);
  await second.membership.unlock(formatUnlockKey(unlockKey));
  assert.deepEqual(second.asked, ['start']);
  await assert.rejects(second.membership.unlock(formatUnlockKey(unlockKey)), { code: 'conflict', message: 'swarm is not locked' });
});

test('a node that cannot start says why and may still leave', async (context) => {
  const first = setUp(context);
  await first.membership.init(request);
  const second = setUp(context, first.path);
  second.fail(new Error('the store is damaged'));
  await second.membership.resume();
  assert.deepEqual([second.membership.info().state, second.membership.info().error], ['error', 'the store is damaged']);
  await second.membership.leave(true);
  assert.equal(second.membership.info().state, 'inactive');
});

/** A manager of several, at whose next start something is amiss. */
async function manager(context: TestContext): Promise<string> {
  const { membership, path } = setUp(context);
  await membership.init(request);
  await membership.stop();
  writeManagers(path, [{ nodeId: 'other', address: '192.0.2.2:2377' }]);
  return path;
}

test('a manager that is being healed can be left: nothing of that goes on', async (context) => {
  let othersAreThere = false;
  let isEnded = false;
  const { membership, clock, asked, directory } = setUp(context, await manager(context), {
    async startManager({ joined, signal }) {
      if (joined === undefined) throw new AppError('dataLoss', 'the log is gone');
      await clock.sleep(3_600_000, signal).finally(() => (isEnded = true));
      return assert.fail('started');
    },
    async joinManagers() {
      if (!othersAreThere) throw new AppError('unavailable', 'too few');
      return { dataKey: new Uint8Array(32), etcd: {} as EtcdProcess };
    },
  });
  const resumed = membership.resume();
  await clock.advance(10_000);
  await resumed;
  assert.deepEqual([membership.info().state, isEnded], ['error', false]);
  othersAreThere = true;
  await clock.advance(5_000);
  assert.equal(membership.info().state, 'pending');
  await membership.leave(true);
  assert.deepEqual([membership.info().state, isEnded, asked, directory.readSwarm()], ['inactive', true, ['remove'], undefined]);
});

test('a manager that waits for the others says so after a while; one that only takes long to start does not', async (context) => {
  for (const isWaiting of [true, false]) {
    const { membership, clock } = setUp(context, await manager(context), {
      async startManager({ signal, onWait }) {
        await clock.sleep(15_000, signal);
        if (isWaiting) onWait?.('too few members');
        await clock.sleep(3_600_000, signal);
        return assert.fail('started');
      },
    });
    const resumed = membership.resume();
    await clock.advance(10_000);
    await resumed;
    assert.equal(membership.info().state, 'pending');
    await clock.advance(5_000);
    assert.deepEqual([membership.info().state, membership.info().error], isWaiting ? ['error', 'too few members'] : ['pending', '']);
    await membership.leave(true);
  }
});

test('a manager that has waited for the others and then cannot start says why it cannot', async (context) => {
  const { membership } = setUp(context, await manager(context), {
    async startManager({ onWait }) {
      onWait?.('too few members');
      throw new AppError('failedPrecondition', 'this skepd is older');
    },
  });
  await membership.resume();
  assert.deepEqual([membership.info().state, membership.info().error], ['error', 'this skepd is older']);
});

test('a manager whose damage shows while it runs begins anew, also when it does not stop in order, and is a member all the while', async (context) => {
  let damage = () => {};
  let starts = 0;
  const seen: string[] = [];
  const path = await manager(context);
  const { membership, clock } = setUp(context, path, {
    async startManager({ swarm, dataKey, onDamage }) {
      assert.equal(swarm.nodeId, createStateDirectory(path).readSwarm()?.nodeId);
      starts++;
      seen.push(membership.info().state);
      damage = onDamage;
      return {
        manager: { control: { nodes: { list: () => [] } } as unknown as Control, dataKey } as unknown as NonNullable<NodeRuntime['manager']>,
        managers: () => [],
        dnsAddress: '',
        ready: async () => {},
        logs: async function* () {},
        stop: () => (starts === 1 ? Promise.reject(new Error('its store does not answer')) : Promise.resolve()),
      };
    },
  });
  await membership.resume();
  damage();
  await clock.settle();
  assert.deepEqual([starts, seen], [2, ['pending', 'active']]);
});

test('a manager that was removed altogether while it was away says so, and can be left', async (context) => {
  const path = await manager(context);
  const directory = createStateDirectory(path);
  const root = await createRootCa({ now: Date.now() });
  const identityOf = async (nodeId: string) => {
    const { request: certificateRequest, key } = await createCertificateRequest();
    const certificate = await signCertificateRequest(root, certificateRequest, { nodeId, role: 'manager', clusterId: 'c' }, { now: Date.now() });
    return { roots: root.certificate, certificate, key };
  };
  const refuse = () => Promise.reject(new AppError('permissionDenied', 'this node is not part of the swarm any more'));
  const server = await startManagerServer({
    host: '127.0.0.1',
    port: 0,
    tls: await identityOf('other'),
    handlers: { issueCertificate: refuse } as unknown as ManagerHandlers,
    log: silentLogger,
  });
  context.after(() => server.close());
  writeIdentity(directory.certificateFolder, await identityOf(directory.readSwarm()?.nodeId ?? ''));
  writeManagers(path, [{ nodeId: 'other', address: `127.0.0.1:${server.port}` }]);
  const { membership, clock } = setUp(context, path, { startManager: () => Promise.reject(new AppError('failedPrecondition', REMOVED)) });
  void membership.resume();
  while (membership.info().state !== 'error') await setImmediate();
  assert.equal(membership.info().error, `${REMOVED}: this node is not part of the swarm any more`);
  await clock.advance(10_000);
  await membership.leave(true);
  assert.equal(membership.info().state, 'inactive');
});
