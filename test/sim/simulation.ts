// One whole swarm in one process from one seed: first everything goes wrong while users act, and nothing that must hold may break; then nothing goes
// wrong any more, and everything must come to rest as users want it.
import type { Cluster, Network, Node, StoreObject } from '#domain/objects.ts';
import { defaultClusterSpec } from '#domain/defaults.ts';
import { activateAllNodes, actAsUser } from './actions.ts';
import { createChance, type Chance } from './chance.ts';
import { createTimeline, type Timeline } from './clock.ts';
import { createFaults } from './faults.ts';
import { createInvariants, type Invariants } from './invariants.ts';
import { whatIsMissing } from './liveness.ts';
import { createSimulatedManager, type SimulatedManager } from './manager.ts';
import { addressOf, createSimulatedNode, type SimulatedNode } from './node.ts';
import { createScripts } from './specs.ts';
import { createTrace, type Trace } from './trace.ts';

export interface SimulationResult {
  readonly seed: number;
  readonly hash: string;
  readonly violations: readonly string[];
  readonly commits: number;
  readonly simulatedMs: number;
}

/** Node down, restart delays, waits for what does not stop, updates slot by slot: all of it several times over. */
const MAX_RECOVERY_MS = 1_200_000;
const RECOVERY_STEP_MS = 5_000;
/** All is well when nothing was missing and nothing changed for so long. */
const REST_MS = 90_000;

export async function simulate(seed: number, print?: (line: string) => void): Promise<SimulationResult> {
  const timeline = createTimeline();
  const chance = createChance(seed);
  const trace = createTrace(() => timeline.now(), print);
  const startedAt = timeline.now();
  const swarm = createSwarm({ seed, timeline, chance, trace });
  await swarm.manager.start();
  for (const node of swarm.nodes) node.start();
  await troubledTimes(swarm);
  if (trace.violations.length === 0) await quietTimes(swarm);
  swarm.manager.crash();
  for (const node of swarm.nodes) node.crash();
  return { seed, hash: trace.hash(), violations: trace.violations, commits: swarm.invariants.commits, simulatedMs: timeline.now() - startedAt };
}

interface Swarm {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly manager: SimulatedManager;
  readonly nodes: readonly SimulatedNode[];
  readonly invariants: Invariants;
  readonly faults: { on: boolean };
}

function createSwarm({
  seed,
  timeline,
  chance,
  trace,
}: {
  readonly seed: number;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly trace: Trace;
}): Swarm {
  const faults = { on: true };
  const count = chance.integer(1, 5);
  const invariants: Invariants = createInvariants({ trace, now: () => manager.clock.now() });
  const manager: SimulatedManager = createSimulatedManager({
    timeline,
    chance: chance.fork('manager'),
    trace,
    objects: initialObjects(count, chance),
    onStart: (store) => invariants.watch(store),
    onCommit: () => invariants.noteCommit(),
    isReachable: (nodeId) => nodes.some(({ id, link }) => id === nodeId && !link.isCut),
  });
  const scriptFor = createScripts(seed, () => faults.on);
  const nodes = Array.from({ length: count }, (_, position): SimulatedNode => {
    const index = position + 1;
    const id = `node${index}`;
    const node: SimulatedNode = createSimulatedNode({
      id,
      index,
      timeline,
      chance: chance.fork(id),
      trace,
      manager: () => manager.running,
      scriptFor,
      onStop: (nodeId, taskId) => invariants.noteStop(nodeId, taskId, node.engine),
      onStarted: (nodeId, taskId) => invariants.noteStarted(nodeId, taskId, node.engine),
    });
    // Clocks of nodes differ, and never go back.
    node.clock.moveBy(chance.pick([0, 0, 0, -3_600_000, -5_000, 5_000]));
    return node;
  });
  return { timeline, chance, trace, manager, nodes, invariants, faults };
}

/** Users and faults take turns at random moments. Some simulations have only users, so that a violation is easier to understand. */
async function troubledTimes({ timeline, chance, trace, manager, nodes }: Swarm): Promise<void> {
  const faults = createFaults({ chance: chance.fork('faults'), trace, timeline, manager, nodes });
  const user = { chance: chance.fork('user'), trace, manager: () => manager.running };
  const faultShare = chance.pick([0, 0.3, 0.5, 0.7, 0.9]);
  for (let steps = chance.integer(10, 60); steps > 0 && trace.violations.length === 0; steps--) {
    if (chance.happens(faultShare)) await faults.inject();
    // A use case may wait for a commit: it goes on while time does.
    else void actAsUser(user).catch((error: unknown) => trace.violation(String(error)));
    // The worst moment to crash is the middle of what a user has set off.
    if (faultShare > 0 && chance.happens(0.1)) timeline.schedule(chance.integer(0, 300), () => faults.crashSomething());
    await timeline.advance(chance.pick([0, 50, 500, 2_000, 5_000, 15_000]));
  }
  await faults.endAll();
}

async function quietTimes({ timeline, trace, manager, nodes, invariants, faults }: Swarm): Promise<void> {
  faults.on = false;
  const { running } = manager;
  if (running === undefined) return trace.violation('the manager does not run');
  await timeline.advance(RECOVERY_STEP_MS);
  const activation = activateAllNodes(running).catch((error: unknown) => trace.violation(String(error)));
  let missing: readonly string[] = [];
  let restedMs = 0;
  for (let waitedMs = 0; waitedMs < MAX_RECOVERY_MS && restedMs < REST_MS && trace.violations.length === 0; waitedMs += RECOVERY_STEP_MS) {
    const before = invariants.commits;
    await timeline.advance(RECOVERY_STEP_MS);
    missing = whatIsMissing(running.store.view, nodes);
    restedMs = missing.length === 0 && invariants.commits === before ? restedMs + RECOVERY_STEP_MS : 0;
  }
  await activation;
  for (const text of missing) trace.violation(text);
  if (restedMs < REST_MS) trace.violation(`it does not come to rest within ${MAX_RECOVERY_MS / 1_000} s`);
}

const meta = { version: 0, createdAt: 0, updatedAt: 0 };

function initialObjects(count: number, chance: Chance): readonly StoreObject[] {
  const cluster: Cluster = {
    ...meta,
    kind: 'cluster',
    id: 'cluster',
    spec: { ...defaultClusterSpec, orchestration: { taskHistoryRetentionLimit: chance.pick([0, 1, 5, 5, -1]) } },
    rootCa: { certificate: '', sealedKey: '' },
    sealedJoinTokens: { worker: '', manager: '' },
    defaultAddressPools: ['10.0.0.0/16'],
    subnetSize: 24,
    dataPathPort: 4_789,
    rootRotationInProgress: false,
  };
  const nodes = Array.from({ length: count }, (_, position) => initialNode(position + 1));
  return [cluster, ...nodes, network('ingress', true), network('back', false)];
}

function initialNode(index: number): Node {
  return {
    ...meta,
    kind: 'node',
    id: `node${index}`,
    index,
    role: 'worker',
    spec: { labels: { zone: index % 2 === 0 ? 'a' : 'b' }, role: 'worker', availability: 'active' },
    status: { state: 'unknown', address: addressOf(index) },
  };
}

function network(name: string, ingress: boolean): Network {
  const spec = { name, labels: {}, driver: { name: 'overlay' }, ipv6: false, internal: false, attachable: false, ingress, scope: 'swarm' };
  return { ...meta, kind: 'network', id: `network-${name}`, spec };
}
