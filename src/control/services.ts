// Services: create, update, roll back, remove, and what lists show of them.
import { insertServiceDefaults } from '#domain/defaults.ts';
import type { Service, Task } from '#domain/objects.ts';
import type { ServiceSpec } from '#domain/spec.ts';
import { dependencyCircle } from '#domain/waiting.ts';
import { validateServiceSpec } from '#domain/validate/service.ts';
import type { Change, View } from '#domain/view.ts';
import { equalSpecs } from '#lib/equal.ts';
import { AppError, rpcError } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import type { Filters, ServiceControl, ServiceStatus } from './control.ts';
import type { ControlDependencies, Sealer } from './dependencies.ts';
import { matchesExactly, matchesLabels, matchesPrefix } from './filters.ts';
import { findService } from './lookup.ts';
import { createPublishedPorts, type PublishedPorts } from './published-ports.ts';
import { assertExtrasAllowed, assertFilesExist, assertHasIngress, assertIngressRules, type ResolvedSpec, resolveNetworks } from './service-references.ts';
import { updatedService } from './service-update.ts';
import type { Turns } from './turns.ts';
import { remembered, visibleService } from './visible.ts';

export function createServiceControl({ store, clock, random, sealer }: ControlDependencies, turns: Turns): ServiceControl {
  const ports = createPublishedPorts(store);
  const resolve = (spec: ServiceSpec) => resolveNetworks(store.view, spec, () => newId(random));

  async function create(spec: ServiceSpec): Promise<string> {
    // Networks come first and the spec afterwards, as in Docker: who makes two mistakes is told of the same one.
    resolve(spec);
    validateServiceSpec(spec);
    const sealed = sealCredentials(spec, sealer);
    const service = { kind: 'service', id: newId(random), version: 0, createdAt: 0, updatedAt: 0, specVersion: 0, ...newJob(spec, clock.now()) } as const;
    await store.update('control', (view) => {
      const resolved = resolve(sealed);
      assertCreatable(view, resolved.spec, ports);
      return { changes: [...creations(resolved), { action: 'create', object: { ...service, spec: resolved.spec } }], result: undefined };
    });
    return service.id;
  }

  async function update(ref: string, version: number, spec: ServiceSpec, options: Parameters<ServiceControl['update']>[3]): Promise<string> {
    resolve(spec);
    const { id } = findService(store.view, ref);
    validateServiceSpec(spec);
    const sealed = sealCredentials(spec, sealer);
    await store.update('control', (view) => {
      const current = view.get('service', id);
      if (current === undefined) throw rpcError('notFound', `service ${id} not found`);
      const resolved = resolve(sealed);
      const next = updatedService(current, { ...options, version, spec: resolved.spec, now: clock.now() });
      assertExtrasAllowed(view, next.spec);
      assertIngressRules(view, next.spec);
      if (!equalSpecs(next.spec.endpoint, current.spec.endpoint)) ports.assertFree(view, next.spec.endpoint, id);
      assertFilesExist(view, next.spec);
      assertHasIngress(view, next.spec);
      return { changes: [...(options.rollback ? [] : creations(resolved)), { action: 'update', object: next }], result: undefined };
    });
    return id;
  }

  return {
    list: (filters) => [...store.view.list('service')].filter((service) => matchesService(filters, service)).map(visibleService),
    get: (ref) => visibleService(findService(store.view, ref)),
    withDefaults,
    status: (service) => statusOf(service, store.view.tasksOfService(service.id)),
    async create(spec) {
      const id = await (refersToOthers(spec) ? turns.take(() => create(spec)) : create(spec));
      return { id, warnings: warningsOf(store.view, id) };
    },
    async update(ref, version, spec, options) {
      const id = await turns.take(() => update(ref, version, spec, options));
      return { warnings: warningsOf(store.view, id) };
    },
    async remove(ref) {
      const { id } = findService(store.view, ref);
      await store.update('control', (view) => {
        const service = view.get('service', id);
        if (service === undefined) throw new AppError('notFound', `service ${ref} not found`);
        return { changes: [{ action: 'remove', object: service }], result: undefined };
      });
    },
  };
}

