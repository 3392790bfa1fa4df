// Containers of tasks that are gone, by what a container is called: the nodes are asked for the logs that they kept.
import type { Task } from '#domain/objects.ts';
import { errorMessage } from '#lib/errors.ts';
import { asTask } from './gone-tasks.ts';
import { keptTasks } from './read-task-log.ts';
import type { LogSources } from './task-logs.ts';

/** A node that does not say within this time what it kept is not waited for: whoever asks believes that the container is not there. */
const TIMEOUT_MS = 2_000;

export async function findGoneContainer({ store, engines, gone, clock, log }: LogSources, ref: string, signal: AbortSignal): Promise<Task | undefined> {
  const nodes = [...store.view.list('node')].filter(({ status }) => status.state === 'ready');
  const late = new AbortController();
  const cancel = clock.schedule(TIMEOUT_MS, () => late.abort());
  const stop = AbortSignal.any([signal, late.signal]);
  try {
    const found = await Promise.all(
      nodes.map(async ({ id }) => {
        try {
          return await keptTasks(await engines.linkTo(id, 'kept-logs'), { container: ref }, stop);
        } catch (error) {
          log.debug({ node: id, error: errorMessage(error) }, 'what a node kept of logs could not be asked for');
          return [];
        }
      }),
    );
    const [task, ...others] = found.flat();
    // A beginning that fits several names none of them.
    if (task === undefined || others.some(({ taskId }) => taskId !== task.taskId)) return undefined;
    gone.note([task]);
    return asTask(task);
  } finally {
    cancel();
  }
}
