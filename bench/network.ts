// The data plane: throughput and latency between two nodes, from host to host, over an overlay, through a virtual address and through a published port, measured
// in turns in one run; and how long a node takes to follow a change. Needs root, dockerd and iperf3.
import type { ClusterNetworkState } from '#protocol/network-state.ts';
import { type InsideProcess, runOrThrow } from '../test/lib/engine.ts';
import { type Lab, startLab } from '../test/engine/network-lab.ts';
import { createReport, quantile, timePrepared } from './lib.ts';

const ROUNDS = 5;
const SECONDS = 2;
const ROUND_TRIPS = 3_000;
const IPERF_PORT = 5201;
const ECHO_PORT = 5202;
const HOSTS = ['10.77.0.1', '10.77.0.2'] as const;
const TASKS = ['10.99.1.11', '10.99.1.12'] as const;
const VIP = '10.99.1.100';
/** design numbers: overlay throughput with a VIP against host to host. */
const GOAL_RATIO = 0.75;

/** Sends 64 bytes, waits for them, and again; prints the microseconds of each round trip. */
const ECHO_CLIENT = `
const [, host, port, count] = process.argv;
const times = [];
const socket = require('node:net').connect({ host, port: Number(port), noDelay: true });
let sentAt;
const send = () => { sentAt = process.hrtime.bigint(); socket.write(Buffer.alloc(64)); };
socket.on('connect', send).on('data', () => {
  times.push(Number(process.hrtime.bigint() - sentAt) / 1e3);
  if (times.length < Number(count)) return send();
  console.log(JSON.stringify(times));
  process.exit();
});
`;
const ECHO_SERVER = `require('node:net').createServer({ noDelay: true }, (socket) => socket.on('error', () => {}).pipe(socket)).listen(${ECHO_PORT}, process.argv[1]);`;

const report = createReport('network');
const labs = await Promise.all([startLab(), startLab()]);
try {
  const [one, two] = labs;
  const link = ['ip', 'link', 'add', 'peer', 'type', 'veth', 'peer', 'name', 'peer', 'netns', String(two.engine.pid)];
  await runOrThrow(['nsenter', `--net=/proc/${one.engine.pid}/ns/net`, ...link]);
  for (const [index, lab] of labs.entries()) {
    await lab.engine.exec(['ip', 'addr', 'add', `${HOSTS[index]}/24`, 'dev', 'peer']);
    await lab.engine.exec(['ip', 'link', 'set', 'peer', 'up']);
    await lab.createNetwork('app', 4097);
  }
  const [from, to] = await Promise.all([one.container('one', { app: TASKS[0] }), two.container('two', { app: TASKS[1] })]);
  const state = clusterOf(1);
  for (const [index, lab] of labs.entries()) {
    await lab.dataPlane.applyLocal({ version: 1, endpoints: [(index === 0 ? from : to).endpoint] }, AbortSignal.timeout(20_000));
    await lab.dataPlane.applyCluster(state, AbortSignal.timeout(20_000));
  }
  await measurePaths(one, two, { fromPid: from.pid, toPid: to.pid });
  await measureFollowing(one);
} finally {
  for (const lab of labs) await lab.stop();
}
report.print();
process.exit();

/** `services` services with five backends each, besides the one whose backend is on the second node. */
function clusterOf(version: number, services = 0): ClusterNetworkState {
  const backends = [{ taskId: 'task-two', nodeId: 'node1', address: TASKS[1] }];
  const many = Array.from({ length: services }, (_, index) => ({
    serviceId: `s${index}`,
    networkId: 'id-app',
    name: `service-${index}`,
    aliases: [],
    virtualIp: `10.99.${2 + (index >> 8)}.${index & 255}`,
    backends: Array.from({ length: 5 }, (_unused, task) => ({
      taskId: `t${index}.${task}`,
      nodeId: 'node1',
      address: `10.99.${100 + task}.${(index + version) & 255}`,
    })),
  }));
  return {
    version,
    nodes: HOSTS.map((dataPathAddress, index) => ({ nodeId: `node${index}`, index: index + 1, dataPathAddress })),
    networks: [
      {
        networkId: 'id-app',
        name: 'app',
        vxlanId: 4097,
        subnets: [],
        internal: false,
        attachable: true,
        encrypted: false,
        endpoints: TASKS.map((address, index) => ({ taskId: `task-${index === 0 ? 'one' : 'two'}`, nodeId: `node${index}`, address, names: [] })),
      },
    ],
    services: [{ serviceId: 's', networkId: 'id-app', name: 'two', aliases: [], virtualIp: VIP, backends }, ...many],
    ingress: [IPERF_PORT, ECHO_PORT].map((port) => ({ serviceId: 's', protocol: 'tcp' as const, publishedPort: port, targetPort: port, backends })),
  };
}

