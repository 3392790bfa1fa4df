// Drives one task: asks the task machine for the next step, carries it out, and looks again. One worker per task, one action at a time.
import type { Task, TaskStatus } from '#domain/objects.ts';
import { compareStates, isTerminal, taskStateRank } from '#domain/task-state.ts';
import { createBackoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { AssignedTask } from '#protocol/messages.ts';
import type { ContainerState, Executor, TaskDependencies } from './executor.ts';
import type { Limiter } from './limiter.ts';
import type { LocalNetwork } from './local-network.ts';
import { nextStep, noFacts, SERVING_POLL_MS, type TaskAction, type TaskFacts } from './task-machine.ts';

/** How long connections of a stopping task may still end by themselves. */
const DRAIN_TIMEOUT_MS = 2_000;
/** How long a start waits for the data plane: without it a container would run whose name queries nobody answers. */
const NETWORK_TIMEOUT_MS = 3_000;

export interface WorkerContext {
  readonly executor: Executor;
  readonly clock: Clock;
  readonly log: Logger;
  readonly prepareLimit: Limiter;
  readonly dependencies: TaskDependencies;
  /** Whether secrets and configs of assigned tasks are here: false until a manager has sent them. */
  readonly dependenciesKnown: () => boolean;
  readonly localNetwork: LocalNetwork;
  /** Resolves once the newest known state of the swarm's networks is applied, or after the time. */
  readonly clusterNetworkSettled: (timeoutMs: number, signal: AbortSignal) => Promise<void>;
  readonly networkAppliedVersion: () => number;
  readonly portsInUse: () => readonly string[];
  readonly changed: (worker: TaskWorker) => void;
}

export class TaskWorker {
  assigned: AssignedTask;
  status: TaskStatus;
  private readonly context: WorkerContext;
  private facts: TaskFacts = noFacts;
  private looks = 0;
  private removed = false;
  private wake: () => void = () => {};
  private retry: () => void = () => {};
  /** Ends what is no longer wanted: the preparation of a task that shall stop. */
  private preparation: AbortController | undefined;

  constructor(assigned: AssignedTask, status: TaskStatus, context: WorkerContext) {
    this.assigned = assigned;
    this.status = status;
    this.context = context;
  }

  get task(): Task {
    return this.assigned.task;
  }

  get isRemoved(): boolean {
    return this.removed;
  }

  /** Takes over a newer assignment. What is wanted only grows; a manager that knows a later state (orphaned) is believed. */
  update(assigned: AssignedTask): void {
    const { desiredState } = this.task;
    const grows = taskStateRank[assigned.task.desiredState] >= taskStateRank[desiredState];
    this.assigned = grows ? assigned : { ...assigned, task: { ...assigned.task, desiredState } };
    if (compareStates(assigned.task.status.state, this.status.state) > 0) this.status = assigned.task.status;
    if (taskStateRank[this.task.desiredState] >= taskStateRank.shutdown || isTerminal(this.status.state)) this.preparation?.abort();
    this.wake();
  }

  /** The container may have changed. */
  look(): void {
    this.looks += 1;
    this.facts = { ...this.facts, container: undefined, ...(this.task.spec.runtime.kind === 'attachment' ? { announced: false } : {}) };
    this.wake();
    // The engine is back, or has something to say: whatever failed can be tried at once.
    this.retry();
  }

  /** Something that the task waits for may have come: secrets, or word from the load balancers. */
  nudge(): void {
    this.wake();
  }

  /** The task is no longer assigned: `run` stops and removes what is left of it and ends. */
  remove(): void {
    this.removed = true;
    this.preparation?.abort();
    this.wake();
  }

  /** Resolves once the task was removed, or when the signal aborts; its container is left alone then. */
  async run(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff({ initialMs: 100, maximumMs: 5_000 });
    const { log } = this.context;
    const stop = () => this.wake();
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      try {
        if (this.removed) {
          await this.cleanUp(signal);
          break;
        }
        // A look may need no engine, so it is no proof that the step that failed will succeed.
        if ((await this.step(signal)) !== 'inspect') backoff.reset();
      } catch (error) {
        if (signal.aborted) break;
        const pauseMs = backoff.nextMs();
        log.warn({ task: this.task.id, error: errorMessage(error), pauseMs }, 'a step of a task could not be taken; it will be tried again');
        this.facts = { ...this.facts, container: undefined };
        await this.pause(pauseMs, signal);
      }
    }
    signal.removeEventListener('abort', stop);
  }

  /** Resolves with the action that was taken, if it was one. */
  private async step(signal: AbortSignal): Promise<TaskAction | undefined> {
    const { clock } = this.context;
    this.facts = { ...this.facts, networkAppliedVersion: this.context.networkAppliedVersion(), portsInUse: this.context.portsInUse() };
    const step = nextStep(this.task, this.status, this.facts, clock.now());
    if (step.kind === 'status') {
      this.status = step.status;
      if (isTerminal(step.status.state)) this.context.localNetwork.delete(this.task.id);
      this.context.changed(this);
    } else if (step.kind === 'wait') await this.waitForNews(step.wakeAt, signal);
    else await this.act(step.action, signal);
    return step.kind === 'action' ? step.action : undefined;
  }

  /** Before another try; cut short by the engine's news. */
  private async pause(pauseMs: number, signal: AbortSignal): Promise<void> {
    const news = new AbortController();
    this.retry = () => news.abort(new Error('there is news'));
    await this.context.clock.sleep(pauseMs, AbortSignal.any([signal, news.signal])).catch(() => {});
    this.retry = () => {};
  }

  private async act(action: TaskAction, signal: AbortSignal): Promise<void> {
    const { executor, clock } = this.context;
    switch (action) {
      case 'inspect':
        return this.inspect(signal);
      case 'prepare':
        return this.prepare(signal);
      case 'start':
        return this.start(signal);
      case 'announce':
        return this.announce(signal);
      case 'mark-leaving':
        this.facts = { ...this.facts, leavingSince: clock.now() };
        return;
      case 'mark-unhealthy':
        this.facts = { ...this.facts, unhealthy: true };
        return;
      case 'drain':
        await executor.drain(this.task, DRAIN_TIMEOUT_MS, signal);
        this.facts = { ...this.facts, drained: true };
        return;
      case 'stop':
        await executor.stop(this.task, signal);
        this.facts = { ...this.facts, container: undefined };
        return;
      case 'probe-serving':
        if (await this.probeServing(signal)) return;
        await this.waitForNews(clock.now() + SERVING_POLL_MS, signal);
    }
  }

  private async inspect(signal: AbortSignal): Promise<void> {
    const { looks } = this;
    const container = (await this.context.executor.inspect(this.task, signal)) ?? 'absent';
    if (container === 'absent' || container.status !== 'running') this.context.localNetwork.delete(this.task.id);
    // An event during the look makes it worthless.
    if (looks === this.looks) this.facts = { ...this.facts, container };
  }

  private async prepare(signal: AbortSignal): Promise<void> {
    const { context, assigned } = this;
    const missing = this.missingDependency();
    if (missing !== undefined && !context.dependenciesKnown()) return this.waitForNews(undefined, signal);
    if (missing !== undefined) {
      this.facts = { ...this.facts, failure: missing };
      return;
    }
    const preparation = new AbortController();
    this.preparation = preparation;
    const either = AbortSignal.any([signal, preparation.signal]);
    const progress = (message: string) => context.log.debug({ task: this.task.id, message }, 'preparing');
    try {
      await context.prepareLimit.run(() => context.executor.prepare(assigned, context.dependencies, progress, either), either);
      this.facts = { ...this.facts, prepared: true, container: undefined };
    } catch (error) {
      if (either.aborted) this.facts = { ...this.facts, container: undefined };
      else this.settleFailure(error, '');
    } finally {
      this.preparation = undefined;
    }
  }

  private missingDependency(): string | undefined {
    const { runtime } = this.task.spec;
    if (runtime.kind !== 'container') return undefined;
    const { dependencies } = this.context;
    const secret = runtime.container.secrets?.find(({ secretId }) => dependencies.secret(secretId) === undefined);
    if (secret !== undefined) return `secret not found: ${secret.secretName}`;
    const config = runtime.container.configs?.find(({ configId }) => dependencies.config(configId) === undefined);
    return config === undefined ? undefined : `config not found: ${config.configName}`;
  }

  private async start(signal: AbortSignal): Promise<void> {
    try {
      // The neighbours' addresses and the services' rules are in place before the first process looks for them.
      await this.context.clusterNetworkSettled(NETWORK_TIMEOUT_MS, signal);
      await this.context.executor.start(this.task, signal);
      this.facts = { ...this.facts, container: undefined };
    } catch (error) {
      if (signal.aborted) throw error;
      this.settleFailure(error, 'starting container failed: ');
    }
  }

  /** An engine that cannot be reached says nothing about the task: thrown on, to be tried again. */
  private settleFailure(error: unknown, prefix: string): void {
    if (error instanceof AppError && error.code === 'unavailable') throw error;
    this.context.log.info({ task: this.task.id, error: errorMessage(error) }, 'a task cannot go on');
    this.facts = { ...this.facts, failure: `${prefix}${errorMessage(error)}`, container: undefined };
  }

  private async announce(signal: AbortSignal): Promise<void> {
    const { looks } = this;
    const { executor, localNetwork } = this.context;
    const endpoint = await executor.endpoint(this.task, this.container(), signal);
    if (endpoint === undefined) localNetwork.delete(this.task.id);
    else await localNetwork.set(endpoint, NETWORK_TIMEOUT_MS, signal);
    const { kind } = this.task.spec.runtime;
    if (kind === 'container' || looks === this.looks) this.facts = { ...this.facts, announced: true };
    const container = this.container();
    // Tasks whose ports listen by now spare a status of their own for that.
    if (container !== undefined && kind === 'container') await this.probeServing(signal);
  }

  private async probeServing(signal: AbortSignal): Promise<boolean> {
    const container = this.container();
    const serving = container === undefined || (await this.context.executor.serving(this.task, container, signal));
    this.facts = { ...this.facts, serving };
    return serving;
  }

  private container(): ContainerState | undefined {
    return this.facts.container === 'absent' ? undefined : this.facts.container;
  }

  private async cleanUp(signal: AbortSignal): Promise<void> {
    const { executor, localNetwork } = this.context;
    localNetwork.delete(this.task.id);
    await executor.stop(this.task, signal);
    await executor.remove(this.task, signal);
  }

  /** Resolves on news, at `wakeAt`, or when the signal aborts. */
  private async waitForNews(wakeAt: number | undefined, signal: AbortSignal): Promise<void> {
    const { clock } = this.context;
    if (signal.aborted || this.removed) return;
    await new Promise<void>((resolve) => {
      const cancel = wakeAt === undefined ? () => {} : clock.schedule(Math.max(0, wakeAt - clock.now()), resolve);
      this.wake = () => {
        cancel();
        resolve();
      };
    });
    this.wake = () => {};
  }
}
