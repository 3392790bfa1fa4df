// What users do in a simulation, through the same use cases as the API.
import type { Service } from '#domain/objects.ts';
import type { ServiceSpec } from '#domain/spec.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Chance } from './chance.ts';
import type { RunningManager } from './manager.ts';
import { randomSpec, randomTask, randomUpdate, serviceNames, zones } from './specs.ts';
import type { Trace } from './trace.ts';

export interface UserOptions {
  readonly chance: Chance;
  readonly trace: Trace;
  readonly manager: () => RunningManager | undefined;
}

/** One thing that some user does now. What is refused is refused; only an error that no user should see is a violation. */
export async function actAsUser({ chance, trace, manager }: UserOptions): Promise<void> {
  const running = manager();
  if (running === undefined) return;
  const [what, action] = chooseAction(running, chance);
  trace.note(`user: ${what}`);
  try {
    await action();
  } catch (error) {
    if (!(error instanceof AppError)) trace.violation(`${what} threw ${errorMessage(error)}`);
    trace.note(`user: refused, ${errorMessage(error)}`);
  }
}

type Action = readonly [string, () => Promise<unknown>];

function chooseAction(manager: RunningManager, chance: Chance): Action {
  const services = [...manager.store.view.list('service')];
  const service = chance.pickSome(services);
  if (service === undefined || (services.length < serviceNames.length && chance.happens(0.35))) return create(manager, chance);
  const roll = chance.integer(0, 99);
  if (roll < 25) return updateImage(manager, service, chance);
  if (roll < 45) return scale(manager, service, chance);
  if (roll < 55) return updateSettings(manager, service, chance);
  if (roll < 65) return rollBack(manager, service);
  if (roll < 75) return remove(manager, service);
  return changeNode(manager, chance);
}

function create({ control, store }: RunningManager, chance: Chance): Action {
  const free = serviceNames.filter((name) => store.view.findByName('service', name) === undefined);
  const name = chance.pickSome(free) ?? serviceNames[0];
  const spec = randomSpec(name, chance);
  return [`creates ${spec.mode.kind} ${name}`, () => control.services.create(spec)];
}

function update({ control }: RunningManager, service: Service, spec: ServiceSpec, rollback = false): Promise<unknown> {
  return control.services.update(service.id, service.version, spec, { registryAuthFrom: 'spec', rollback });
}

function updateImage(manager: RunningManager, service: Service, chance: Chance): Action {
  const image = `image:${chance.integer(1, 4)}`;
  const { task } = service.spec;
  const force = chance.happens(0.3);
  const spec = {
    ...service.spec,
    task: { ...task, runtime: { kind: 'container', container: { image } } as const, forceUpdate: task.forceUpdate + Number(force) },
  };
  return [`updates ${service.spec.name} to ${image}${force ? ' by force' : ''}`, () => update(manager, service, spec)];
}

function scale(manager: RunningManager, service: Service, chance: Chance): Action {
  if (service.spec.mode.kind !== 'replicated') return updateImage(manager, service, chance);
  const replicas = chance.integer(0, 6);
  return [`scales ${service.spec.name} to ${replicas}`, () => update(manager, service, { ...service.spec, mode: { kind: 'replicated', replicas } })];
}

function updateSettings(manager: RunningManager, service: Service, chance: Chance): Action {
  const isJob = service.job !== undefined;
  const { runtime } = service.spec.task;
  const settings = isJob ? {} : { update: randomUpdate(chance), rollback: randomUpdate(chance) };
  const task = chance.happens(0.5) ? { ...randomTask(chance), runtime } : service.spec.task;
  return [`changes settings of ${service.spec.name}`, () => update(manager, service, { ...service.spec, ...settings, task })];
}

function rollBack(manager: RunningManager, service: Service): Action {
  return [`rolls ${service.spec.name} back`, () => update(manager, service, service.spec, true)];
}

function remove({ control }: RunningManager, service: Service): Action {
  return [`removes ${service.spec.name}`, () => control.services.remove(service.id)];
}

function changeNode({ control, store }: RunningManager, chance: Chance): Action {
  const node = chance.pickSome([...store.view.list('node')]);
  if (node === undefined) return ['does nothing', async () => {}];
  if (node.id !== 'node1' && node.status.state === 'down' && chance.happens(0.2)) return [`removes ${node.id}`, () => control.nodes.remove(node.id, false)];
  if (chance.happens(0.3)) {
    const zone = chance.pick(zones);
    return [`puts ${node.id} in zone ${zone}`, () => control.nodes.update(node.id, node.version, { ...node.spec, labels: { zone } })];
  }
  const availability = chance.pick(['active', 'active', 'pause', 'drain']);
  return [`sets ${node.id} to ${availability}`, () => control.nodes.update(node.id, node.version, { ...node.spec, availability })];
}

/** Before a simulation is judged, every node may take tasks again. */
export async function activateAllNodes({ control, store }: RunningManager): Promise<void> {
  const waiting = [...store.view.list('node')].filter((node) => node.spec.availability !== 'active');
  for (const node of waiting) {
    const { id, version, spec } = store.view.get('node', node.id) ?? node;
    await control.nodes.update(id, version, { ...spec, availability: 'active' });
  }
}
