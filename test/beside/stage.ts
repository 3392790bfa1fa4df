// What a scenario has in its hands: services whose names are its own, the usual requests, and waiting until nothing changes any more.
import { isDeepStrictEqual } from 'node:util';
import { setTimeout } from 'node:timers/promises';
import { until } from '../lib/engine.ts';
import type { Answer, Side } from './side.ts';

export const IMAGE = 'beside:1';

/** Runs until it is asked to stop, and stops at once. */
export const RUNS = 'trap "exit 0" TERM; sleep 1000 & wait';
/** Ends by itself with a failure, soon after it started. */
export const FAILS = 'sleep 2; exit 3';

// oxlint-disable-next-line typescript/no-explicit-any -- specs as the API has them, of which a scenario changes a few fields
export type Spec = any;

export interface Scenario {
  readonly name: string;
  /** Changes nodes, so nothing else may run meanwhile. */
  readonly alone?: boolean;
  readonly run: (stage: Stage) => Promise<void>;
}

export interface Stage {
  readonly side: Side;
  readonly prefix: string;
  /** What a scenario found itself, to be compared as it is. */
  say(text: string): void;
  create(spec: Spec, name?: string): Promise<Answer>;
  /** Reads the service, changes its spec in place, and writes it back; `query` is for instance `&rollback=previous`. */
  update(change: (spec: Spec) => void, options?: { readonly name?: string; readonly query?: string }): Promise<Answer>;
  remove(name?: string): Promise<Answer>;
  service(name?: string): Promise<Spec>;
  tasks(name?: string): Promise<readonly Spec[]>;
  /** Until that many tasks run and are wanted. */
  running(count: number, name?: string): Promise<void>;
  status(state: string, name?: string): Promise<void>;
  /** Until tasks, specs and update statuses of the scenario have been the same for this long. */
  quiet(ms?: number): Promise<void>;
  updateNode(index: number, change: (spec: Spec) => void): Promise<void>;
}

const WAIT_MS = 90_000;
const SECOND_NS = 1_000_000_000;

export function seconds(count: number): number {
  return Math.round(count * SECOND_NS);
}

/** A service of one replica that runs, restarts soon, and is updated soon. */
export function base(command: string = RUNS, replicas = 1): Spec {
  return {
    TaskTemplate: {
      ContainerSpec: { Image: IMAGE, Command: ['sh', '-c', command], StopGracePeriod: seconds(5) },
      RestartPolicy: { Condition: 'any', Delay: seconds(0.2) },
      ForceUpdate: 0,
    },
    Mode: { Replicated: { Replicas: replicas } },
    UpdateConfig: { Parallelism: 1, Monitor: seconds(4), FailureAction: 'pause', Order: 'stop-first', MaxFailureRatio: 0 },
    RollbackConfig: { Parallelism: 1, Monitor: seconds(2), FailureAction: 'pause', Order: 'stop-first', MaxFailureRatio: 0 },
  };
}

export function command(spec: Spec, text: string): void {
  spec.TaskTemplate.ContainerSpec.Command = ['sh', '-c', text];
}

export function createStage(side: Side, prefix: string, say: (text: string) => void): Stage {
  const full = (name?: string) => (name === undefined ? prefix : `${prefix}_${name}`);
  const service = async (name?: string) => (await side.call('GET', `/services/${full(name)}`)).json;
  const tasks = async (name?: string) =>
    (await side.call('GET', `/tasks?filters=${encodeURIComponent(JSON.stringify({ service: [full(name)] }))}`)).json as readonly Spec[];
  const said = (what: string, answer: Answer) => {
    if (answer.status >= 300) say(`${what}: ${answer.status} ${answer.json?.message ?? answer.text}`);
    return answer;
  };

  async function snapshot(): Promise<unknown> {
    const [services, all] = await Promise.all([side.call('GET', '/services'), side.call('GET', '/tasks')]);
    const own = (services.json as readonly Spec[]).filter(({ Spec: { Name } }) => Name === prefix || Name.startsWith(`${prefix}_`));
    const ids = own.map(({ ID }) => ID);
    return [
      own.map(({ ID, Spec: spec, UpdateStatus }) => [ID, spec, UpdateStatus?.State]),
      (all.json as readonly Spec[])
        .filter(({ ServiceID }) => ids.includes(ServiceID))
        .map(({ ID, DesiredState, Status }) => [ID, DesiredState, Status.State, Status.Err])
        .toSorted((a, b) => (String(a) < String(b) ? -1 : 1)),
    ];
  }

  return {
    side,
    prefix,
    say,
    create: async (spec, name) => said('create', await side.call('POST', '/services/create', { Name: full(name), ...spec })),
    async update(change, { name, query = '' } = {}) {
      for (let attempt = 1; ; attempt++) {
        const { ID, Version, Spec: spec } = await service(name);
        change(spec);
        const answer = await side.call('POST', `/services/${ID}/update?version=${Version.Index}${query}`, spec);
        // Others write, too: an update goes on, and addresses are given.
        if (answer.status < 300 || !answer.text.includes('out of sequence') || attempt > 20) return said('update', answer);
      }
    },
    remove: async (name) => said('remove', await side.call('DELETE', `/services/${full(name)}`)),
    service,
    tasks,
    running: (count, name) =>
      until(
        `${count} tasks of ${full(name)} run`,
        async () => (await tasks(name)).filter(({ DesiredState, Status }) => DesiredState === 'running' && Status.State === 'running').length === count,
        WAIT_MS,
      ),
    status: (state, name) => until(`${full(name)} is ${state}`, async () => ((await service(name)).UpdateStatus?.State ?? '') === state, WAIT_MS),
    async quiet(ms = 5_000) {
      let last = await snapshot();
      let since = Date.now();
      await until(
        `${prefix} is quiet`,
        async () => {
          await setTimeout(100);
          const next = await snapshot();
          if (!isDeepStrictEqual(next, last)) since = Date.now();
          last = next;
          return Date.now() - since >= ms;
        },
        WAIT_MS,
      );
    },
    async updateNode(index, change) {
      for (let attempt = 1; ; attempt++) {
        const { ID, Version, Spec: spec } = (await side.call('GET', `/nodes/${side.nodeIds[index]}`)).json;
        change(spec);
        const answer = await side.call('POST', `/nodes/${ID}/update?version=${Version.Index}`, spec);
        if (answer.status < 300 || attempt > 20) return void said('node update', answer);
      }
    },
  };
}
