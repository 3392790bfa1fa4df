// The filter `is-task` of container lists. dockerd knows which of its containers are tasks because it made them for its own swarm mode; to the engine
// behind us a task's container is like any other, so the filter is taken out of the request and applied to the answer. The other filters stay the engine's.
import { isObject, objectAt, textAt } from './json-object.ts';

const TASK_LABEL = 'com.docker.swarm.task.id';

export interface TaskFilter {
  /** What to ask the engine. */
  readonly query: URLSearchParams;
  readonly select: (containers: readonly unknown[]) => readonly unknown[];
}

/** Undefined when the filter is not there, or is one that the engine must refuse. */
export function takeTaskFilter(query: URLSearchParams): TaskFilter | undefined {
  const filters = parse(query.get('filters') ?? '');
  const asked = isObject(filters) ? filters['is-task'] : undefined;
  const values = Array.isArray(asked) ? asked.map(String) : Object.keys(objectAt(filters, 'is-task'));
  const isWanted = values.length === 1 ? truthOf(values[0]) : undefined;
  if (!isObject(filters) || isWanted === undefined) return undefined;
  const { 'is-task': _taken, ...others } = filters;
  const rest = new URLSearchParams(query);
  rest.set('filters', JSON.stringify(others));
  // The last so many of those that are wanted, which the engine cannot count.
  const limit = Number(query.get('limit') ?? 0);
  if (limit > 0) {
    rest.delete('limit');
    rest.set('all', '1');
  }
  return {
    query: rest,
    select(containers) {
      const found = containers.filter((container) => isTask(container) === isWanted);
      return limit > 0 ? found.slice(0, limit) : found;
    },
  };
}

function truthOf(value: string | undefined): boolean | undefined {
  if (value === 'true' || value === '1') return true;
  return value === 'false' || value === '0' ? false : undefined;
}

function isTask(container: unknown): boolean {
  return textAt(objectAt(container, 'Labels'), TASK_LABEL) !== '';
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
