// What a swarm shows of its services while scenarios run: events, update statuses and the histories of tasks, seen as a client sees them, by following the events
// and by asking again and again. Ids become numbers, so that two sides can be compared; times are only checked for their order.
import { request } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { STATES } from '#cli/service/task-progress.ts';
import type { Answer } from './side.ts';

/** A state that lasts longer than this is seen. */
const POLL_MS = 60;

export interface Recorder {
  /** What was seen of the services whose names begin with `prefix`. */
  historyOf(prefix: string): History;
  stop(): Promise<void>;
}

export interface History {
  /** Per service: what its events carry besides the name, consecutive equal ones once. */
  readonly events: readonly string[];
  /** Update statuses, in order: state and message. */
  readonly statuses: readonly string[];
  /** What is left in the end, and what was seen of each before: slots in order, oldest first. */
  readonly tasks: readonly string[];
  /** What should never be: times that run backwards, states that go back. */
  readonly wrong: readonly string[];
}

interface ApiTask {
  readonly ID: string;
  readonly CreatedAt: string;
  readonly UpdatedAt: string;
  readonly ServiceID: string;
  readonly Slot?: number;
  readonly NodeID?: string;
  readonly DesiredState: string;
  readonly Status: {
    readonly Timestamp: string;
    readonly State: string;
    readonly Message: string;
    readonly Err?: string;
    readonly ContainerStatus?: { readonly ExitCode: number };
  };
}

interface ApiService {
  readonly ID: string;
  readonly Spec: { readonly Name: string };
  readonly UpdateStatus?: { readonly State?: string; readonly Message?: string };
}

interface Seen {
  readonly states: string[];
  readonly desired: string[];
  last: ApiTask;
  isGone: boolean;
}

interface RecorderOptions {
  readonly socket: string;
  readonly call: (method: string, path: string) => Promise<Answer>;
  readonly nodeIds: readonly string[];
}

/** Nanoseconds and the lengths of fractions differ: texts cannot be compared. */
const byAge = (a: ApiTask, b: ApiTask) =>
  Date.parse(a.CreatedAt) - Date.parse(b.CreatedAt) || (a.CreatedAt.length === b.CreatedAt.length && a.CreatedAt > b.CreatedAt ? 1 : -1);

