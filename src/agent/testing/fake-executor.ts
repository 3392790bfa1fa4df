// An engine without containers: keeps the executor's contract on a clock that tests own. What each task's container does is a script, by default
// one that runs until it is stopped. Tests and simulation inject faults through `control`.
import type { NodeDescription, Task } from '#domain/objects.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import type { AssignedTask, ContainerState, Executor, LocalEndpoint, TaskDependencies, TaskRef } from '../executor.ts';

/** What a task's container does. Times are from the call that starts the phase; nothing waits on a wall clock. */
export interface TaskScript {
  readonly prepareMs?: number;
  /** The words with which preparing fails. */
  readonly prepareError?: string;
  /** While it says so the engine is away for a preparation; that there is no container is known without it. */
  readonly prepareAway?: () => boolean;
  readonly startMs?: number;
  readonly startError?: string;
  /** It ends by itself after that time … */
  readonly exitAfterMs?: number;
  /** … with this code (0). */
  readonly exitCode?: number;
  /** From its start on, it has a health check that gives these verdicts. */
  readonly health?: readonly { readonly afterMs: number; readonly verdict: 'healthy' | 'unhealthy' }[];
  /** When its published ports listen; at once by default. */
  readonly servesAfterMs?: number;
  /** How long it takes to obey the stop signal (0); the exit code is then 143. */
  readonly stopMs?: number;
}

export interface FakeContainer {
  readonly task: AssignedTask;
  readonly state: ContainerState;
}

export interface FakeExecutor extends Executor {
  readonly control: {
    /** Containers that exist now, by task id. */
    containers(): ReadonlyMap<string, FakeContainer>;
    /** Every call in order, as "method task-id". */
    readonly calls: readonly string[];
    /** Ends a container as if its process had. */
    exit(taskId: string, exitCode: number): void;
    setHealth(taskId: string, health: ContainerState['health']): void;
    /** While down, every call fails as if the engine could not be reached. Coming back tells watchers that events were lost. */
    setDown(down: boolean): void;
    /** The engine restarts: every running container has exited with 137. */
    restart(): void;
    /** What the engine says of the node from now on; it tells watchers as a restart does. */
    /** `quietly`: without an event. */
    setDescription(description: NodeDescription, options?: { readonly quietly?: boolean }): void;
    /** What the agent saw of secrets when it prepared the task, by id. */
    secretsOf(taskId: string): ReadonlyMap<string, Uint8Array>;
  };
}

export interface FakeExecutorOptions {
  readonly clock: Clock;
  readonly description: NodeDescription;
  readonly scriptFor?: (task: Task) => TaskScript;
}

interface Entry {
  readonly assigned: AssignedTask;
  readonly script: TaskScript;
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  state: ContainerState;
  startedAt: number | undefined;
  cancels: (() => void)[];
  stopping: Promise<void> | undefined;
}

