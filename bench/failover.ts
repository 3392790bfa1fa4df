// What losing a machine costs: Skep beside dockerd's own swarm mode, on the same five engines (three managers, two workers), one after the other in one run.
// Cables are cut, not processes ended: the other side's daemon is also the engine, and could not be killed alone. Needs root, dockerd and etcd.
// Usage: node bench/failover.ts [--json] [--check]; REPETITIONS=n for more than 3.
import { type ClusterNode, startCluster } from '../test/lib/cluster.ts';
import { createReport, quantile } from './lib.ts';

const IMAGE = 'bench:1';
/** Ends at once when it is asked to: its grace period would hide what the swarm needs. */
const COMMAND = 'CMD ["sh","-c","trap \\"exit 0\\" TERM; sleep 100000 & wait"]';
const REPLICAS = 6;
const MANAGERS = 3;
const REPETITIONS = Number(process.env['REPETITIONS'] ?? 3);
const POLL_MS = 20;
const TIMEOUT_MS = 120_000;
/** Milliseconds; design numbers. */
const goals = { worker: 5_000, leader: 2_000, healed: 1_000 } as const;

type Measured = keyof typeof goals;

interface Machine {
  readonly node: ClusterNode;
  /** One request to this side's swarm API; a failure is an answer without a status. */
  http(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly text: string }>;
  docker(...args: string[]): Promise<string>;
}

interface ApiTask {
  readonly NodeID: string;
  readonly Status: { readonly State: string };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, condition: () => Promise<boolean>): Promise<number> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > TIMEOUT_MS) throw new Error(`waited ${TIMEOUT_MS} ms in vain until ${what}`);
    await pause(POLL_MS);
  }
  return performance.now() - start;
}

