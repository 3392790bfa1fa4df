// Which container belongs to which task: an index in memory over the engine's labels, filled once and kept by our own creations and removals.
import type { ContainerSummary } from './api-types.ts';
import type { EngineClient } from './engine-client.ts';
import { instanceLabel, networksLabel, taskIdLabel } from './labels.ts';

export interface TaskContainers {
  /** The container of a task, or undefined when it has none. Asks the engine only the first time, and after `invalidate`. */
  find(taskId: string, signal: AbortSignal): Promise<string | undefined>;
  taskIds(signal: AbortSignal): Promise<readonly string[]>;
  add(taskId: string, containerId: string): void;
  delete(taskId: string): void;
  /** What is known may be wrong: the engine restarted, or events were lost. */
  invalidate(): void;
}

export interface TaskContainersOptions {
  readonly client: EngineClient;
  readonly instance: string;
  /** Told of each network that a found container is on. */
  readonly onFound: (taskId: string, networkIds: readonly string[]) => void;
}

export function createTaskContainers({ client, instance, onFound }: TaskContainersOptions): TaskContainers {
  let index = new Map<string, string>();
  let loading: Promise<void> | undefined;

  async function load(signal: AbortSignal): Promise<void> {
    const filters = JSON.stringify({ label: [taskIdLabel, `${instanceLabel}=${instance}`] });
    const listed = await client.call<readonly ContainerSummary[]>({ method: 'GET', path: '/containers/json', query: { all: 1, filters }, signal });
    const fresh = new Map<string, string>();
    for (const { Id, Labels } of listed) {
      const taskId = Labels?.[taskIdLabel];
      if (taskId === undefined) continue;
      fresh.set(taskId, Id);
      onFound(taskId, Labels?.[networksLabel]?.split(',') ?? []);
    }
    // Containers that were created while the list was on its way are newer than the list.
    for (const [taskId, containerId] of index) if (!fresh.has(taskId)) fresh.set(taskId, containerId);
    index = fresh;
  }

  /** Everybody who asks waits for the same load; one that failed is tried again by the next. */
  async function loaded(signal: AbortSignal): Promise<Map<string, string>> {
    signal.throwIfAborted();
    // It does not end with the one who asked first.
    const current = (loading ??= load(new AbortController().signal));
    try {
      await current;
    } catch (error) {
      if (loading === current) loading = undefined;
      throw error;
    }
    return index;
  }

  return {
    find: async (taskId, signal) => (await loaded(signal)).get(taskId),
    taskIds: async (signal) => [...(await loaded(signal)).keys()],
    add(taskId, containerId) {
      index.set(taskId, containerId);
    },
    delete(taskId) {
      index.delete(taskId);
    },
    invalidate() {
      loading = undefined;
    },
  };
}
