// Five machines under fault: three managers on etcd and two workers, a published service whose tasks tell who they are, and everything that can be done to them.
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type ClusterNode, startCluster, type TestCluster } from '../../lib/cluster.ts';
import { startEngine, type TestEngine } from '../../lib/engine.ts';
import { until } from '../../lib/namespace.ts';

export const MANAGERS = 3;
export const REPLICAS = 6;
export const SERVICE = 'web';
export const PORT = 8080;
const IMAGE = 'busybox:1';

/** Of the answers of Docker's API, what is looked at here. */
export interface ApiTask {
  readonly ID: string;
  readonly Slot: number;
  readonly NodeID: string;
  readonly DesiredState: string;
  readonly Status: { readonly State: string };
}

export interface ApiNode {
  readonly ID: string;
  readonly Description: { readonly Hostname: string };
  readonly Status: { readonly State: string };
  readonly ManagerStatus?: { readonly Leader?: boolean; readonly Reachability: string };
}

/** A swarm of three managers and two workers with the service, all of whose tasks run. */
export async function startMachines(): Promise<TestCluster> {
  const cluster = await startCluster({ nodes: MANAGERS + 2, engineOf });
  try {
    const [first, second, third, ...workers] = cluster.nodes;
    if (first === undefined || second === undefined || third === undefined) throw new Error('three managers are needed');
    await Promise.all(cluster.nodes.map((node) => node.engine.importBusybox(IMAGE)));
    await first.docker('swarm', 'init', '--advertise-addr', first.lanAddress);
    const [manager, worker] = await Promise.all(['manager', 'worker'].map((role) => first.docker('swarm', 'join-token', '-q', role)));
    for (const node of [second, third]) await join(node, manager ?? '', first.lanAddress);
    await Promise.all(workers.map((node) => join(node, worker ?? '', first.lanAddress)));
    // It ends at once when it is asked to: its grace period would hide what the swarm needs.
    const script = 'mkdir /www && echo "$TASK" > /www/index.html && trap "exit 0" TERM; httpd -f -p 80 -h /www & wait';
    const common = ['--detach', '--no-resolve-image', '--stop-grace-period', '1s', '--network', 'back'];
    await first.docker('network', 'create', '--driver', 'overlay', 'back');
    // In its place clients stand (clients.ts).
    await first.docker('service', 'create', ...common, '--name', 'client', '--mode', 'global', IMAGE, 'sleep', '1000000');
    const flags = [...common, '--name', SERVICE, '--replicas', String(REPLICAS), '--publish', `${PORT}:80`];
    await first.docker('service', 'create', ...flags, '--env', 'TASK={{.Task.ID}}', IMAGE, 'sh', '-c', script);
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** skepd's files are on a file system of their own, which can be full or read-only; it outlives the loss of power as a disk does. */
async function engineOf(name: string): Promise<TestEngine> {
  const engine = await startEngine({ name });
  await engine.exec(['sh', '-c', `mkdir ${engine.folder}/skep && mount -t tmpfs -o size=400m,mode=700 tmpfs ${engine.folder}/skep`]);
  return engine;
}

function join(node: ClusterNode, token: string, address: string): Promise<string> {
  return node.docker('swarm', 'join', '--advertise-addr', node.lanAddress, '--token', token, `${address}:2377`);
}

/** What a node's API answers; rejects with its words when it does not answer with 200. */
export async function get<T>(node: ClusterNode, path: string): Promise<T> {
  const { status, text, json } = await node.http('GET', path);
  if (status !== 200) throw new Error(`${node.name}: GET ${path}: ${status} ${text}`);
  return json as T;
}

/** The manager that leads, by the word of one of `asked`. */
export async function leaderOf(asked: readonly ClusterNode[], all: readonly ClusterNode[]): Promise<ClusterNode> {
  let leader: ClusterNode | undefined;
  await until('a manager leads', async () => {
    for (const node of asked) {
      const nodes = await get<readonly ApiNode[]>(node, '/nodes').catch(() => []);
      const name = nodes.find(({ ManagerStatus }) => ManagerStatus?.Leader === true)?.Description.Hostname;
      leader ??= all.find((one) => one.name === name);
    }
    return leader !== undefined;
  });
  if (leader === undefined) throw new Error('a manager leads');
  return leader;
}

/** Milliseconds until a write through one of these nodes is acknowledged. */
export async function firstWrite(nodes: readonly ClusterNode[]): Promise<number> {
  const startedAt = performance.now();
  const name = `first-${randomBytes(6).toString('hex')}`;
  for (let count = 0; performance.now() - startedAt < 60_000; count++) {
    const node = nodes[count % nodes.length];
    const answer = await node?.http('POST', '/configs/create', { Name: `${name}-${count}`, Data: 'eA==' }).catch(() => undefined);
    if (answer?.status === 201) return performance.now() - startedAt;
    if (answer?.status === 400) throw new Error(answer.text);
    await delay(10);
  }
  throw new Error('no write was acknowledged within a minute');
}

/** The power goes: every process of the machine ends at once, and nothing comes out of its cable. */
export async function powerOff(node: ClusterNode): Promise<void> {
  await node.cut();
  await node.engine.exec(['sh', '-c', 'kill -9 -1']);
  await Promise.all([node.stopDaemon('SIGKILL'), node.engine.stopDaemon('SIGKILL')]);
}

/** The power comes back: nothing of the kernel's state has survived but the machine's own interfaces, and engine and skepd start. */
export async function powerOn(node: ClusterNode): Promise<void> {
  await node.engine.exec(['sh', '-c', FORGET]);
  await node.heal();
  await node.engine.startDaemon();
  await node.startDaemon();
}

/**
 * What a boot of the machine does away with: rules, bridges, tunnels, sockets and mounts of containers. The kernel takes its time with the namespaces of
 * what was killed: one that still hung on a bridge would answer for the address that a new container has. (/sys may show another namespace's links.)
 */
const FORGET = `nft flush ruleset; iptables -t nat -F; iptables -F
for link in $(ip -o link | sed 's/^[0-9]*: //; s/[:@].*//'); do case $link in lo|lan0|uplink) ;; *) ip link del $link;; esac; done
for rule in $(ip rule | cut -d: -f1); do case $rule in 0|32766|32767) ;; *) ip rule del pref $rule;; esac; done
umount -a -t nsfs 2>/dev/null; umount $(grep -o '/[^ ]*/merged' /proc/mounts) 2>/dev/null
rm -rf /run/docker /run/skep* /run/netns/*; mkdir -p /run/docker/plugins; true`;