export function createFakeExecutor({ clock, description, scriptFor = () => ({}) }: FakeExecutorOptions): FakeExecutor {
  const entries = new Map<string, Entry>();
  const listeners = new Set<(taskId: string | undefined) => void>();
  const calls: string[] = [];
  let down = false;
  let described = description;
  let nextPid = 100;

  const tell = (taskId: string | undefined) => {
    for (const listener of listeners) listener(taskId);
  };

  /** Notes a call; fails as an engine that is away does. */
  function enter(method: string, taskId: string, signal: AbortSignal): void {
    signal.throwIfAborted();
    if (down) throw new AppError('unavailable', 'the container engine cannot be reached: it is down');
    calls.push(`${method} ${taskId}`);
  }

  function change(taskId: string, entry: Entry, state: Partial<ContainerState>): void {
    entry.state = { ...entry.state, ...state };
    tell(taskId);
  }

  function end(taskId: string, entry: Entry, exitCode: number): void {
    if (entry.state.status !== 'running') return;
    for (const cancel of entry.cancels) cancel();
    entry.cancels = [];
    change(taskId, entry, { status: 'exited', exitCode, pid: 0 });
  }

  function begin(taskId: string, entry: Entry): void {
    const { script } = entry;
    entry.startedAt = clock.now();
    change(taskId, entry, { status: 'running', pid: nextPid++, startedAt: clock.now() });
    if (script.exitAfterMs !== undefined) entry.cancels.push(clock.schedule(script.exitAfterMs, () => end(taskId, entry, script.exitCode ?? 0)));
    for (const { afterMs, verdict } of script.health ?? []) entry.cancels.push(clock.schedule(afterMs, () => change(taskId, entry, { health: verdict })));
  }

  async function stopEntry(taskId: string, entry: Entry): Promise<void> {
    if (entry.state.status !== 'running') return;
    await clock.sleep(entry.script.stopMs ?? 0);
    end(taskId, entry, 143);
  }

  const control: FakeExecutor['control'] = {
    containers: () => new Map([...entries].map(([id, { assigned, state }]) => [id, { task: assigned, state }])),
    calls,
    exit(taskId, exitCode) {
      const entry = entries.get(taskId);
      if (entry !== undefined) end(taskId, entry, exitCode);
    },
    setHealth(taskId, health) {
      const entry = entries.get(taskId);
      if (entry !== undefined) change(taskId, entry, { health });
    },
    setDown(value) {
      down = value;
      if (!value) tell(undefined);
    },
    restart() {
      for (const [id, entry] of entries) end(id, entry, 137);
      tell(undefined);
    },
    setDescription(description, { quietly = false } = {}) {
      described = description;
      if (!quietly) tell(undefined);
    },
    secretsOf: (taskId) => entries.get(taskId)?.secrets ?? new Map(),
  };

  return {
    control,
    async describe(signal) {
      enter('describe', '', signal);
      return described;
    },
    async prepare(assigned, dependencies, _progress, signal) {
      const { task } = assigned;
      enter('prepare', task.id, signal);
      const script = scriptFor(task);
      if (script.prepareMs) await clock.sleep(script.prepareMs, signal);
      if (down || script.prepareAway?.()) throw new AppError('unavailable', 'the container engine cannot be reached: it is down');
      if (script.prepareError !== undefined) throw new AppError('notFound', script.prepareError);
      if (task.spec.runtime.kind === 'attachment' || entries.has(task.id)) return;
      entries.set(task.id, {
        assigned,
        script,
        secrets: secretsFor(task, dependencies),
        state: created(task, script),
        startedAt: undefined,
        cancels: [],
        stopping: undefined,
      });
    },
    async start(task, signal) {
      enter('start', task.id, signal);
      const entry = entries.get(task.id);
      if (entry === undefined) throw new AppError('notFound', `No such container: ${task.id}`);
      if (entry.script.startMs) await clock.sleep(entry.script.startMs, signal);
      if (entry.script.startError !== undefined) throw new AppError('unknown', entry.script.startError);
      // Starting a container that ran already would run it again, as an engine does; the agent must not.
      if (entry.state.status !== 'running') begin(task.id, entry);
    },
    async inspect(task, signal) {
      enter('inspect', task.id, signal);
      return entries.get(task.id)?.state;
    },
    async endpoint(task, state, signal) {
      enter('endpoint', task.id, signal);
      return endpointOf(task, state);
    },
    async serving(task, _state, signal) {
      enter('serving', task.id, signal);
      const entry = entries.get(task.id);
      return entry?.startedAt === undefined || clock.now() >= entry.startedAt + (entry.script.servesAfterMs ?? 0);
    },
    async drain(task, _timeoutMs, signal) {
      enter('drain', task.id, signal);
    },
    async stop({ id }, signal) {
      enter('stop', id, signal);
      const entry = entries.get(id);
      if (entry === undefined) return;
      // The engine goes on stopping when we stop waiting for it.
      entry.stopping ??= stopEntry(id, entry).finally(() => {
        entry.stopping = undefined;
      });
      await entry.stopping;
    },
    async remove({ id }, signal) {
      enter('remove', id, signal);
      const entry = entries.get(id);
      if (entry === undefined) return;
      for (const cancel of entry.cancels) cancel();
      entries.delete(id);
      tell(id);
    },
    async listTaskIds(signal) {
      enter('listTaskIds', '', signal);
      return [...entries.keys()].sort();
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function created(task: Task, script: TaskScript): ContainerState {
  return {
    containerId: `container-${task.id}`,
    status: 'created',
    pid: 0,
    exitCode: 0,
    health: script.health === undefined ? 'none' : 'starting',
    oomKilled: false,
    hostPorts: (task.endpoint?.ports ?? []).filter(({ publishMode }) => publishMode === 'host'),
  };
}

function secretsFor(task: Task, dependencies: TaskDependencies): ReadonlyMap<string, Uint8Array> {
  const { runtime } = task.spec;
  const references = runtime.kind === 'container' ? (runtime.container.secrets ?? []) : [];
  return new Map(references.map(({ secretId }) => [secretId, dependencies.secret(secretId)?.data ?? new Uint8Array()]));
}

function endpointOf(task: TaskRef & Pick<Task, 'spec' | 'networks'>, state: ContainerState | undefined): LocalEndpoint {
  const { runtime } = task.spec;
  const containerId = state?.containerId ?? (runtime.kind === 'attachment' ? runtime.containerId : '');
  return { taskId: task.id, containerId, pid: state?.pid ?? 0, networkIds: task.networks.map(({ networkId }) => networkId) };
}
