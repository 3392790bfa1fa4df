// What leaves the use cases: objects without secret data and registry credentials. The same stored object always gives the same visible one, so that
// callers may remember what they made of it.
import type { Secret, Service, Task } from '#domain/objects.ts';
import type { ServiceSpec, TaskSpec } from '#domain/spec.ts';

export const visibleService: (service: Service) => Service = remembered((service) => {
  const spec = visibleServiceSpec(service.spec);
  const previousSpec = service.previousSpec && visibleServiceSpec(service.previousSpec);
  if (spec === service.spec && previousSpec === service.previousSpec) return service;
  return { ...service, spec, ...(previousSpec && { previousSpec }) };
});

export const visibleTask: (task: Task) => Task = remembered((task) => {
  const spec = visibleTaskSpec(task.spec);
  return spec === task.spec ? task : { ...task, spec };
});

export const visibleSecret: (secret: Secret) => Secret = remembered((secret) => {
  const { data: _sealed, ...spec } = secret.spec;
  return { ...secret, spec };
});

function visibleServiceSpec(spec: ServiceSpec): ServiceSpec {
  const task = visibleTaskSpec(spec.task);
  return task === spec.task ? spec : { ...spec, task };
}

/** Tasks share their service's spec: it is stripped once. */
const visibleTaskSpec: (spec: TaskSpec) => TaskSpec = remembered((spec) => {
  if (spec.runtime.kind !== 'container' || spec.runtime.container.registryAuth === undefined) return spec;
  const { registryAuth: _sealed, ...container } = spec.runtime.container;
  return { ...spec, runtime: { kind: 'container', container } };
});

/** Remembers results as long as the argument lives. */
export function remembered<A extends object, R extends object>(make: (argument: A) => R): (argument: A) => R {
  const results = new WeakMap<A, R>();
  return (argument) => {
    const known = results.get(argument);
    if (known !== undefined) return known;
    const result = make(argument);
    results.set(argument, result);
    return result;
  };
}
