// A swarm in which only the orchestrator, the enforcer and the reaper decide, and the test plays users, scheduler and agents. Time stands still unless
// the test moves it. Every decision goes through the store's own checks of versions and writers.
import assert from 'node:assert/strict';
import type { Node, Service, Task, TaskStatus } from '#domain/objects.ts';
import type { ServiceSpec } from '#domain/spec.ts';
import { isTerminal, type TaskState, taskStateRank } from '#domain/task-state.ts';
import type { Change } from '#domain/view.ts';
import { createSwarm, makeCluster, makeNode, makeService, type Swarm } from '../../../test/lib/swarm.ts';
import { MAX_CHANGES_PER_DECISION } from '../draft.ts';
import {
  allEnforcerKeys,
  allReaperKeys,
  createOrchestratorKeys,
  enforceConstraints,
  enforcerKeysOfEvent,
  reaperKeysOfEvent,
  reapTasks,
  reconcileService,
} from '../index.ts';

export interface WorldOptions {
  readonly nodes?: number;
  readonly historyLimit?: number;
  readonly serviceId?: string;
}

export class World {
  readonly swarm: Swarm;
  /** Which service the methods speak of; tests with several change it. */
  serviceId: string;
  now = 1_000_000;
  /** Wake-ups asked for, by service. */
  readonly wakeUps = new Map<string, number>();
  /** Decisions that changed something, for tests that watch for loops. */
  commits = 0;
  private readonly dirty = new Set<string>();
  private readonly dirtyNodes = new Set<string>();
  private readonly dirtyHistory = new Set<string>();
  private nextId = 1;

  constructor({ nodes = 1, historyLimit = 5, serviceId = 'web' }: WorldOptions = {}) {
    const cluster = makeCluster();
    this.serviceId = serviceId;
    this.swarm = createSwarm([
      { ...cluster, spec: { ...cluster.spec, orchestration: { taskHistoryRetentionLimit: historyLimit } } },
      ...Array.from({ length: nodes }, (_, index) => makeNode(index + 1)),
    ]);
    const keys = createOrchestratorKeys();
    for (const key of keys.allKeys(this.swarm.view)) this.dirty.add(key);
    this.swarm.onEvent((event, view) => {
      for (const key of keys.keysOf(event, view)) this.dirty.add(key);
      for (const key of enforcerKeysOfEvent(event)) this.dirtyNodes.add(key);
      for (const key of reaperKeysOfEvent(event, view)) this.dirtyHistory.add(key);
    });
  }

  create(spec: Partial<ServiceSpec> = {}): void {
    const service = makeService(this.serviceId);
    const job = spec.mode?.kind.endsWith('job') ? { job: { iteration: 0, lastExecutionAt: this.now } } : {};
    this.swarm.put({ ...service, ...job, createdAt: this.now, spec: { ...service.spec, ...spec } });
    this.settle();
  }

  get service(): Service {
    const service = this.swarm.view.get('service', this.serviceId);
    assert.ok(service, 'the service is there');
    return service;
  }

  /** What control does when a user updates the service. */
  update(change: (spec: ServiceSpec) => ServiceSpec): void {
    const { updateStatus: _status, rollout: _rollout, ...service } = this.service;
    this.swarm.put({
      ...service,
      spec: change(service.spec),
      specVersion: this.swarm.view.revision + 1,
      previousSpec: service.spec,
      previousSpecVersion: service.specVersion,
      ...(service.job === undefined ? {} : { job: { iteration: service.job.iteration + 1, lastExecutionAt: this.now } }),
      updatedAt: this.now,
    });
    this.settle();
  }

  /** What control does for `docker service rollback`. */
  rollback(): void {
    const { updateStatus: _status, rollout: _rollout, ...service } = this.service;
    const { previousSpec, previousSpecVersion } = service;
    assert.ok(previousSpec !== undefined && previousSpecVersion !== undefined);
    this.swarm.put({
      ...service,
      spec: previousSpec,
      specVersion: previousSpecVersion,
      previousSpec: service.spec,
      previousSpecVersion: service.specVersion,
      ...(service.job === undefined ? {} : { job: { iteration: service.job.iteration + 1, lastExecutionAt: this.now } }),
      updateStatus: { state: 'rollback_started', startedAt: this.now, message: 'manually requested rollback' },
      updatedAt: this.now,
    });
    this.settle();
  }

