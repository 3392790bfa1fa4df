// The tasks of this node: one worker each, secrets and configs for them, and the memory of how far each came.
// What is assigned comes from session.ts by way of agent.ts; nothing here talks to a manager.
import type { TaskStatus } from '#domain/objects.ts';
import { compareStates } from '#domain/task-state.ts';
import { errorMessage } from '#lib/errors.ts';
import type { AssignedConfig, AssignedSecret, AssignedTask, AssignmentChange, AssignmentSet } from '#protocol/messages.ts';
import { createLatest, type Latest } from './latest.ts';
import type { Reporter } from './reporter.ts';
import { type AgentStateStore, withoutCredentials } from './state.ts';
import { removeStrays } from './strays.ts';
import { TaskWorker, type WorkerContext } from './task-worker.ts';

export interface TaskSetOptions extends Omit<WorkerContext, 'dependencies' | 'dependenciesKnown' | 'changed'> {
  readonly state: AgentStateStore;
  readonly reporter: Reporter;
  /** Ends all workers; their containers go on. */
  readonly signal: AbortSignal;
}

export class TaskSet {
  private readonly options: TaskSetOptions;
  private readonly context: WorkerContext;
  private readonly workers = new Map<string, TaskWorker>();
  /** Tasks that were assigned again while what was left of them was being removed. */
  private readonly returning = new Map<string, AssignedTask>();
  private readonly running = new Set<Promise<void>>();
  private readonly unsaved = new Set<TaskWorker>();
  private readonly memory: Latest<ReadonlySet<TaskWorker>>;
  private secrets = new Map<string, AssignedSecret>();
  private configs = new Map<string, AssignedConfig>();
  private dependenciesKnown = false;

  constructor(options: TaskSetOptions) {
    this.options = options;
    const { clock, log, reporter } = options;
    this.memory = createLatest({ what: 'the memory of tasks', apply: () => this.saveAll(), clock, log });
    this.context = {
      ...options,
      dependencies: { secret: (id) => this.secrets.get(id), config: (id) => this.configs.get(id) },
      dependenciesKnown: () => this.dependenciesKnown,
      changed: (worker) => {
        reporter.report(worker.task.id, worker.status);
        this.remember(worker);
      },
    };
  }

  list(): readonly { readonly assigned: AssignedTask; readonly status: TaskStatus }[] {
    return [...this.workers.values()].map(({ assigned, status }) => ({ assigned, status }));
  }

  /** Takes up the tasks of an earlier life. Their containers are looked at, not touched. */
  async restore(): Promise<void> {
    for (const { assigned, status } of await this.options.state.load()) this.startWorker(assigned, status);
  }

  /** Keeps the memory until the signal aborts, then waits for the workers to end. */
  async run(): Promise<void> {
    await this.memory.run(this.options.signal);
    await Promise.allSettled(this.running);
    await this.saveAll().catch((error: unknown) => this.options.log.warn({ error: errorMessage(error) }, 'the memory of tasks could not be saved'));
  }

  look(taskId: string | undefined): void {
    if (taskId === undefined) for (const worker of this.workers.values()) worker.look();
    else this.workers.get(taskId)?.look();
  }

  nudgeAll(): void {
    for (const worker of this.workers.values()) worker.nudge();
  }

  /** The whole truth: whatever is not in it has no place on this node. */
  takeComplete(assignments: AssignmentSet): void {
    this.secrets = new Map(assignments.secrets.map((secret) => [secret.id, secret]));
    this.configs = new Map(assignments.configs.map((config) => [config.id, config]));
    this.dependenciesKnown = true;
    const assignedIds = new Set(assignments.tasks.map(({ task }) => task.id));
    for (const id of this.workers.keys()) if (!assignedIds.has(id)) this.unassign(id);
    for (const assigned of assignments.tasks) this.assign(assigned);
    this.nudgeAll();
    const { executor, clock, log, signal } = this.options;
    this.supervise(removeStrays({ executor, clock, log, isAssigned: (id) => this.workers.has(id) }, signal));
  }

  takeChange(change: AssignmentChange): void {
    for (const secret of change.secrets) this.secrets.set(secret.id, secret);
    for (const config of change.configs) this.configs.set(config.id, config);
    for (const id of change.removedTaskIds) this.unassign(id);
    for (const assigned of change.tasks) this.assign(assigned);
    for (const id of change.removedSecretIds) this.secrets.delete(id);
    for (const id of change.removedConfigIds) this.configs.delete(id);
  }

  private assign(assigned: AssignedTask): void {
    const { id, status } = assigned.task;
    const worker = this.workers.get(id);
    if (worker === undefined) {
      this.remember(this.startWorker(assigned, status));
      return;
    }
    if (worker.isRemoved) {
      this.returning.set(id, assigned);
      return;
    }
    worker.update(assigned);
    this.remember(worker);
    // What the manager has not stored yet is said again.
    if (compareStates(worker.status.state, status.state) >= 0 && !sameStatus(worker.status, status)) this.options.reporter.report(id, worker.status);
  }

  private unassign(taskId: string): void {
    this.returning.delete(taskId);
    this.workers.get(taskId)?.remove();
  }

  private startWorker(assigned: AssignedTask, status: TaskStatus): TaskWorker {
    const { signal } = this.options;
    const worker = new TaskWorker(assigned, status, this.context);
    this.workers.set(assigned.task.id, worker);
    this.supervise(worker.run(signal).then(() => (signal.aborted ? undefined : this.forget(worker))));
    return worker;
  }

  private async forget(worker: TaskWorker): Promise<void> {
    const { id } = worker.task;
    const { state, reporter, log } = this.options;
    this.workers.delete(id);
    this.unsaved.delete(worker);
    reporter.forget(id);
    await state.remove(id).catch((error: unknown) => log.warn({ task: id, error: errorMessage(error) }, 'the memory of a task could not be removed'));
    const assigned = this.returning.get(id);
    this.returning.delete(id);
    if (assigned !== undefined) this.startWorker(assigned, assigned.task.status);
  }

  private remember(worker: TaskWorker): void {
    this.unsaved.add(worker);
    this.memory.offer(this.unsaved);
  }

  private async saveAll(): Promise<void> {
    for (const worker of this.unsaved) {
      this.unsaved.delete(worker);
      if (this.workers.get(worker.task.id) !== worker) continue;
      try {
        await this.options.state.save({ assigned: withoutCredentials(worker.assigned), status: worker.status });
        // The task was removed while it was being written.
        if (this.workers.get(worker.task.id) !== worker) await this.options.state.remove(worker.task.id);
      } catch (error) {
        this.unsaved.add(worker);
        throw error;
      }
    }
  }

  private supervise(work: Promise<void>): void {
    this.running.add(work);
    work
      .catch((error: unknown) => this.options.log.error({ error: errorMessage(error) }, 'the work on a task ended with an error'))
      .finally(() => this.running.delete(work));
  }
}

function sameStatus(a: TaskStatus, b: TaskStatus): boolean {
  return a.state === b.state && a.message === b.message && (a.error ?? '') === (b.error ?? '') && (a.serving ?? true) === (b.serving ?? true);
}
