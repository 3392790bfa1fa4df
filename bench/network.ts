// The data plane: throughput between two nodes, from host to host, over an overlay and through a virtual address, measured in turns in one run; and how
// long a node takes to follow a change. Needs root, dockerd and iperf3.
import type { ClusterNetworkState } from '#protocol/network-state.ts';
import { type InsideProcess, runOrThrow } from '../test/lib/engine.ts';
import { type Lab, startLab } from '../test/engine/network-lab.ts';
import { createReport, quantile, timePrepared } from './lib.ts';

const ROUNDS = 5;
const SECONDS = 2;
const HOSTS = ['10.77.0.1', '10.77.0.2'] as const;
const TASKS = ['10.99.1.11', '10.99.1.12'] as const;
const VIP = '10.99.1.100';
/** design numbers: overlay throughput with a VIP against host to host. */
const GOAL_RATIO = 0.75;

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
  await measureThroughput(one, two, { fromPid: from.pid, toPid: to.pid });
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
    ingress: [],
  };
}

async function measureThroughput(one: Lab, two: Lab, { fromPid, toPid }: { readonly fromPid: number; readonly toPid: number }): Promise<void> {
  const inside = (pid: number) => ['nsenter', '-t', String(pid), '-n', '--'];
  const servers: InsideProcess[] = [
    await two.engine.spawnInside(['iperf3', '-s', '-B', HOSTS[1]]),
    await two.engine.spawnInside([...inside(toPid), 'iperf3', '-s', '-B', TASKS[1]]),
  ];
  const gbits = async (argv: readonly string[]) => {
    const { stdout } = await one.engine.exec(argv);
    return (JSON.parse(stdout) as { readonly end: { readonly sum_received: { readonly bits_per_second: number } } }).end.sum_received.bits_per_second / 1e9;
  };
  const client = (host: string) => ['iperf3', '-J', '-t', String(SECONDS), '-c', host];
  const results = { host: [] as number[], overlay: [] as number[], vip: [] as number[] };
  await gbits(client(HOSTS[1]));
  for (let round = 0; round < ROUNDS; round++) {
    results.host.push(await gbits(client(HOSTS[1])));
    results.overlay.push(await gbits([...inside(fromPid), ...client(TASKS[1])]));
    results.vip.push(await gbits([...inside(fromPid), ...client(VIP)]));
  }
  for (const server of servers) server.signal('SIGKILL');
  const host = quantile(results.host, 0.5);
  const other = { unit: 'Gbit/s', other: host, otherName: 'host to host', from: 'this run', better: 'higher' } as const;
  report.add({ name: 'overlay throughput', skep: quantile(results.overlay, 0.5), ...other });
  report.add({ name: 'overlay throughput through a virtual address', skep: quantile(results.vip, 0.5), ...other, goal: GOAL_RATIO * host });
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
