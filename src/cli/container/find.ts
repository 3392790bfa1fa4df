// The container that users mean: by its name or id, or by the task it belongs to (`web.1`).
import type { Client } from '#client/client.ts';
import { AppError } from '#lib/errors.ts';
import { segment } from '../shared/each.ts';
import { filterQuery } from '../shared/options.ts';

export interface FoundContainer {
  readonly Id: string;
  readonly Config: { readonly Tty: boolean };
}

const TASK_NAME_LABEL = 'com.docker.swarm.task.name';

/** Rejects with the daemon's own words when there is none. */
export async function findContainer(client: Client, reference: string): Promise<FoundContainer> {
  try {
    return await client.call<FoundContainer>('GET', `/containers/${segment(reference)}/json`);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'notFound') throw error;
    const all = await client.call<{ Id: string; Labels: Record<string, string> | null }[]>('GET', '/containers/json', {
      query: filterQuery({ label: [TASK_NAME_LABEL] }),
    });
    // A task is called <service>.<slot>.<id>; people say <service>.<slot>.
    const ofTask = all.filter(({ Labels }) => (Labels?.[TASK_NAME_LABEL] ?? '').replace(/\.[^.]*$/, '') === reference);
    if (ofTask.length !== 1) throw error;
    return client.call<FoundContainer>('GET', `/containers/${segment(ofTask[0]?.Id ?? '')}/json`);
  }
}