  updateImage(image: string): void {
    this.update((spec) => ({ ...spec, task: { ...spec.task, runtime: { kind: 'container', container: { image } } } }));
  }

  scale(replicas: number): void {
    this.update((spec) => ({ ...spec, mode: { kind: 'replicated', replicas } }));
  }

  removeService(): void {
    this.swarm.remove(this.service);
    this.settle();
  }

  node(index: number): Node {
    const node = this.swarm.view.get('node', makeNode(index).id);
    assert.ok(node);
    return node;
  }

  setNode(
    index: number,
    { availability, state, labels }: { availability?: Node['spec']['availability']; state?: Node['status']['state']; labels?: Node['spec']['labels'] },
  ): void {
    const node = this.swarm.view.get('node', makeNode(index).id) ?? makeNode(index);
    this.swarm.put({
      ...node,
      spec: { ...node.spec, ...(availability === undefined ? {} : { availability }), ...(labels === undefined ? {} : { labels }) },
      status: { ...node.status, ...(state === undefined ? {} : { state }) },
    });
    this.settle();
  }

  /** What control does when a node is removed. */
  removeNode(index: number): void {
    const node = this.node(index);
    const lost = [...this.swarm.view.tasksOfNode(node.id)].filter((task) => !isTerminal(task.status.state));
    const orphans = lost.map((task) => ({ ...task, status: { ...task.status, state: 'orphaned' as const, timestamp: this.now }, updatedAt: this.now }));
    this.swarm.commit([...orphans.map((object) => ({ action: 'update' as const, object })), { action: 'remove', object: node }]);
    this.settle();
  }

  tasks(filter: (task: Task) => boolean = () => true): readonly Task[] {
    return [...this.swarm.view.tasksOfService(this.serviceId)].filter(filter);
  }

  live(): readonly Task[] {
    return this.tasks((task) => taskStateRank[task.desiredState] <= taskStateRank.complete);
  }

  running(): readonly Task[] {
    return this.tasks((task) => task.status.state === 'running');
  }

