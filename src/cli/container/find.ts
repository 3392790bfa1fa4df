// The container that users mean: by its name or id, or by the task it belongs to (`web.1`), or by its service where that has one task.
import type { Client } from '#client/client.ts';
import type { Task } from '#docker-api/task.ts';
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
    const id = ofTask[0]?.Id ?? (await onlyTaskOf(client, reference));
    if (ofTask.length > 1 || id === undefined) throw error;
    return client.call<FoundContainer>('GET', `/containers/${segment(id)}/json`);
  }
}

/** Of several tasks, users have to say which: the service's name alone would mean another one each time. */
async function onlyTaskOf(client: Client, service: string): Promise<string | undefined> {
  const filters = filterQuery({ service: [service], 'desired-state': ['running'] });
  const tasks = await client.call<Task[]>('GET', '/tasks', { query: filters }).catch(() => []);
  const running = tasks.filter(({ Status }) => Status.State === 'running').sort((a, b) => (a.Slot ?? 0) - (b.Slot ?? 0));
  if (running.length > 1)
    throw new AppError(
      'invalidArgument',
      `service ${service} has ${running.length} tasks: name one of them, for example ${service}.${running[0]?.Slot ?? running[0]?.ID}`,
    );
  return running[0]?.ID;
}
