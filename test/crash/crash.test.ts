// skepd is killed at random moments while services change and containers start and stop. Afterwards nothing acknowledged is lost, nothing is half
// done, the swarm converges, no container runs twice, those that had no reason to change are the same as before, and nothing is left over.
// SKEP_SEED repeats a run as far as timing allows, SKEP_CRASH_ROUNDS shortens it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startEngine, type TestEngine, until } from '../lib/engine.ts';
import { createLedger, type Ledger } from './changes.ts';
import { createTestDaemon, type TestDaemon } from './daemon.ts';
import { assertAsBefore, takeSnapshot } from './machine.ts';
import { createSeededRandom, seedFromEnvironment } from './seeded-random.ts';

const ROUNDS = Number(process.env['SKEP_CRASH_ROUNDS'] ?? 50);
/** Convergence takes seconds; so it is looked at every so many kills. */
const ROUNDS_PER_CHECK = 10;
const MAX_CHANGES_PER_ROUND = 12;
const INIT_ROUNDS = 8;
const IMAGE = 'crash:1';
/** Ends at once when it is told to, so that rounds are short. */
const COMMAND = `CMD ["sh","-c","trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"]`;

interface Container {
  readonly Id: string;
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>>;
}

interface Task {
  readonly ID: string;
  readonly ServiceID: string;
  readonly DesiredState: string;
  readonly Slot: number;
  readonly Status: { readonly State: string; readonly ContainerStatus?: { readonly ContainerID: string } };
  readonly NetworksAttachments?: readonly { readonly Addresses: readonly string[] }[];
}

test(`skepd killed ${ROUNDS} times while services change`, { timeout: 600_000 }, async (t) => {
  const seed = seedFromEnvironment();
  // At once: a run that hangs must be repeatable, too.
  console.log(`seed ${seed} (SKEP_SEED=${seed} repeats it)`);
  const random = createSeededRandom(seed);
  const engine = await startEngine({ name: 'crash' });
  const daemon = createTestDaemon(engine);
  try {
    await engine.importBusybox(IMAGE, COMMAND);
    // What dockerd makes at its first container belongs to dockerd.
    await engine.docker('run', '--rm', IMAGE, 'true');
    const before = await takeSnapshot(engine);
    await daemon.ready();
    await daemon.must('POST', '/swarm/init', { ListenAddr: '127.0.0.1:0', AdvertiseAddr: engine.address });
    await daemon.must('POST', '/networks/create', { Name: 'mesh', Driver: 'overlay', Attachable: true });
    const ledger = createLedger({ daemon, random, image: IMAGE, network: 'mesh' });
    const steady = await createSteady(engine, daemon);
    for (let round = 1; round <= ROUNDS; round++) {
      await changeUntilKilled(daemon, ledger, random);
      await startAgain(daemon, random);
      await ledger.check();
      assert.deepEqual(await runningContainersOf(engine, steady.id), steady.containers, `round ${round}: untouched containers changed`);
      if (round % ROUNDS_PER_CHECK === 0) await assertConverges(engine, daemon, ledger);
    }
    t.diagnostic(`${ledger.count()} changes acknowledged over ${ROUNDS} kills`);
    await assertConverges(engine, daemon, ledger);
    assert.deepEqual(await runningContainersOf(engine, steady.id), steady.containers);
    await assertEmptiable(engine, daemon, ledger);
    await daemon.must('POST', '/swarm/leave?force=1');
    await daemon.end('SIGTERM');
    // What leaving leaves in general is the matter of test/engine/cleanup.test.ts; here it is what crashes leave.
    await assertAsBefore(engine, before, /docker_gwbridge|docker0|mounts: . \/run\/netns|DOCKER/);
  } catch (error) {
    t.diagnostic(`skepd's last words:\n${daemon.log()}`);
    throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    await engine.stop();
  }
});

