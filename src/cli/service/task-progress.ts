// How far a service is: which tasks count, and the lines that say so. Pure: progress.ts polls and draws.
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import type { Bar } from './progress-display.ts';

export interface ProgressLine {
  readonly id: string;
  readonly text: string;
  readonly bar?: Bar;
}

export interface ProgressView {
  readonly service: Service;
  /** Only those of the newest spec. */
  readonly tasks: readonly Task[];
  /** Ids of nodes that are not down. */
  readonly nodes: ReadonlySet<string>;
  readonly isRollback: boolean;
}

export interface ProgressState {
  readonly lines: readonly ProgressLine[];
  readonly converged: boolean;
}

/** In the order in which a task has them, as Docker's progress display counts them. */
export const STATES = [
  'new',
  'allocated',
  'pending',
  'assigned',
  'accepted',
  'preparing',
  'ready',
  'starting',
  'running',
  'complete',
  'shutdown',
  'failed',
  'rejected',
];
const RUNNING = 9;
const COMPLETE = 10;
/** Length of "preparing", the longest state that is shown. */
const STATE_WIDTH = 9;
const MAX_BARS = 20;
const MAX_ERROR_BYTES = 75;

const numberOf = (state: string): number => STATES.indexOf(state) + 1;
const isTerminal = (state: string): boolean => numberOf(state) > RUNNING;

export function progressOf(view: ProgressView): ProgressState {
  const { Mode = {} } = view.service.Spec;
  if (Mode.Global) return globalProgress(view);
  if (Mode.ReplicatedJob) return replicatedJobProgress(view, Mode.ReplicatedJob);
  return Mode.GlobalJob ? globalJobProgress(view) : replicatedProgress(view, Mode.Replicated?.Replicas ?? 1);
}

function overall(running: number, wanted: number, isRollback: boolean): ProgressLine {
  return { id: 'overall progress', text: `${isRollback ? 'rolling back update: ' : ''}${running} out of ${wanted} tasks` };
}

function replicatedProgress({ tasks, nodes, isRollback }: ProgressView, replicas: number): ProgressState {
  const bySlot = bestTasks(
    tasks,
    ({ Slot = 0 }) => String(Slot),
    (task) => task.NodeID === undefined || task.NodeID === '' || nodes.has(task.NodeID),
  );
  const slots = [...bySlot.entries()].sort(([a], [b]) => Number(a) - Number(b)).map(([, task]) => task);
  const running = slots.filter(isRunning).length;
  const bars = Array.from({ length: replicas <= MAX_BARS ? replicas : 0 }, (_, index): ProgressLine => {
    const task = slots[index];
    const id = `${index + 1}/${replicas}`;
    return task === undefined ? { id, text: ' ' } : taskLine(id, task, RUNNING);
  });
  return { lines: [overall(running, replicas, isRollback), ...bars], converged: running === replicas };
}

function globalProgress({ tasks, nodes, isRollback }: ProgressView): ProgressState {
  const byNode = bestTasks(
    tasks,
    ({ NodeID = '' }) => NodeID,
    () => true,
  );
  const wanted = byNode.size;
  if (wanted === 0) return { lines: [{ id: 'overall progress', text: 'waiting for new tasks' }], converged: false };
  const active = [...byNode.values()].filter(({ NodeID = '' }) => nodes.has(NodeID));
  const running = active.filter(isRunning).length;
  const bars = wanted > MAX_BARS ? [] : active.map((task) => taskLine((task.NodeID ?? '').slice(0, 12), task, RUNNING));
  return { lines: [overall(running, wanted, isRollback), ...bars], converged: running === wanted };
}

function ofIteration({ service, tasks }: ProgressView): readonly Task[] {
  const iteration = service.JobStatus?.JobIteration.Index;
  return tasks.filter(
    ({ JobIteration, DesiredState, Status }) =>
      JobIteration !== undefined && JobIteration.Index === iteration && numberOf(DesiredState) > 0 && numberOf(Status.State) > 0,
  );
}