/** What is not as the user may think, although it is allowed. Somebody may have removed the service already: what was done to it is done. */
function warningsOf(view: View, id: string): readonly string[] {
  const service = view.get('service', id);
  const circle = service && dependencyCircle(view, service);
  return circle === undefined ? [] : [`the services depend on each other in a circle, so that none waits for the other: ${circle.join(' -> ')}`];
}

const withDefaults: (service: Service) => Service = remembered((service) => ({ ...service, spec: insertServiceDefaults(service.spec) }));

/** Whether something that others may take or remove meanwhile is part of the spec. */
function refersToOthers(spec: ServiceSpec): boolean {
  const { runtime, networks } = spec.task;
  const hasFiles = runtime.kind === 'container' && Boolean(runtime.container.secrets?.length || runtime.container.configs?.length);
  return hasFiles || Boolean(networks?.length || spec.networks?.length) || (spec.endpoint?.ports ?? []).some((port) => port.publishedPort);
}

function assertCreatable(view: View, spec: ServiceSpec, ports: PublishedPorts): void {
  assertExtrasAllowed(view, spec);
  assertIngressRules(view, spec);
  ports.assertFree(view, spec.endpoint, undefined);
  assertHasIngress(view, spec);
  assertFilesExist(view, spec);
  if (view.findByName('service', spec.name) !== undefined) {
    throw rpcError('alreadyExists', `name conflicts with an existing object: service ${spec.name} already exists`);
  }
}

function creations({ newNetworks }: ResolvedSpec): readonly Change[] {
  return newNetworks.map((object) => ({ action: 'create', object }));
}

function newJob(spec: ServiceSpec, now: number): Pick<Service, 'job'> {
  return spec.mode.kind === 'replicated-job' || spec.mode.kind === 'global-job' ? { job: { iteration: 0, lastExecutionAt: now } } : {};
}

function sealCredentials(spec: ServiceSpec, sealer: Sealer): ServiceSpec {
  const { runtime } = spec.task;
  if (runtime.kind !== 'container' || !runtime.container.registryAuth) return spec;
  const registryAuth = sealer.seal(Buffer.from(runtime.container.registryAuth), sealContexts.registryAuth);
  return { ...spec, task: { ...spec.task, runtime: { kind: 'container', container: { ...runtime.container, registryAuth } } } };
}

function matchesService(filters: Filters, { id, spec }: Service): boolean {
  return (
    matchesPrefix(filters, 'id', id) &&
    matchesPrefix(filters, 'name', spec.name) &&
    matchesLabels(filters, 'label', spec.labels) &&
    matchesExactly(filters, 'mode', spec.mode.kind) &&
    matchesExactly(filters, 'runtime', spec.task.runtime.kind)
  );
}

/** Running counts what is observed, whatever is desired of it; jobs count their present iteration only. */
function statusOf(service: Service, tasks: Iterable<Task>): ServiceStatus {
  const { mode } = service.spec;
  let runningTasks = 0;
  let completedTasks = 0;
  let wantedOfGlobal = 0;
  for (const { jobIteration, status, desiredState } of tasks) {
    if (service.job !== undefined && (jobIteration ?? 0) !== service.job.iteration) continue;
    if (service.job !== undefined && status.state === 'complete') completedTasks++;
    if (status.state === 'running') runningTasks++;
    if (desiredState === 'running' || (desiredState === 'complete' && status.state !== 'complete')) wantedOfGlobal++;
  }
  const desiredTasks = mode.kind === 'replicated' ? mode.replicas : mode.kind === 'replicated-job' ? mode.maxConcurrent : wantedOfGlobal;
  return { runningTasks, desiredTasks, completedTasks };
}
