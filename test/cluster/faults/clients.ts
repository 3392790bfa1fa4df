// Clients that go on while machines are lost: through the published port of every node that is left, and inside of the network by virtual address, by name and by
// the names of all tasks. What they saw is judged by the moment at which the swarm knew that the machine was down.
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterNode, TestCluster } from '../../lib/cluster.ts';
import { until } from '../../lib/namespace.ts';
import type { Place, Request } from './client-program.ts';
import { type ApiNode, get, PORT, SERVICE } from './machines.ts';

export interface Clients {
  /** Watches until `manager` finds all of `gone` down, and for a while after that. */
  untilDown(manager: ClusterNode, gone: readonly ClusterNode[]): Promise<Verdict>;
  stop(): void;
}

export interface Verdict {
  /** Requests that began before the nodes were down and had got no end a while later. */
  readonly hanging: readonly Request[];
  /** How long after the nodes were down, in milliseconds, the last request began that did not get its answer. 0: none did. */
  readonly lastFailureMs: number;
  /** Until the last of those that stood before the loss had its answer, or its reset. */
  readonly lastHeldMs: number;
  readonly requests: number;
  /** Where requests failed, and how often. */
  readonly failed: Readonly<Record<string, number>>;
}

const HELD = 3;
/** How long clients are listened to when the node is down. */
const AFTERWARDS_MS = 5_000;

/** Clients on a machine beside the swarm, and in a container's network on one of the nodes. */
export async function startClients(cluster: TestCluster, nodes: readonly ClusterNode[]): Promise<Clients> {
  const requests: Request[] = [];
  const [inside] = nodes;
  if (inside === undefined) throw new Error('a node is left');
  const ports = nodes.map((node): Place => ({ name: `port of ${node.name}`, host: node.lanAddress, port: PORT }));
  const programs = [
    run(['nsenter', `--net=/proc/${cluster.client.pid}/ns/net`], ports, requests),
    run(['nsenter', `--net=${await networkOf(inside)}`], await placesInside(inside), requests),
  ];
  await until('every place is asked', () => new Set(requests.map(({ place }) => place)).size === ports.length + 3, 60_000);
  return {
    async untilDown(manager, gone) {
      const names = gone.map(({ name }) => name);
      const isDown = async () => {
        const all = await get<readonly ApiNode[]>(manager, '/nodes').catch(() => []);
        return names.every((name) => all.some(({ Description, Status }) => Description.Hostname === name && Status.State === 'down'));
      };
      await until(`${names.join(' ')} is down`, isDown, 60_000);
      const downAt = Date.now();
      for (const { stdin } of programs) stdin.write('now\n');
      await delay(AFTERWARDS_MS);
      const places = ports.length + 3;
      await until('connections that stood have their answers', () => requests.filter(({ held }) => held).length === places * HELD, 30_000);
      return judge(requests, downAt);
    },
    stop() {
      for (const program of programs) program.kill('SIGKILL');
    },
  };
}

function judge(requests: readonly Request[], downAt: number): Verdict {
  const failures = requests.filter(({ answer }) => answer === undefined || answer === '');
  const last = (times: readonly number[]) => Math.max(0, ...times.map((time) => time - downAt));
  return {
    hanging: failures.filter(({ ended, begun }) => ended > downAt + AFTERWARDS_MS || ended - begun > 20_000),
    lastFailureMs: last(failures.filter(({ held }) => !held).map(({ begun }) => begun)),
    lastHeldMs: last(requests.filter(({ held }) => held).map(({ ended }) => ended)),
    requests: requests.length,
    failed: countedBy(failures.map(({ place, held }) => (held ? `held: ${place}` : place))),
  };
}

function countedBy(names: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries([...new Set(names)].map((name) => [name, names.filter((other) => other === name).length]));
}

function run(enter: readonly string[], places: readonly Place[], requests: Request[]) {
  const [command = '', ...rest] = enter;
  const program = [process.execPath, '--disable-warning=ExperimentalWarning', `${import.meta.dirname}/client-program.ts`];
  const child = spawn(command, [...rest, ...program, JSON.stringify({ places, held: HELD })], { stdio: ['pipe', 'pipe', 'inherit'] });
  let begun = '';
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (begun + chunk.toString()).split('\n');
    begun = lines.pop() ?? '';
    requests.push(...lines.map((line) => JSON.parse(line) as Request));
  });
  return child;
}

/** The network of the client's container on that node (machines.ts). */
async function networkOf(node: ClusterNode): Promise<string> {
  const pid = await node.engine.docker('inspect', '--format', '{{.State.Pid}}', await containerOf(node));
  return `${node.engine.procRoot}/${pid}/ns/net`;
}

async function containerOf(node: ClusterNode): Promise<string> {
  let found = '';
  await until(`the client's container runs on ${node.name}`, async () => {
    found = await node.engine.docker('ps', '-q', '--filter', 'label=com.docker.swarm.service.name=client');
    return found !== '';
  });
  return found;
}

async function placesInside(node: ClusterNode): Promise<readonly Place[]> {
  const resolv = await node.engine.docker('exec', await containerOf(node), 'cat', '/etc/resolv.conf');
  const nameserver = /^nameserver (\S+)/m.exec(resolv)?.[1] ?? '';
  const services = await get<readonly { readonly Endpoint: { readonly VirtualIPs: readonly { readonly NetworkID: string; readonly Addr: string }[] } }[]>(
    node,
    `/services?filters=${encodeURIComponent(JSON.stringify({ name: [SERVICE] }))}`,
  );
  const network = await get<{ readonly Id: string }>(node, '/networks/back');
  const virtual = services[0]?.Endpoint.VirtualIPs.find(({ NetworkID }) => NetworkID === network.Id)?.Addr.split('/')[0] ?? '';
  return [
    { name: 'virtual address', host: virtual, port: 80 },
    { name: 'name', host: SERVICE, port: 80, nameserver },
    { name: "tasks' name", host: `tasks.${SERVICE}`, port: 80, nameserver },
  ];
}
