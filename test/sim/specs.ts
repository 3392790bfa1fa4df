// What users of a simulation ask for, and what their containers do.
import type { TaskScript } from '#agent/testing/fake-executor.ts';
import type { Task } from '#domain/objects.ts';
import { DEPENDS_ON_LABEL, dependencyConditions } from '#domain/depends-on.ts';
import type { EndpointSpec, Labels, PortConfig, RestartPolicy, ServiceMode, ServiceSpec, TaskSpec, UpdateConfig } from '#domain/spec.ts';
import { type Chance, hashText } from './chance.ts';

const SECOND_NS = 1_000_000_000;
export const serviceNames = ['api', 'db', 'web', 'job'] as const;
export const zones = ['a', 'b'] as const;

export function randomSpec(name: string, chance: Chance): ServiceSpec {
  const mode = randomMode(chance);
  const isJob = mode.kind.endsWith('-job');
  return {
    name,
    labels: randomDependencies(name, chance),
    mode,
    task: randomTask(chance),
    ...(isJob ? {} : { update: randomUpdate(chance), rollback: randomUpdate(chance), endpoint: randomEndpoint(chance) }),
  };
}

/** Circles come of it, too, and a service that does not exist. */
function randomDependencies(name: string, chance: Chance): Labels {
  if (!chance.happens(0.3)) return {};
  const others = ['nobody', ...serviceNames.filter((other) => other !== name)] as const;
  const how = () => `:${chance.pick(dependencyConditions)}${chance.happens(0.4) ? ':optional' : ''}${chance.happens(0.3) ? ':restart' : ''}`;
  return { [DEPENDS_ON_LABEL]: [chance.pick(others), ...(chance.happens(0.3) ? [chance.pick(others)] : [])].map((other) => other + how()).join(',') };
}

function randomMode(chance: Chance): ServiceMode {
  const kind = chance.pick(['replicated', 'replicated', 'replicated', 'replicated', 'global', 'global', 'replicated-job', 'global-job']);
  if (kind === 'replicated') return { kind, replicas: chance.integer(0, 4) };
  if (kind !== 'replicated-job') return { kind };
  return { kind, maxConcurrent: chance.integer(1, 3), totalCompletions: chance.integer(1, 4) };
}

export function randomTask(chance: Chance): TaskSpec {
  const networks = chance.happens(0.5) ? [{ target: 'back' }] : [];
  const placement = chance.happens(0.15) ? { constraints: [`node.labels.zone==${chance.pick(zones)}`] } : chance.happens(0.1) ? { maxReplicas: 1 } : {};
  return {
    runtime: { kind: 'container', container: { image: `image:${chance.integer(1, 4)}` } },
    restart: randomRestart(chance),
    placement,
    networks,
    ...(chance.happens(0.2) ? { resources: { reservations: { nanoCpus: 1e9, memoryBytes: 2 ** 30 } } } : {}),
    forceUpdate: 0,
  };
}

function randomRestart(chance: Chance): RestartPolicy {
  return {
    condition: chance.pick(['any', 'any', 'any', 'on-failure', 'none']),
    delayNs: chance.pick([0, SECOND_NS, 5 * SECOND_NS]),
    ...(chance.happens(0.2) ? { maxAttempts: chance.integer(1, 3) } : {}),
    ...(chance.happens(0.2) ? { windowNs: 20 * SECOND_NS } : {}),
  };
}

export function randomUpdate(chance: Chance): UpdateConfig {
  return {
    parallelism: chance.pick([1, 1, 2, 0]),
    delayNs: chance.pick([0, 0, 2 * SECOND_NS]),
    failureAction: chance.pick(['pause', 'continue', 'rollback']),
    monitorNs: chance.pick([SECOND_NS, 5 * SECOND_NS]),
    maxFailureRatio: chance.pick([0, 0, 0.5]),
    order: chance.pick(['stop-first', 'stop-first', 'start-first']),
  };
}

function randomEndpoint(chance: Chance): EndpointSpec {
  const mode = chance.pick(['vip', 'vip', 'dnsrr']);
  const ports: PortConfig[] = [];
  const host = chance.happens(0.2);
  // dnsrr services cannot publish through the ingress.
  if (host) ports.push({ protocol: 'tcp', targetPort: 80, publishedPort: 8_080, publishMode: 'host' });
  else if (mode === 'vip' && chance.happens(0.4)) {
    ports.push({ protocol: 'tcp', targetPort: 80, publishMode: 'ingress', ...(chance.happens(0.5) ? { publishedPort: chance.integer(8_000, 8_003) } : {}) });
  }
  return { mode, ports };
}

/** What the container of a task does; it follows from the task's id, so that a restarted agent or engine sees the same. */
export function createScripts(seed: number, areFaultsOn: () => boolean): (task: Task) => TaskScript {
  return (task) => {
    const roll = hashText(`${seed}/${task.id}`);
    const isJob = task.desiredState === 'complete' || task.jobIteration !== undefined;
    const healthy: TaskScript = {
      prepareMs: roll % 300,
      startMs: (roll >>> 4) % 200,
      stopMs: (roll >>> 8) % 2_000,
      ...(roll % 5 === 0 ? { servesAfterMs: (roll >>> 6) % 3_000 } : {}),
      ...(roll % 7 === 0 ? { health: [{ afterMs: (roll >>> 5) % 2_000, verdict: 'healthy' as const }] } : {}),
      ...(isJob ? { exitAfterMs: 500 + ((roll >>> 3) % 5_000), exitCode: 0 } : {}),
    };
    // Ids are random: one task in four has a fault while there are any.
    return areFaultsOn() && roll % 4 === 3 ? { ...healthy, ...fault(roll >>> 12) } : healthy;
  };
}

function fault(roll: number): TaskScript {
  switch (roll % 7) {
    case 0:
      return { prepareError: 'No such image: image:404' };
    case 1:
      return { startError: 'exec: "nothing": executable file not found in $PATH' };
    case 2:
      return { exitAfterMs: roll % 100, exitCode: 1 };
    case 3:
      return { exitAfterMs: 1_000 + (roll % 20_000), exitCode: 2 };
    case 4:
      return { exitAfterMs: 1_000 + (roll % 20_000), exitCode: 0 };
    case 5:
      return { health: [{ afterMs: roll % 3_000, verdict: 'unhealthy' }] };
    default:
      return { stopMs: 15_000, prepareMs: 10_000, servesAfterMs: 30_000 };
  }
}
