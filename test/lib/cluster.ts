// Several machines on one: each an engine and a skepd of its own (skepd.ts), joined by a switch. Links can be cut and healed.
import { randomBytes } from 'node:crypto';
import { startEngine, type TestEngine } from './engine.ts';
import { createNamespace, runOrThrow } from './namespace.ts';
import { startSkepd, type TestSkepd } from './skepd.ts';

export interface ClusterNode extends TestSkepd {
  readonly name: string;
  /** Its address on the switch: what it advertises, and what others reach it at. */
  readonly lanAddress: string;
  /** Its address of IPv6 there, if it has one. */
  readonly lanAddress6?: string;
  /** Takes its cable out: nothing arrives and nothing leaves, and nobody is told. */
  cut(): Promise<void>;
  heal(): Promise<void>;
}

export interface TestCluster {
  readonly nodes: readonly ClusterNode[];
  readonly manager: ClusterNode;
  /** A machine on the switch that is no node. */
  readonly client: Pick<Awaited<ReturnType<typeof createNamespace>>, 'exec' | 'spawnInside' | 'pid'> & {
    readonly address: string;
    readonly address6: string;
  };
  stop(): Promise<void>;
}

export interface ClusterOptions {
  readonly nodes: number;
  readonly args?: readonly string[];
  /** Nodes have addresses of IPv6 on the switch, only or besides, and forward it; the client has one of each family. */
  readonly ipv6?: 'only' | 'besides';
  /** A node's engine; Docker unless said otherwise. */
  readonly engineOf?: (name: string) => Promise<TestEngine>;
}

/** The first node is a manager once `formSwarm` has made the swarm. Images must be imported on each node. */
export async function startCluster({ nodes: count, args = [], ipv6, engineOf = (name) => startEngine({ name }) }: ClusterOptions): Promise<TestCluster> {
  const [x = 0, y = 0] = randomBytes(2);
  const base = `10.${100 + (x % 50)}.${y}`;
  const base6 = `fd0a:${x.toString(16)}:${y.toString(16)}:`;
  const lan = await createNamespace('client');
  const inLan = (...command: string[]) => runOrThrow(['nsenter', `--net=/proc/${lan.pid}/ns/net`, 'ip', ...command]);
  await inLan('link', 'add', 'br0', 'type', 'bridge');
  await inLan('addr', 'add', `${base}.254/24`, 'dev', 'br0');
  await inLan('addr', 'add', `${base6}:fe/64`, 'dev', 'br0', 'nodad');
  await inLan('link', 'set', 'br0', 'up');
  const nodes = await Promise.all(Array.from({ length: count }, (_, index) => startNode(index)));

  async function startNode(index: number): Promise<ClusterNode> {
    const name = `node${index + 1}`;
    const lanAddress6 = `${base6}:${index + 1}`;
    const lanAddress = ipv6 === 'only' ? lanAddress6 : `${base}.${index + 1}`;
    const engine = await engineOf(name);
    const inNode = (...command: string[]) => runOrThrow(['nsenter', `--net=/proc/${engine.pid}/ns/net`, 'ip', ...command]);
    await inLan('link', 'add', `port${index + 1}`, 'type', 'veth', 'peer', 'name', 'lan0', 'netns', String(engine.pid));
    await inLan('link', 'set', `port${index + 1}`, 'master', 'br0', 'up');
    if (ipv6 !== 'only') await inNode('addr', 'add', `${lanAddress}/24`, 'dev', 'lan0');
    if (ipv6 !== undefined) await inNode('addr', 'add', `${lanAddress6}/64`, 'dev', 'lan0', 'nodad');
    await inNode('link', 'set', 'lan0', 'up');
    // Then published ports answer over IPv6, too.
    if (ipv6 !== undefined) await engine.exec(['sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding']);
    const skepd = await startSkepd({ engine, args: ['--hostname', name, ...args] });
    return {
      ...skepd,
      name,
      lanAddress,
      ...(ipv6 === undefined ? {} : { lanAddress6 }),
      cut: async () => void (await inLan('link', 'set', `port${index + 1}`, 'nomaster')),
      heal: async () => void (await inLan('link', 'set', `port${index + 1}`, 'master', 'br0')),
      async stop() {
        try {
          await skepd.stop();
        } finally {
          await engine.stop();
        }
      },
    };
  }

  const [manager] = nodes;
  if (manager === undefined) throw new Error('a cluster has at least one node');
  return {
    nodes,
    manager,
    client: { ...lan, address: ipv6 === 'only' ? `${base6}:fe` : `${base}.254`, address6: `${base6}:fe` },
    async stop() {
      const stopped = await Promise.allSettled(nodes.map((node) => node.stop()));
      await lan.destroy();
      for (const result of stopped) if (result.status === 'rejected') throw result.reason;
    },
  };
}

/** `docker swarm init` on the first node and `docker swarm join` on the others, as workers. */
export async function formSwarm({ nodes, manager }: TestCluster, ...initArgs: string[]): Promise<void> {
  await manager.docker('swarm', 'init', '--advertise-addr', manager.lanAddress, ...initArgs);
  const token = await manager.docker('swarm', 'join-token', '-q', 'worker');
  await Promise.all(
    nodes
      .filter((node) => node !== manager)
      .map((node) => node.docker('swarm', 'join', '--advertise-addr', node.lanAddress, '--token', token, joinAddress(manager))),
  );
}

/** As `docker swarm join` wants it. */
export function joinAddress({ lanAddress }: Pick<ClusterNode, 'lanAddress'>): string {
  return lanAddress.includes(':') ? `[${lanAddress}]:2377` : `${lanAddress}:2377`;
}