test('skepd killed while it makes a swarm: there is one or there is none, and the next attempt works', { timeout: 120_000 }, async () => {
  const seed = seedFromEnvironment();
  console.log(`seed ${seed} (SKEP_SEED=${seed} repeats it)`);
  const random = createSeededRandom(seed);
  const engine = await startEngine({ name: 'crash-init' });
  const daemon = createTestDaemon(engine);
  const init = () => daemon.must('POST', '/swarm/init', { ListenAddr: '127.0.0.1:0', AdvertiseAddr: engine.address });
  try {
    for (let round = 0; round < INIT_ROUNDS; round++) {
      await daemon.ready();
      let acknowledged: string | undefined;
      const request = init().then(
        (id: string) => {
          acknowledged = id;
        },
        () => {},
      );
      await delay(random(500));
      await daemon.end('SIGKILL');
      await request;
      await daemon.ready();
      const { LocalNodeState, NodeID } = (await daemon.must('GET', '/info')).Swarm;
      assert.ok(
        LocalNodeState === 'active' || (LocalNodeState === 'inactive' && acknowledged === undefined),
        `seed ${seed}: ${LocalNodeState}, acknowledged ${acknowledged}`,
      );
      if (acknowledged !== undefined) assert.equal(NodeID, acknowledged);
      if (LocalNodeState === 'inactive') await init();
      await daemon.must('POST', '/services/create', {
        Name: 'probe',
        TaskTemplate: { ContainerSpec: { Image: IMAGE } },
        Mode: { Replicated: { Replicas: 0 } },
      });
      await daemon.must('POST', '/swarm/leave?force=1');
    }
  } catch (error) {
    throw new Error(`${String(error)}\nskepd's last words:\n${daemon.log()}`, { cause: error });
  } finally {
    await engine.stop();
  }
});

/** A service that nobody touches, and its containers once they run. */
async function createSteady(engine: TestEngine, daemon: TestDaemon): Promise<{ readonly id: string; readonly containers: readonly string[] }> {
  const { ID: id } = await daemon.must('POST', '/services/create', {
    Name: 'steady',
    TaskTemplate: { ContainerSpec: { Image: IMAGE }, Networks: [{ Target: 'mesh' }] },
    Mode: { Replicated: { Replicas: 2 } },
  });
  await until('the steady service runs', async () => (await runningTasks(daemon, id)).length === 2, 30_000);
  return { id, containers: await runningContainersOf(engine, id) };
}

async function changeUntilKilled(daemon: TestDaemon, ledger: Ledger, random: (bound: number) => number): Promise<void> {
  let isKilled = false;
  const killed = delay(random(1_200)).then(() => {
    isKilled = true;
    return daemon.end('SIGKILL');
  });
  for (let change = 0; change < MAX_CHANGES_PER_ROUND && !isKilled; change++) {
    try {
      await ledger.change();
    } catch (error) {
      // Only a broken connection is an excuse.
      if (!isKilled) throw error;
    }
    await delay(random(120));
  }
  await killed;
}

/** Every fourth time it is killed once more while it starts. */
async function startAgain(daemon: TestDaemon, random: (bound: number) => number): Promise<void> {
  if (random(4) === 0) {
    await daemon.start();
    await delay(random(900));
    await daemon.end('SIGKILL');
  }
  await daemon.ready();
}

/** All that is wanted runs once, nothing else does, and what the API says is what the engine does. */
async function assertConverges(engine: TestEngine, daemon: TestDaemon, ledger: Ledger): Promise<void> {
  const wanted = new Map([...ledger.expected(), ['steady', 2] as const]);
  const services: { ID: string; Spec: { Name: string } }[] = await daemon.must('GET', '/services');
  assert.deepEqual(services.map(({ Spec }) => Spec.Name).toSorted(), [...wanted.keys()].toSorted());
  let difference = '';
  await until(`the swarm converges`, async () => (difference = await differenceTo(engine, daemon, services, wanted)) === '', 45_000).catch((error: unknown) => {
    throw new Error(`it does not converge: ${difference}`, { cause: error });
  });
  await assertNothingTwice(daemon);
}

