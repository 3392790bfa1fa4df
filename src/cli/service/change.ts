// Changing a service: read, change, write with the version that was read.
import type { Client } from '#client/client.ts';
import type { ServiceSpec } from '#docker-api/service-spec.ts';
import type { Service, ServiceUpdateResponse } from '#docker-api/service.ts';
import { segment } from '../shared/each.ts';

export interface ChangeOptions {
  readonly rollback?: boolean;
  readonly auth?: string;
}

export function readService(client: Client, reference: string): Promise<Service> {
  return client.call<Service>('GET', `/services/${segment(reference)}`, { query: { insertDefaults: false } });
}

/** Resolves with the daemon's warnings. */
export async function writeService(
  client: Client,
  { ID, Version }: Service,
  spec: ServiceSpec,
  { rollback, auth }: ChangeOptions = {},
): Promise<readonly string[]> {
  const answer = await client.call<ServiceUpdateResponse | undefined>('POST', `/services/${segment(ID)}/update`, {
    query: { version: Version.Index ?? 0, ...(auth === undefined ? { registryAuthFrom: 'spec' } : {}), ...(rollback ? { rollback: 'previous' } : {}) },
    body: spec,
    ...(auth === undefined ? {} : { headers: { 'X-Registry-Auth': auth } }),
  });
  return answer?.Warnings ?? [];
}
