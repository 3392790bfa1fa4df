// Changing a service: read, change, write with the version that was read.
import type { Client } from '#client/client.ts';
import type { ServiceSpec } from '#docker-api/service-spec.ts';
import type { Service, ServiceUpdateResponse } from '#docker-api/service.ts';
import { equalSpecs } from '#lib/equal.ts';
import { errorMessage } from '#lib/errors.ts';
import { segment } from '../shared/each.ts';

export interface ChangeOptions {
  readonly rollback?: boolean;
  readonly auth?: string;
}

export function readService(client: Client, reference: string): Promise<Service> {
  return client.call<Service>('GET', `/services/${segment(reference)}`, { query: { insertDefaults: false } });
}

/** The orchestrator writes to a service, too: how far its update is. That is no reason to refuse a user's change of the spec that he saw. */
const MAX_TRIES = 5;

/** Resolves with the daemon's warnings. */
export async function writeService(client: Client, seen: Service, spec: ServiceSpec, options: ChangeOptions = {}): Promise<readonly string[]> {
  for (let service = seen, tries = 1; ; tries++) {
    try {
      return await writeOnce(client, service, spec, options);
    } catch (error) {
      if (tries === MAX_TRIES || !errorMessage(error).endsWith('update out of sequence')) throw error;
      service = await readService(client, seen.ID);
      if (!equalSpecs(service.Spec, seen.Spec)) throw error;
    }
  }
}

async function writeOnce(client: Client, { ID, Version }: Service, spec: ServiceSpec, { rollback, auth }: ChangeOptions): Promise<readonly string[]> {
  const answer = await client.call<ServiceUpdateResponse | undefined>('POST', `/services/${segment(ID)}/update`, {
    query: { version: Version.Index ?? 0, ...(auth === undefined ? { registryAuthFrom: 'spec' } : {}), ...(rollback ? { rollback: 'previous' } : {}) },
    body: spec,
    ...(auth === undefined ? {} : { headers: { 'X-Registry-Auth': auth } }),
  });
  return answer?.Warnings ?? [];
}