async function differenceTo(
  engine: TestEngine,
  daemon: TestDaemon,
  services: readonly { ID: string; Spec: { Name: string } }[],
  wanted: ReadonlyMap<string, number>,
): Promise<string> {
  const [tasks, containers] = [await allTasks(daemon), await swarmContainers(engine)];
  const taskIds = new Set(tasks.map(({ ID }) => ID));
  const serviceIds = new Set(services.map(({ ID }) => ID));
  const orphanTask = tasks.find(({ ServiceID }) => ServiceID && !serviceIds.has(ServiceID));
  if (orphanTask) return `task ${orphanTask.ID} belongs to no service`;
  const orphan = containers.find(({ Labels }) => !taskIds.has(Labels['com.docker.swarm.task.id'] ?? ''));
  if (orphan) return `container ${orphan.Id} (${orphan.State}) belongs to no task`;
  for (const { ID, Spec } of services) {
    const running = tasks.filter(({ ServiceID, Status }) => ServiceID === ID && Status.State === 'running');
    const runningIds = running.map(({ Status }) => Status.ContainerStatus?.ContainerID ?? '').toSorted();
    const inEngine = containers.filter(({ State, Labels }) => State === 'running' && Labels['com.docker.swarm.service.id'] === ID).map(({ Id }) => Id);
    if (running.length !== wanted.get(Spec.Name))
      return `${Spec.Name} has ${running.length} running tasks, not ${wanted.get(Spec.Name)}: ${describe(tasks, ID)}`;
    if (JSON.stringify(inEngine.toSorted()) !== JSON.stringify(runningIds))
      return `${Spec.Name}: tasks run ${runningIds.join()}, the engine ${inEngine.join()}`;
    if (new Set(running.map(({ Slot }) => Slot)).size !== running.length) return `${Spec.Name} has two running tasks in one slot`;
  }
  return '';
}

function describe(tasks: readonly Task[], serviceId: string): string {
  return tasks
    .filter(({ ServiceID }) => ServiceID === serviceId)
    .map(({ ID, Slot, DesiredState, Status }) => `${Slot}/${ID} ${Status.State} → ${DesiredState}`)
    .join(', ');
}

/** No address is held by two tasks that are not over. */
async function assertNothingTwice(daemon: TestDaemon): Promise<void> {
  const holders = new Map<string, string>();
  for (const { ID, Status, NetworksAttachments = [] } of await allTasks(daemon)) {
    if (['complete', 'shutdown', 'failed', 'rejected', 'orphaned', 'remove'].includes(Status.State)) continue;
    for (const address of NetworksAttachments.flatMap(({ Addresses }) => Addresses ?? [])) {
      assert.equal(holders.get(address), undefined, `${address} is held by tasks ${holders.get(address)} and ${ID}`);
      holders.set(address, ID);
    }
  }
}

/** Everything can be removed, and then nothing is left of it. */
async function assertEmptiable(engine: TestEngine, daemon: TestDaemon, ledger: Ledger): Promise<void> {
  await ledger.removeAll();
  await daemon.must('DELETE', '/services/steady');
  await until('no task is left', async () => (await allTasks(daemon)).length === 0, 30_000);
  await until('no container is left', async () => (await swarmContainers(engine)).length === 0, 30_000);
  await daemon.must('DELETE', '/networks/mesh');
}

async function allTasks(daemon: TestDaemon): Promise<readonly Task[]> {
  return daemon.must('GET', '/tasks');
}

async function runningTasks(daemon: TestDaemon, serviceId: string): Promise<readonly Task[]> {
  return (await allTasks(daemon)).filter(({ ServiceID, Status }) => ServiceID === serviceId && Status.State === 'running');
}

/** Asked of the engine itself, not of skepd. */
async function swarmContainers(engine: TestEngine): Promise<readonly Container[]> {
  const lines = await engine.docker(
    'ps',
    '-a',
    '--no-trunc',
    '--filter',
    'label=com.docker.swarm.task.id',
    '--format',
    '{{.ID}}|{{.State}}|{{.Label "com.docker.swarm.task.id"}}|{{.Label "com.docker.swarm.service.id"}}',
  );
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [Id = '', State = '', task = '', service = ''] = line.split('|');
      return { Id, State, Labels: { 'com.docker.swarm.task.id': task, 'com.docker.swarm.service.id': service } };
    });
}

async function runningContainersOf(engine: TestEngine, serviceId: string): Promise<readonly string[]> {
  return (await swarmContainers(engine))
    .filter(({ State, Labels }) => State === 'running' && Labels['com.docker.swarm.service.id'] === serviceId)
    .map(({ Id }) => Id)
    .toSorted();
}
