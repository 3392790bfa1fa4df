// A manager as an agent sees it, without a store: tests say what is assigned, and read what was reported.
import type { NodeDescription, TaskStatus } from '#domain/objects.ts';
import type { AssignedSecret, AssignedTask, AssignmentSet, ManagerConnection, SessionMessage } from '#protocol/messages.ts';

export interface FakeManager {
  readonly connect: () => ManagerConnection;
  /** Statuses of a task in order of their arrival. */
  reported(taskId: string): readonly TaskStatus[];
  /** The newest one. */
  status(taskId: string): TaskStatus | undefined;
  readonly descriptions: readonly NodeDescription[];
  readonly networkApplied: readonly number[];
  readonly heartbeats: () => number;
  readonly sessions: () => number;
  /** Assigns a task or changes it; told to the open session, and to every later one at its start. */
  assign(...tasks: readonly AssignedTask[]): void;
  unassign(taskId: string): void;
  addSecret(secret: AssignedSecret): void;
  send(message: SessionMessage): void;
  /** Ends the open session; while down no other one is opened. */
  setDown(down: boolean): void;
  /** The next calls of reportStatus fail. */
  failReports(count: number): void;
}

export function createFakeManager({ heartbeatPeriodMs = 5_000 }: { readonly heartbeatPeriodMs?: number } = {}): FakeManager {
  const tasks = new Map<string, AssignedTask>();
  const secrets = new Map<string, AssignedSecret>();
  const reports = new Map<string, TaskStatus[]>();
  const descriptions: NodeDescription[] = [];
  const networkApplied: number[] = [];
  let heartbeats = 0;
  let sessions = 0;
  let failures = 0;
  let down = false;
  let current: Queue | undefined;

  const change = (message: Partial<Extract<SessionMessage, { kind: 'change' }>['change']>) =>
    current?.push({
      kind: 'change',
      change: { tasks: [], removedTaskIds: [], secrets: [], removedSecretIds: [], configs: [], removedConfigIds: [], ...message },
    });
  /** What a manager stores of a task's status comes back with its next assignment. */
  const stored = (assigned: AssignedTask): AssignedTask => {
    const status = reports.get(assigned.task.id)?.at(-1);
    return status === undefined ? assigned : { ...assigned, task: { ...assigned.task, status } };
  };
  const complete = (): AssignmentSet => ({ tasks: [...tasks.values()].map(stored), secrets: [...secrets.values()], configs: [] });

  const connection: ManagerConnection = {
    async *openSession(description, signal) {
      if (down) throw new Error('no manager answers');
      sessions += 1;
      descriptions.push(description);
      const queue = createQueue(signal);
      current = queue;
      queue.push({ kind: 'session', sessionId: `session-${sessions}`, nodeId: 'node-1', heartbeatPeriodMs, managers: [] });
      queue.push({ kind: 'complete', assignments: complete() });
      yield* queue.messages();
      if (current === queue) current = undefined;
    },
    async reportStatus(_sessionId, updates) {
      if (down || failures > 0) {
        failures -= 1;
        throw new Error('the report was lost');
      }
      for (const { taskId, status } of updates) reports.set(taskId, [...(reports.get(taskId) ?? []), status]);
    },
    async reportDescription(_sessionId, description) {
      descriptions.push(description);
    },
    async reportNetworkApplied(_sessionId, version) {
      networkApplied.push(version);
    },
    async heartbeat() {
      if (down) throw new Error('no manager answers');
      heartbeats += 1;
    },
  };

  return {
    connect: () => connection,
    reported: (taskId) => reports.get(taskId) ?? [],
    status: (taskId) => reports.get(taskId)?.at(-1),
    descriptions,
    networkApplied,
    heartbeats: () => heartbeats,
    sessions: () => sessions,
    assign(...assigned) {
      for (const one of assigned) tasks.set(one.task.id, one);
      change({ tasks: assigned.map(stored) });
    },
    unassign(taskId) {
      tasks.delete(taskId);
      change({ removedTaskIds: [taskId] });
    },
    addSecret(secret) {
      secrets.set(secret.id, secret);
      change({ secrets: [secret] });
    },
    send: (message) => current?.push(message),
    setDown(value) {
      down = value;
      if (value) current?.end();
    },
    failReports(count) {
      failures = count;
    },
  };
}

interface Queue {
  push(message: SessionMessage): void;
  end(): void;
  messages(): AsyncGenerator<SessionMessage>;
}

function createQueue(signal: AbortSignal): Queue {
  const waiting: SessionMessage[] = [];
  let ended = false;
  let wake: (() => void) | undefined;
  const end = () => {
    ended = true;
    wake?.();
  };
  signal.addEventListener('abort', end, { once: true });
  return {
    push(message) {
      waiting.push(message);
      wake?.();
    },
    end,
    async *messages() {
      for (;;) {
        const next = waiting.shift();
        if (ended) return;
        if (next !== undefined) yield next;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
  };
}
