// What secrets and configs have in common: who uses them, and what an update may change.
import type { Config, Secret, Service } from '#domain/objects.ts';
import type { View } from '#domain/view.ts';
import { rpcError } from '#lib/errors.ts';

/** Throws AppError in Docker's words when a service refers to the object. */
export function assertUnused(view: View, object: Secret | Config): void {
  const names = [...view.list('service')].filter((service) => refersTo(service, object)).map(({ spec }) => spec.name);
  if (names.length === 0) return;
  const services = `service${names.length > 1 ? 's' : ''}: ${names.join(', ')}`;
  throw rpcError('invalidArgument', `${object.kind} '${object.spec.name}' is in use by the following ${services}`);
}

function refersTo({ spec }: Service, { kind, id }: Secret | Config): boolean {
  if (spec.task.runtime.kind !== 'container') return false;
  const { secrets = [], configs = [] } = spec.task.runtime.container;
  return kind === 'secret' ? secrets.some(({ secretId }) => secretId === id) : configs.some(({ configId }) => configId === id);
}

/** Only labels may change; leaving the data out keeps it. `isSameData` is asked only when the update brings data. */
export function assertLabelsOnly(current: Secret | Config, name: string, data: string | undefined, isSameData: (data: string) => boolean): void {
  if (current.spec.name === name && (!data || isSameData(data))) return;
  throw rpcError('invalidArgument', 'only updates to Labels are allowed');
}

export function assertVersion(current: Secret | Config, version: number): void {
  if (current.version !== version) throw rpcError('unknown', 'update out of sequence');
}