/** The same calls for both sides: the docker CLI forms the swarm, and curl asks its socket, so that a request that hangs can be given up. */
function machineOf(node: ClusterNode, socket: string): Machine {
  return {
    node,
    async http(method, path, body) {
      const data = body === undefined ? [] : ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)];
      const argv = ['curl', '-s', '-m', '2', '-w', '\n%{http_code}', '-X', method, '--unix-socket', socket, ...data, `http://localhost/v1.41${path}`];
      const { stdout } = await node.engine.exec(argv);
      const end = stdout.lastIndexOf('\n');
      return { status: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) };
    },
    async docker(...args) {
      const { code, stdout, stderr } = await node.engine.tryDocker(args, { socket });
      if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr.trim()}`);
      return stdout.trim();
    },
  };
}

async function form(machines: readonly Machine[]): Promise<void> {
  const [first, ...others] = machines;
  if (first === undefined) throw new Error('there is a machine');
  await first.docker('swarm', 'init', '--advertise-addr', first.node.lanAddress);
  for (const [index, machine] of others.entries()) {
    const token = await first.docker('swarm', 'join-token', '-q', index + 1 < MANAGERS ? 'manager' : 'worker');
    await machine.docker('swarm', 'join', '--advertise-addr', machine.node.lanAddress, '--token', token, `${first.node.lanAddress}:2377`);
  }
  const flags = ['--detach', '--no-resolve-image', '--name', 'app', '--replicas', String(REPLICAS), '--stop-grace-period', '1s'];
  await first.docker('service', 'create', ...flags, IMAGE);
  await untilWhole(machines);
}

/** Containers of the service by the word of the engines; both sides label them alike. */
async function containers(machine: Machine): Promise<number> {
  const ids = await machine.node.engine.docker('ps', '-q', '--filter', 'label=com.docker.swarm.service.name=app');
  return ids.split('\n').filter((id) => id !== '').length;
}

async function runningTasks(machine: Machine): Promise<readonly ApiTask[]> {
  const filters = encodeURIComponent(JSON.stringify({ service: ['app'], 'desired-state': ['running'] }));
  const { status, text } = await machine.http('GET', `/tasks?filters=${filters}`);
  if (status !== 200) return [];
  return (JSON.parse(text) as readonly ApiTask[]).filter(({ Status }) => Status.State === 'running');
}

/** All nodes ready, all managers reachable, and exactly the replicas run. */
async function untilWhole(machines: readonly Machine[]): Promise<void> {
  await until('the swarm is whole', async () => {
    for (const machine of machines.slice(0, MANAGERS)) {
      if ((await runningTasks(machine)).length !== REPLICAS) return false;
      const list = await machine.docker('node', 'ls', '--format', '{{.Status}} {{.ManagerStatus}}').catch(() => '');
      const lines = list.split('\n');
      if (lines.filter((line) => line.startsWith('Ready')).length !== machines.length) return false;
      if (lines.filter((line) => /Leader|Reachable/.test(line)).length !== MANAGERS) return false;
    }
    return (await Promise.all(machines.map(containers))).reduce((sum, count) => sum + count) === REPLICAS;
  });
}

async function leaderOf(machines: readonly Machine[]): Promise<Machine> {
  const names = await machines[0]?.docker('node', 'ls', '--format', '{{.Hostname}} {{.ID}} {{.ManagerStatus}}');
  const [, leaderId] =
    names
      ?.split('\n')
      .find((line) => line.endsWith(' Leader'))
      ?.split(' ') ?? [];
  for (const machine of machines.slice(0, MANAGERS)) {
    if ((await machine.docker('info', '--format', '{{.Swarm.NodeID}}')) === leaderId) return machine;
  }
  throw new Error('no manager leads');
}

/** Spreads the tasks again: what moved away stays away, and a worker without tasks would cost nothing. */
async function spread(machines: readonly Machine[]): Promise<void> {
  const leader = await leaderOf(machines);
  await leader.docker('service', 'update', '--detach', '--force', '--update-parallelism', '0', 'app');
  await until(
    'the update is done',
    async () => (await leader.docker('service', 'inspect', '--format', '{{with .UpdateStatus}}{{.State}}{{end}}', 'app')) === 'completed',
  );
  await untilWhole(machines);
}

/** Cut until all replicas run on the others, by the word of the leader and of the engines. */
async function loseWorker(machines: readonly Machine[], times: Record<Measured, number[]>): Promise<void> {
  await spread(machines);
  const worker = machines.at(-1);
  if (worker === undefined || (await containers(worker)) === 0) throw new Error('the worker runs nothing');
  const others = machines.filter((machine) => machine !== worker);
  const leader = await leaderOf(machines);
  const workerId = await worker.docker('info', '--format', '{{.Swarm.NodeID}}');
  await worker.node.cut();
  times.worker.push(
    await until('all replicas run elsewhere', async () => {
      const tasks = await runningTasks(leader);
      if (tasks.length !== REPLICAS || tasks.some(({ NodeID }) => NodeID === workerId)) return false;
      return (await Promise.all(others.map(containers))).reduce((sum, count) => sum + count) === REPLICAS;
    }),
  );
  await worker.node.heal();
  times.healed.push(await until('the duplicates are gone', async () => (await containers(worker)) === 0));
  await untilWhole(machines);
}

/** Cut until another manager acknowledges a write. */
async function loseLeader(machines: readonly Machine[], times: Record<Measured, number[]>): Promise<void> {
  const leader = await leaderOf(machines);
  const others = machines.slice(0, MANAGERS).filter((machine) => machine !== leader);
  await leader.node.cut();
  let count = 0;
  times.leader.push(
    await until('a write is acknowledged', async () => {
      const answers = await Promise.all(others.map((machine) => machine.http('POST', '/configs/create', { Name: `w${Date.now()}-${count++}`, Data: 'eA==' })));
      return answers.some(({ status }) => status === 201);
    }),
  );
  await leader.node.heal();
  await untilWhole(machines);
}

async function measure(name: string, machines: readonly Machine[]): Promise<Record<Measured, number[]>> {
  const times: Record<Measured, number[]> = { worker: [], leader: [], healed: [] };
  await form(machines);
  for (let round = 1; round <= REPETITIONS; round++) {
    await loseWorker(machines, times);
    await loseLeader(machines, times);
    const last = (key: Measured) => `${key} ${times[key].at(-1)?.toFixed(0)} ms`;
    console.error(`${name}, round ${round}: ${last('worker')}, ${last('leader')}, ${last('healed')}`);
  }
  for (const machine of machines.toReversed()) await machine.docker('swarm', 'leave', '--force');
  await until('nothing of it is left', async () => (await Promise.all(machines.map(containers))).every((left) => left === 0));
  return times;
}

const report = createReport('Failover: three managers and two workers, the median of what a cut cable costs');
const cluster = await startCluster({ nodes: MANAGERS + 2, args: ['--log-level', 'warn'] });
try {
  await Promise.all(cluster.nodes.map((node) => node.engine.importBusybox(IMAGE, COMMAND)));
  const side = (name: string, socketOf: (node: ClusterNode) => string) =>
    measure(
      name,
      cluster.nodes.map((node) => machineOf(node, socketOf(node))),
    );
  const swarm = await side('swarm', (node) => node.engine.socket);
  const skep = await side('skep', (node) => node.socket);
  const names: Readonly<Record<Measured, string>> = {
    worker: 'worker lost until all replicas run elsewhere',
    leader: 'leader lost until the first write',
    healed: 'healed until the duplicates are gone',
  };
  for (const key of ['worker', 'leader', 'healed'] as const) {
    const sides = { skep: quantile(skep[key], 0.5), other: quantile(swarm[key], 0.5) };
    report.add({ name: names[key], unit: 'ms', ...sides, otherName: 'swarm', from: 'this run', goal: goals[key], better: 'lower' });
    report.note(`the worst of ${REPETITIONS} with skep: ${names[key]}`, Math.max(...skep[key]), 'ms');
  }
} finally {
  await cluster.stop();
}
report.print();
process.exit();