/** A way from one place to another: where the client runs, and what it connects to. */
interface Path {
  readonly name: string;
  readonly from: Pick<Lab['engine'], 'exec'>;
  readonly enter?: readonly string[];
  readonly to: string;
  readonly goal?: number;
}

/** All of them end on the second node: on itself, or in the container there. */
async function measurePaths(one: Lab, two: Lab, { fromPid, toPid }: { readonly fromPid: number; readonly toPid: number }): Promise<void> {
  const inside = (pid: number) => ['nsenter', '-t', String(pid), '-n', '--'];
  const paths: readonly Path[] = [
    { name: 'host to host', from: one.engine, to: HOSTS[1] },
    { name: 'overlay', from: one.engine, enter: inside(fromPid), to: TASKS[1] },
    { name: 'overlay through a virtual address', from: one.engine, enter: inside(fromPid), to: VIP, goal: GOAL_RATIO },
    { name: "published port, the task's node", from: two.engine.client, to: two.engine.address },
    { name: 'published port, another node', from: one.engine.client, to: one.engine.address },
  ];
  const servers = await startServers(two, inside(toPid));
  const [gbits, trips] = [paths.map(() => [] as number[]), paths.map(() => [] as number[])];
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [index, path] of paths.entries()) {
      const [rate, times] = [await throughput(path), await roundTrips(path)];
      // The first round warms up.
      if (round > 0) {
        gbits[index]?.push(rate);
        trips[index]?.push(...times);
      }
    }
  }
  for (const server of servers) server.signal('SIGKILL');
  const [host = 0] = gbits.map((rates) => quantile(rates, 0.5));
  const [hostTrip = 0] = trips.map((times) => quantile(times, 0.5));
  for (const [index, { name, goal }] of paths.entries()) {
    const [rates = [], times = []] = [gbits[index], trips[index]];
    const other = { otherName: 'host to host', from: 'this run' } as const;
    const wanted = goal === undefined ? {} : { goal: goal * host };
    report.add({ name: `${name}: throughput`, unit: 'Gbit/s', skep: quantile(rates, 0.5), other: host, ...other, better: 'higher', ...wanted });
    report.add({ name: `${name}: round trip of 64 bytes`, unit: 'µs', skep: quantile(times, 0.5), other: hostTrip, ...other, better: 'lower' });
    report.note(`${name}: round trip, p99`, quantile(times, 0.99), 'µs');
  }
}

async function startServers({ engine }: Lab, enter: readonly string[]): Promise<readonly InsideProcess[]> {
  const echo = [process.execPath, '-e', ECHO_SERVER];
  return [
    await engine.spawnInside(['iperf3', '-s', '-B', HOSTS[1]]),
    await engine.spawnInside([...enter, 'iperf3', '-s']),
    await engine.spawnInside([...echo, HOSTS[1]]),
    await engine.spawnInside([...enter, ...echo]),
  ];
}

async function throughput({ from, enter = [], to }: Path): Promise<number> {
  const { stdout } = await from.exec([...enter, 'iperf3', '-J', '-t', String(SECONDS), '-p', String(IPERF_PORT), '-c', to]);
  const { end } = JSON.parse(stdout) as { readonly end: { readonly sum_received: { readonly bits_per_second: number } } };
  return end.sum_received.bits_per_second / 1e9;
}

async function roundTrips({ from, enter = [], to }: Path): Promise<readonly number[]> {
  const { stdout, stderr } = await from.exec([...enter, process.execPath, '-e', ECHO_CLIENT, to, String(ECHO_PORT), String(ROUND_TRIPS)]);
  if (stdout === '') throw new Error(`no echo from ${to}: ${stderr}`);
  return JSON.parse(stdout) as readonly number[];
}

/** From handing over a state in which every service has other backends until the kernel follows it. */
async function measureFollowing(lab: Lab): Promise<void> {
  let version = 1;
  for (const services of [1, 100, 1_000]) {
    const { medianMs } = await timePrepared(() => {
      const state = clusterOf(++version, services);
      return () => lab.dataPlane.applyCluster(state, AbortSignal.timeout(20_000));
    });
    report.note(`following a change of ${services} services with 5 tasks each`, medianMs, 'ms');
  }
}