export function createRecorder({ socket, call, nodeIds }: RecorderOptions): Recorder {
  const names = new Map<string, string>();
  const statuses = new Map<string, string[]>();
  const events = new Map<string, string[]>();
  const tasks = new Map<string, Seen>();
  const order = new Map<string, number>();
  const wrong: { readonly service: string; readonly text: string }[] = [];
  const abort = new AbortController();

  const add = (map: Map<string, string[]>, key: string, text: string) => {
    const list = map.get(key) ?? [];
    if (list.at(-1) !== text) list.push(text);
    map.set(key, list);
  };

  function note(task: ApiTask): void {
    order.set(task.ID, order.get(task.ID) ?? order.size);
    const seen = tasks.get(task.ID) ?? { states: [], desired: [], last: task, isGone: false };
    if (seen.states.at(-1) !== task.Status.State) seen.states.push(task.Status.State);
    if (seen.desired.at(-1) !== task.DesiredState) seen.desired.push(task.DesiredState);
    const goesBack = STATES.indexOf(task.Status.State) < STATES.indexOf(seen.last.Status.State) && !STATES.slice(-4).includes(task.Status.State);
    if (goesBack) wrong.push({ service: task.ServiceID, text: `state ${seen.last.Status.State} → ${task.Status.State}` });
    if (Date.parse(task.UpdatedAt) < Date.parse(task.CreatedAt)) wrong.push({ service: task.ServiceID, text: 'updated before it was created' });
    seen.last = task;
    seen.isGone = false;
    tasks.set(task.ID, seen);
  }

  async function poll(): Promise<void> {
    const [services, all] = await Promise.all([call('GET', '/services'), call('GET', '/tasks')]);
    if (services.status !== 200 || all.status !== 200) return;
    for (const { ID, Spec, UpdateStatus } of services.json as readonly ApiService[]) {
      names.set(ID, Spec.Name);
      add(statuses, ID, UpdateStatus?.State === undefined || UpdateStatus.State === '' ? '-' : `${UpdateStatus.State}: ${UpdateStatus.Message ?? ''}`);
    }
    const present = new Set<string>();
    for (const task of (all.json as readonly ApiTask[]).toSorted(byAge)) {
      if (!task.ServiceID) continue;
      present.add(task.ID);
      note(task);
    }
    for (const [id, seen] of tasks) if (!present.has(id)) seen.isGone = true;
  }

  const polling = (async () => {
    while (!abort.signal.aborted) {
      await poll().catch(() => {});
      await setTimeout(POLL_MS);
    }
  })();
  const following = follow(socket, abort.signal, ({ Type, Action, Actor }) => {
    if (Type !== 'service') return;
    const { name = '', ...attributes } = Actor.Attributes;
    names.set(Actor.ID, name);
    const text = Object.entries(attributes).map(([key, value]) => `${key}=${value}`);
    add(events, Actor.ID, [Action, ...text.toSorted()].join(' '));
  });

  function normalized(text: string): string {
    let result = text;
    for (const [id, number] of order) {
      const task = tasks.get(id)?.last;
      if (task !== undefined && result.includes(id)) result = result.replaceAll(id, `<task ${labelOf(task)}>`);
      else if (result.includes(id)) result = result.replaceAll(id, `<task ${number}>`);
    }
    for (const [index, id] of nodeIds.entries()) result = result.replaceAll(id, `<node${index + 1}>`);
    for (const id of names.keys()) result = result.replaceAll(id, '<service>');
    return result;
  }

  const slotOf = (task: ApiTask) => task.Slot ?? (task.NodeID ? `node${nodeIds.indexOf(task.NodeID) + 1}` : '-');
  function labelOf(task: ApiTask): string {
    const older = [...tasks.values()].filter(({ last }) => last.ServiceID === task.ServiceID && slotOf(last) === slotOf(task));
    const index = older.toSorted((a, b) => byAge(a.last, b.last)).findIndex(({ last }) => last.ID === task.ID);
    return `${slotOf(task)}#${index + 1}`;
  }

  function taskLine(name: string, { last, desired, isGone }: Seen): string {
    const { State, Message, Err = '', ContainerStatus } = last.Status;
    const exit = ContainerStatus?.ExitCode ? ` exit ${ContainerStatus.ExitCode}` : '';
    const end = isGone ? 'gone' : `${State} "${Message}"${Err === '' ? '' : ` err "${normalized(Err)}"`}${exit}`;
    return `${name}.${labelOf(last)} desired ${desired.join('>')}: ${end}`;
  }

  return {
    historyOf(prefix) {
      const services = [...names].filter(([, name]) => name === prefix || name.startsWith(`${prefix}_`)).toSorted(([, a], [, b]) => (a < b ? -1 : 1));
      const nameOf = (name: string) => name.slice(prefix.length + 1) || 'it';
      const lines = (map: Map<string, string[]>) => services.flatMap(([id, name]) => (map.get(id) ?? []).map((text) => `${nameOf(name)}: ${normalized(text)}`));
      const taskLines = services.flatMap(([id, name]) => {
        const own = [...tasks.values()].filter(({ last }) => last.ServiceID === id);
        return own.map((seen) => taskLine(nameOf(name), seen)).toSorted();
      });
      const wrongLines = wrong.filter(({ service }) => services.some(([id]) => id === service)).map(({ text }) => text);
      return { events: lines(events), statuses: lines(statuses), tasks: taskLines, wrong: wrongLines };
    },
    async stop() {
      abort.abort();
      await Promise.allSettled([polling, following]);
    },
  };
}

interface ApiEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

function follow(socket: string, signal: AbortSignal, onEvent: (event: ApiEvent) => void): Promise<void> {
  return new Promise((resolve) => {
    const outgoing = request({ socketPath: socket, path: `/v1.41/events?filters=${encodeURIComponent('{"scope":{"swarm":true}}')}`, signal }, (response) => {
      let rest = '';
      response.on('data', (chunk: Buffer) => {
        const lines = (rest + chunk.toString()).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') onEvent(JSON.parse(line) as ApiEvent);
      });
      response.on('error', () => resolve());
      response.on('close', () => resolve());
    });
    outgoing.on('error', () => resolve());
    outgoing.end();
  });
}