  /** Everything the service has, as "slot image state/desired" in order of age. */
  summary(): readonly string[] {
    return this.tasks()
      .toSorted((a, b) => (a.slot ?? 0) - (b.slot ?? 0) || place(a).localeCompare(place(b)) || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
      .map((task) => `${place(task)} ${imageOf(task)} ${task.status.state}/${task.desiredState}`);
  }

  /** What the scheduler and an agent would report of a task. */
  report(task: Task, state: TaskState, status: Partial<TaskStatus> = {}): void {
    const current = this.swarm.view.get('task', task.id);
    assert.ok(current, `task ${task.id} is there`);
    const startedAt = current.status.startedAt ?? (state === 'running' ? this.now : undefined);
    this.swarm.put({
      ...current,
      ...(taskStateRank[state] >= taskStateRank.assigned ? { nodeId: current.nodeId ?? this.placeFor() } : {}),
      status: { ...current.status, state, timestamp: this.now, message: state, ...(startedAt === undefined ? {} : { startedAt }), ...status },
      updatedAt: this.now,
    });
    this.settle();
  }

  fail(task: Task, state: 'failed' | 'complete' | 'rejected' = 'failed'): void {
    this.report(task, state);
  }

  /** Agents do what they are asked, at once, until nothing changes. */
  obey({ start = () => true }: { start?: (task: Task) => boolean } = {}): void {
    for (let round = 0; ; round++) {
      assert.ok(round < 1_000, 'tasks do not come to rest');
      const task = this.tasks().find((candidate) => isDisobedient(candidate) && this.isReachable(candidate) && (stops(candidate) || start(candidate)));
      if (task === undefined) return;
      this.report(task, stops(task) ? 'shutdown' : 'running');
    }
  }

  private isReachable({ nodeId }: Task): boolean {
    return nodeId === undefined || this.swarm.view.get('node', nodeId)?.status.state === 'ready';
  }

  /** Sets the clock; whoever waits is asked again after its wait, as the control loop does it. */
  setClock(byMs: number): void {
    this.now += byMs;
    for (const key of this.wakeUps.keys()) this.dirty.add(key);
    this.settle();
  }

  /** Moves time in the steps that the orchestrator asked for. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (let wakes = 0; ; wakes++) {
      assert.ok(wakes < 10_000, 'the orchestrator wakes itself without end');
      const next = [...this.wakeUps.values()].sort((a, b) => a - b)[0];
      if (next === undefined || next > end) break;
      this.now = Math.max(this.now, next);
      for (const [key, at] of this.wakeUps) if (at <= this.now) this.dirty.add(key);
      this.settle();
    }
    this.now = end;
  }

  /** Runs the loops until nothing changes. A decision that was applied must not be followed by another at the same time. */
  settle(): void {
    for (let round = 0; this.dirty.size + this.dirtyNodes.size + this.dirtyHistory.size > 0; round++) {
      assert.ok(round < 1_000, 'the loops do not come to rest');
      for (const key of take(this.dirtyNodes)) this.commit(enforceConstraints(this.swarm.view, key).changes, 'orchestrator');
      for (const key of take(this.dirty)) this.reconcile(key);
      const { changes, postponed } = reapTasks(this.swarm.view, take(this.dirtyHistory));
      for (const key of postponed) this.dirtyHistory.add(key);
      this.commit(changes, 'reaper');
    }
  }

  /** A new leader: everything is looked at once more, and nothing may come of it. */
  restartManager(): void {
    this.wakeUps.clear();
    for (const key of allEnforcerKeys(this.swarm.view)) this.dirtyNodes.add(key);
    for (const key of allReaperKeys(this.swarm.view)) this.dirtyHistory.add(key);
    for (const { id } of this.swarm.view.list('service')) this.dirty.add(id);
    const before = this.commits;
    this.settle();
    assert.equal(this.commits, before, 'a new leader finds nothing to do');
  }

  private reconcile(key: string): void {
    const decision = reconcileService(this.swarm.view, key, this.now, () => this.newId());
    this.commit(decision.changes, 'orchestrator');
    this.wakeUps.delete(key);
    if (decision.wakeAt !== undefined) this.wakeUps.set(key, decision.wakeAt);
    if (decision.wakeAt === this.now && decision.changes.length >= MAX_CHANGES_PER_DECISION) {
      this.dirty.add(key);
      return;
    }
    assert.ok(decision.wakeAt === undefined || decision.wakeAt > this.now, 'a decision does not ask to be called at once');
    const again = reconcileService(this.swarm.view, key, this.now, () => this.newId());
    assert.deepEqual(again.changes, [], 'a decision that was applied is complete');
  }

  private commit(changes: readonly Change[], writer: 'orchestrator' | 'reaper'): void {
    if (changes.length === 0) return;
    this.commits++;
    this.swarm.commit(
      changes.map((change) => ({ ...change, object: { ...change.object, updatedAt: this.now } })),
      writer,
    );
  }

  private newId(): string {
    return `task${String(this.nextId++).padStart(6, '0')}`;
  }

  /** The ready node with the fewest tasks. */
  private placeFor(): string {
    const { view } = this.swarm;
    const nodes = [...view.list('node')].filter((node) => node.status.state === 'ready' && node.spec.availability === 'active');
    const load = (node: Node) => [...view.tasksOfNode(node.id)].filter((task) => !isTerminal(task.status.state)).length;
    const [best] = nodes.sort((a, b) => load(a) - load(b));
    assert.ok(best, 'a node can take the task');
    return best.id;
  }
}

/** A fixed order for whatever a test compares. */
export function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

export function imageOf(task: Task): string {
  return task.spec.runtime.kind === 'container' ? task.spec.runtime.container.image : '';
}

function place(task: Task): string {
  return `${task.slot ?? task.nodeId}`;
}

function stops(task: Task): boolean {
  return taskStateRank[task.desiredState] >= taskStateRank.shutdown;
}

function isDisobedient(task: Task): boolean {
  if (isTerminal(task.status.state)) return false;
  if (stops(task)) return taskStateRank[task.status.state] >= taskStateRank.assigned;
  return task.desiredState !== 'ready' && task.status.state !== 'running';
}

function take(keys: Set<string>): readonly string[] {
  const taken = [...keys].sort();
  keys.clear();
  return taken;
}
