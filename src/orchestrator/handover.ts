// One slot, more than one wanted task: when the new one is ready the others stop. This goes on whatever the state of the update is,
// also when it was paused or replaced in the middle of a slot.
import type { Task } from '#domain/objects.ts';
import type { EndpointSpec } from '#domain/spec.ts';
import { compareStates, isTerminal } from '#domain/task-state.ts';
import type { Draft, Slot } from './draft.ts';
import { isDirty, shutDown } from './slots.ts';
import { isLive, readyAtOf, SERVING_WAIT_MS, unlessImpossible } from './task.ts';

/** What the scheduler says when a task may have no place because of the very task that it is to replace. */
const PORT_IN_USE = 'host-mode port already in use';
const TOO_MANY_REPLICAS = 'max replicas per node limit exceed';

export function handOver(draft: Draft, slot: Slot): void {
  const live = slot.tasks.filter(isLive);
  if (live.length < 2) return;
  const clean = live.filter((task) => !isDirty(draft, task));
  const ready = clean.filter((task) => isReady(draft, task));
  if (ready.length > 0) shutDown(draft, slot, mostAdvanced(ready));
  else if (clean.length > 0) {
    const successor = mostAdvanced(clean);
    for (const task of clean) if (task !== successor) draft.setDesired(slot, task, 'shutdown');
    // Start-first cannot work here: rather a short gap than an update that never ends.
    if (successor !== undefined && isBlockedBy(live, successor)) shutDown(draft, slot, successor);
  }
}

/** Whether a task runs and serves, or had its time to. Asks to be called again when that time is over. */
export function isReady(draft: Draft, task: Task): boolean {
  if (task.status.state !== 'running') return false;
  const seenAt = readyAtOf(task);
  if (seenAt === undefined) return false;
  const readyAt = unlessImpossible(seenAt, draft.now, SERVING_WAIT_MS);
  if (readyAt > draft.now && task.status.serving === false) {
    draft.wakeAt(readyAt);
    return false;
  }
  return true;
}

/** The task that is furthest on its way, the oldest among equals. */
export function mostAdvanced(tasks: readonly Task[]): Task | undefined {
  return tasks.toSorted((a, b) => Number(isTerminal(a.status.state)) - Number(isTerminal(b.status.state)) || compareStates(b.status.state, a.status.state))[0];
}

function isBlockedBy(live: readonly Task[], { status, endpoint }: Task): boolean {
  if (status.state !== 'pending' || status.error === undefined) return false;
  if (status.error.includes(TOO_MANY_REPLICAS)) return true;
  // Somebody else's port would not become free when the old task stops.
  return (
    status.error.includes(PORT_IN_USE) &&
    live.some((old) => old.status.state !== 'pending' && hostPorts(old.endpoint).some((port) => hostPorts(endpoint).includes(port)))
  );
}

function hostPorts(endpoint: EndpointSpec | undefined): readonly string[] {
  const ports = (endpoint?.ports ?? []).filter(({ publishMode, publishedPort }) => publishMode === 'host' && publishedPort);
  return ports.map(({ protocol, publishedPort }) => `${protocol}/${publishedPort}`);
}
