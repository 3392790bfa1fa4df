// Random changes to a swarm over the API, and the memory of what was acknowledged. A change whose answer never came may have happened or not;
// anything else must be as the API said.
import assert from 'node:assert/strict';
import type { TestDaemon } from './daemon.ts';

/** What can be seen of a service that this test changes; undefined: there is none of that name. */
type ServiceState = { readonly replicas: number; readonly mark: string } | undefined;

export interface Ledger {
  /** One change. Rejects when the connection broke; then it is unknown whether it happened. */
  change(): Promise<void>;
  /** Compares the API's lists with what was acknowledged; throws on any difference. What was unknown is known afterwards. */
  check(): Promise<void>;
  /** Replicas per service that must run, by service name. */
  expected(): ReadonlyMap<string, number>;
  /** Removes everything that the changes made. */
  removeAll(): Promise<void>;
  count(): number;
}

export interface LedgerOptions {
  readonly daemon: TestDaemon;
  readonly random: (bound: number) => number;
  readonly image: string;
  /** Name of a network that some of the services attach to. */
  readonly network: string;
}

const SERVICE_NAMES = ['alpha', 'beta', 'gamma', 'delta'];
const MAX_REPLICAS = 2;

export function createLedger({ daemon, random, image, network }: LedgerOptions): Ledger {
  /** What each service may be: one state, or two while it is unknown which. */
  const services = new Map<string, readonly ServiceState[]>(SERVICE_NAMES.map((name) => [name, [undefined]]));
  const configs = new Map<string, readonly boolean[]>();
  let marks = 0;
  let acknowledged = 0;

  const specOf = (name: string, { replicas, mark }: NonNullable<ServiceState>) => ({
    Name: name,
    Labels: { crash: '' },
    TaskTemplate: {
      ContainerSpec: { Image: image, Env: [`MARK=${mark}`], StopGracePeriod: 1_000_000_000 },
      RestartPolicy: { Condition: 'any', Delay: 0 },
      // Half of them; always the same half, because a service cannot change between the two without a new container anyway.
      ...(name < 'c' ? { Networks: [{ Target: network }] } : {}),
    },
    Mode: { Replicated: { Replicas: replicas } },
    UpdateConfig: { Parallelism: 0, Monitor: 1 },
  });

  /** Runs one request; in between it is unknown which of the two states holds. */
  async function step<T>(map: Map<string, readonly T[]>, key: string, from: T, to: T, request: () => Promise<void>): Promise<void> {
    map.set(key, [from, to]);
    await request();
    map.set(key, [to]);
    acknowledged++;
  }

  async function changeService(): Promise<void> {
    const name = SERVICE_NAMES[random(SERVICE_NAMES.length)] ?? '';
    const [state] = services.get(name) ?? [];
    const next = { replicas: 1 + random(MAX_REPLICAS), mark: String(marks++) };
    if (state === undefined) {
      await step(services, name, state, next, () => daemon.must('POST', '/services/create', specOf(name, next)));
    } else if (random(4) === 0) {
      await step(services, name, state, undefined, () => daemon.must('DELETE', `/services/${name}`));
    } else {
      const wanted = random(2) === 0 ? { ...state, replicas: next.replicas } : next;
      await step(services, name, state, wanted, () => update(name, wanted));
    }
  }

  /** The manager writes to a service too: an update that lost a race is repeated, as clients do. */
  async function update(name: string, state: NonNullable<ServiceState>): Promise<void> {
    for (let tries = 0; ; tries++) {
      const { Version } = await daemon.must('GET', `/services/${name}`);
      const { status, body } = await daemon.call('POST', `/services/${name}/update?version=${Version.Index}`, specOf(name, state));
      if (status === 200) return;
      assert.ok(/out of sequence/.test(body.message) && tries < 20, `update of ${name}: ${status} ${body.message}`);
    }
  }

  async function changeConfig(): Promise<void> {
    const [existing] = [...configs].filter(([, [there]]) => there).map(([name]) => name);
    if (existing !== undefined && random(2) === 0) {
      await step(configs, existing, true, false, () => daemon.must('DELETE', `/configs/${existing}`));
    } else {
      const name = `config-${marks++}`;
      await step(configs, name, false, true, () =>
        daemon.must('POST', '/configs/create', { Name: name, Labels: {}, Data: Buffer.from(name).toString('base64') }),
      );
    }
  }

  return {
    change: () => (random(4) === 0 ? changeConfig() : changeService()),
    async check() {
      settle(services, await servicesNow(daemon));
      const names = new Set<string>((await daemon.must('GET', '/configs')).map((config: { Spec: { Name: string } }) => config.Spec.Name));
      settle(configs, new Map([...configs.keys()].map((name) => [name, names.has(name)])));
      for (const name of names) assert.ok(configs.has(name), `config ${name} was never asked for`);
    },
    expected: () => new Map([...services].flatMap(([name, [state]]) => (state ? [[name, state.replicas] as const] : []))),
    async removeAll() {
      for (const [name, [state]] of services) if (state) await daemon.must('DELETE', `/services/${name}`);
      for (const [name, [there]] of configs) if (there) await daemon.must('DELETE', `/configs/${name}`);
    },
    count: () => acknowledged,
  };
}

async function servicesNow(daemon: TestDaemon): Promise<ReadonlyMap<string, ServiceState>> {
  const found = new Map<string, ServiceState>(SERVICE_NAMES.map((name) => [name, undefined]));
  const list = await daemon.must('GET', `/services?filters=${encodeURIComponent('{"label":["crash"]}')}`);
  for (const { Spec } of list) {
    const [env = ''] = Spec.TaskTemplate.ContainerSpec.Env as string[];
    assert.equal(found.get(Spec.Name), undefined, `service ${Spec.Name} is there twice`);
    found.set(Spec.Name, { replicas: Spec.Mode.Replicated.Replicas, mark: env.replace('MARK=', '') });
  }
  return found;
}

/** What is must be among what may be; from now on it is known. */
function settle<T>(map: Map<string, readonly T[]>, now: ReadonlyMap<string, T>): void {
  for (const [key, possible] of map) {
    const actual = now.get(key) as T;
    const matches = possible.some((state) => JSON.stringify(state) === JSON.stringify(actual));
    assert.ok(matches, `${key} is ${JSON.stringify(actual)}, but was acknowledged as ${possible.map((state) => JSON.stringify(state)).join(' or ')}`);
    map.set(key, [actual]);
  }
}