function jobLine(completed: number, total: number): ProgressLine {
  return { id: 'job progress', text: `${String(completed).padStart(String(total).length)} out of ${total} complete`, bar: { current: completed, total } };
}

function replicatedJobProgress(
  view: ProgressView,
  job: { readonly MaxConcurrent?: number | undefined; readonly TotalCompletions?: number | undefined },
): ProgressState {
  const total = job.TotalCompletions ?? 1;
  const concurrent = job.MaxConcurrent ?? 1;
  const bySlot = lowestTasks(ofIteration(view), ({ Slot = 0 }) => String(Slot));
  const tasks = [...bySlot.values()];
  const completed = tasks.filter(({ Status }) => Status.State === 'complete').length;
  const active = tasks.filter(({ Status }) => numberOf(Status.State) < COMPLETE).length;
  const width = String(concurrent).length;
  const wanted = Math.min(total - completed, concurrent);
  const bars = Array.from({ length: total <= MAX_BARS ? total : 0 }, (_, slot): ProgressLine => {
    const task = bySlot.get(String(slot));
    const id = `${slot + 1}/${total}`;
    return task === undefined ? { id, text: ' ' } : taskLine(id, task, COMPLETE);
  });
  return {
    lines: [
      jobLine(completed, total),
      { id: 'active tasks', text: `${String(active).padStart(width)} out of ${String(wanted).padStart(width)} tasks` },
      ...bars,
    ],
    converged: completed === total,
  };
}

function globalJobProgress(view: ProgressView): ProgressState {
  const tasks = ofIteration(view);
  if (tasks.length === 0) return { lines: [{ id: 'job progress', text: 'waiting for tasks' }], converged: view.nodes.size === 0 };
  const byNode = lowestTasks(tasks, ({ NodeID = '' }) => NodeID);
  const completed = [...byNode.values()].filter(({ Status }) => Status.State === 'complete').length;
  const bars = byNode.size > MAX_BARS ? [] : [...byNode].map(([node, task]) => taskLine(node, task, COMPLETE));
  return { lines: [jobLine(completed, byNode.size), ...bars], converged: completed === byNode.size };
}

/** Of several tasks of one slot, the one that is least wanted to end, and of those the least far: during an update it is the new one. */
function bestTasks(tasks: readonly Task[], keyOf: (task: Task) => string, counts: (task: Task) => boolean): ReadonlyMap<string, Task> {
  const best = new Map<string, Task>();
  for (const task of tasks) {
    const desired = numberOf(task.DesiredState);
    const observed = numberOf(task.Status.State);
    if (desired === 0 || observed === 0) continue;
    const other = best.get(keyOf(task));
    if (other !== undefined) {
      const difference = numberOf(other.DesiredState) - desired;
      if (difference < 0 || (difference === 0 && numberOf(other.Status.State) <= observed)) continue;
    }
    if (counts(task)) best.set(keyOf(task), task);
  }
  return best;
}

function lowestTasks(tasks: readonly Task[], keyOf: (task: Task) => string): ReadonlyMap<string, Task> {
  const lowest = new Map<string, Task>();
  for (const task of tasks) {
    const other = lowest.get(keyOf(task));
    if (other === undefined || numberOf(other.Status.State) > numberOf(task.Status.State)) lowest.set(keyOf(task), task);
  }
  return lowest;
}

function isRunning({ DesiredState, Status }: Task): boolean {
  return !isTerminal(DesiredState) && Status.State === 'running';
}

function taskLine(id: string, { Status, DesiredState }: Task, total: number): ProgressLine {
  if (Status.Err) return { id, text: shortError(Status.Err) };
  if (isTerminal(DesiredState) && total === RUNNING) return { id, text: ' ' };
  return { id, text: Status.State.padEnd(STATE_WIDTH), bar: { current: numberOf(Status.State), total } };
}

function shortError(text: string): string {
  const line = text.replaceAll('\n', ' ');
  return Buffer.byteLength(line) > MAX_ERROR_BYTES
    ? `${Buffer.from(line)
        .subarray(0, MAX_ERROR_BYTES - 1)
        .toString()}…`
    : line;
}
