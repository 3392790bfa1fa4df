// A node with an engine, a data plane and containers, and a client machine beside it: what the tests of the data plane are made on. There is no
// manager; the tests say themselves what a manager would.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '#lib/log.ts';
import { createDataPlane, type ManagedDataPlane } from '#network/client.ts';
import { LOG_FILE } from '#network/netd/protocol.ts';
import { systemClock } from '#platform/clock.ts';
import type { ClusterNetworkState, LocalEndpoint, NetworkService, OverlayNetwork } from '#protocol/network-state.ts';
import { assertNoCrash } from '../lib/crashes.ts';
import { run, startEngine, type TestEngine, until } from '../lib/engine.ts';

export interface LabContainer {
  readonly name: string;
  /** On the overlay. */
  readonly address: string;
  /** On an overlay with IPv6: `fd99:…` with the same last number. */
  readonly address6?: string;
  readonly gatewayAddress: string;
  readonly endpoint: LocalEndpoint;
  readonly pid: number;
  /** Runs one of busybox's commands in it; resolves with what it printed, whatever its exit code. */
  sh(script: string): Promise<string>;
  remove(): Promise<void>;
}

interface NetworkOptions {
  readonly internal?: boolean;
  readonly encrypted?: boolean;
  readonly ipv6?: boolean;
}

export interface Lab {
  readonly engine: TestEngine;
  readonly dataPlane: ManagedDataPlane;
  readonly stateDirectory: string;
  createNetwork(name: string, vxlanId: number, options?: NetworkOptions): Promise<OverlayNetwork>;
  /** A container that answers TCP 80 with "name peer-address" and UDP 90 likewise. */
  container(name: string, networks: Readonly<Record<string, string>>): Promise<LabContainer>;
  /** Tells the data plane what is so now: all networks and containers made here, and these services and ports. */
  apply(state?: { readonly services?: readonly NetworkService[]; readonly ingress?: ClusterNetworkState['ingress'] }): Promise<void>;
  /** Another connection, as skepd's after a restart; to another state directory: as another skepd's on the same machine, `apart` in a network namespace of its own. */
  connect(directory?: string, options?: { readonly apart: boolean }): Promise<ManagedDataPlane>;
  /** The id of netd's process inside. */
  netdPid(): Promise<number>;
  stop(): Promise<void>;
}

const IMAGE = 'busybox:lab';
export const LINK6 = { node: 'fd98::1', client: 'fd98::2' } as const;

/** A server of both protocols, run by Node in a container's network namespace: the image needs none. */
const SERVER = `
const name = process.argv[1];
const http = require('node:http'), dgram = require('node:dgram');
http.createServer((request, response) => response.end(name + ' ' + request.socket.remoteAddress.replace('::ffff:', ''))).listen(80);
for (const family of ['udp4', 'udp6']) {
  const udp = dgram.createSocket({ type: family, ipv6Only: family === 'udp6' });
  udp.on('message', (message, peer) => udp.send(name + ' ' + peer.address, peer.port, peer.address)).bind(90);
}
`;

/** Sends a datagram and prints the answer, or "none" after a second. */
export const UDP_CLIENT = `
const [, host, port, localPort] = process.argv;
const udp = require('node:dgram').createSocket('udp4');
const late = setTimeout(() => { console.log('none'); process.exit(); }, 1000);
udp.on('message', (message) => { console.log(String(message)); process.exit(); });
udp.bind(Number(localPort ?? 0), () => udp.send('x', Number(port), host));
`;

/** `ipv6`: the gateway bridge has it, as the node's link to the client, whose addresses on it are `fd98::1` and `fd98::2`. */
export async function startLab({ ipv6 = false }: { readonly ipv6?: boolean } = {}): Promise<Lab> {
  const engine = await startEngine({ name: 'network' });
  try {
    return await prepareLab(engine, ipv6);
  } catch (error) {
    await engine.stop();
    throw error;
  }
}

async function prepareLab(engine: TestEngine, ipv6: boolean): Promise<Lab> {
  const stateDirectory = join(engine.folder, 'state');
  await mkdir(stateDirectory);
  await engine.importBusybox(IMAGE, 'CMD ["sleep","100000"]');
  const bridge = [
    'com.docker.network.bridge.name=docker_gwbridge',
    'com.docker.network.bridge.enable_icc=false',
    'com.docker.network.bridge.enable_ip_masquerade=true',
  ];
  const pool6 = ipv6 ? ['--ipv6', '--subnet', 'fd97::/64'] : [];
  await engine.docker('network', 'create', ...bridge.flatMap((option) => ['-o', option]), ...pool6, 'docker_gwbridge');
  if (ipv6) await addLink6(engine);
  // As dockerd leaves it where forwarding was off before.
  await engine.exec(['iptables', '-P', 'FORWARD', 'DROP']);
  const entry = join(import.meta.dirname, '../../src/main/skep-netd.ts');
  const connections: ManagedDataPlane[] = [];
  const connect = async (directory = stateDirectory, { apart } = { apart: false }) => {
    const inside = ['nsenter', '-t', String(engine.pid), '-m', '-n', '-p', '--', ...(apart ? ['unshare', '-n', '--'] : [])];
    const connection = await createDataPlane({
      stateDirectory: directory,
      netdCommand: [...inside, process.execPath, '--disable-warning=ExperimentalWarning', entry],
      settings: { pluginDirectory: '/run/docker/plugins', dataPathPort: 4789 },
      clock: systemClock,
      log: silentLogger,
    });
    connections.push(connection);
    return connection;
  };
  const dataPlane = await connect();
  const networks = new Map<string, OverlayNetwork>();
  const containers = new Map<string, LabContainer>();
  let version = 0;
  return {
    engine,
    dataPlane,
    stateDirectory,
    connect,
    async createNetwork(name, vxlanId, { internal = false, encrypted = false, ipv6 = false } = {}) {
      const number = vxlanId - 4096;
      const [subnet, gateway] = [`10.99.${number}.0/24`, `10.99.${number}.1`];
      const subnet6 = { subnet: `fd99:${number}::/64`, gateway: `fd99:${number}::1` };
      const pool6 = ipv6 ? ['--ipv6', '--subnet', subnet6.subnet, '--gateway', subnet6.gateway, '--ip-range', `${subnet6.gateway}/128`] : [];
      const options = ['-o', `skep.network=id-${name}`, '-o', `skep.vni=${vxlanId}`, ...(encrypted ? ['-o', 'skep.encrypted=true'] : [])];
      await engine.docker('network', 'create', '-d', dataPlane.driverName, '--subnet', subnet, '--gateway', gateway, ...pool6, ...options, name);
      const network = {
        networkId: `id-${name}`,
        name,
        vxlanId,
        subnets: [{ subnet, gateway }, ...(ipv6 ? [subnet6] : [])],
        internal,
        attachable: true,
        encrypted,
        endpoints: [],
      };
      networks.set(name, network);
      return network;
    },
    async container(name, addresses) {
      const [network = ''] = Object.keys(addresses);
      const has6 = (networks.get(network)?.subnets.length ?? 0) > 1;
      const made = await startContainer(engine, dataPlane.dnsAddress, name, addresses, has6);
      const container = {
        ...made,
        async remove() {
          containers.delete(name);
          await engine.docker('rm', '-f', name);
        },
      };
      containers.set(name, container);
      return container;
    },
    async apply({ services = [], ingress = [] } = {}) {
      version++;
      const signal = AbortSignal.timeout(20_000);
      const all = [...containers.values()];
      const overlays = [...networks.values()].map((network) => ({
        ...network,
        endpoints: all.flatMap(({ name, endpoint, address, address6 }) =>
          endpoint.networkIds[0] === network.networkId
            ? [{ taskId: endpoint.taskId, nodeId: 'node', address, ...(address6 === undefined ? {} : { address6 }), names: [name] }]
            : [],
        ),
      }));
      await dataPlane.applyLocal({ version, endpoints: all.map(({ endpoint }) => endpoint) }, signal);
      await dataPlane.applyCluster(
        { version, nodes: [{ nodeId: 'node', index: 1, dataPathAddress: engine.address }], networks: overlays, services, ingress },
        signal,
      );
    },
    async netdPid() {
      const { stdout } = await run(['curl', '-sS', '--unix-socket', join(stateDirectory, 'netd.sock'), 'http://netd/status']);
      return (JSON.parse(stdout) as { readonly pid: number }).pid;
    },
    async stop() {
      for (const connection of connections) await connection.close();
      try {
        await assertNoCrash(engine, [join(stateDirectory, LOG_FILE)]);
      } finally {
        await engine.stop();
      }
    },
  };
}

/** Tells one of several nodes which containers are its own, and what the whole cluster is. */
export async function applyCluster({ dataPlane }: Lab, own: readonly LabContainer[], state: ClusterNetworkState): Promise<void> {
  const signal = AbortSignal.timeout(20_000);
  await dataPlane.applyLocal({ version: 1, endpoints: own.map(({ endpoint }) => endpoint) }, signal);
  await dataPlane.applyCluster(state, signal);
}

async function addLink6(engine: TestEngine): Promise<void> {
  await engine.exec(['ip', 'addr', 'add', `${LINK6.node}/64`, 'dev', 'uplink', 'nodad']);
  await engine.client.exec(['ip', 'addr', 'add', `${LINK6.client}/64`, 'dev', 'eth0', 'nodad']);
}

async function startContainer(
  engine: TestEngine,
  dns: string,
  name: string,
  addresses: Readonly<Record<string, string>>,
  has6: boolean,
): Promise<Omit<LabContainer, 'remove'>> {
  const [[first, address] = ['', ''], ...others] = Object.entries(addresses);
  const [, , number, host] = address.split('.');
  const address6 = has6 ? `fd99:${number}::${host}` : undefined;
  await engine.docker(
    'create',
    '--name',
    name,
    '--stop-signal',
    'KILL',
    '--network',
    first,
    '--ip',
    address,
    ...(address6 === undefined ? [] : ['--ip6', address6]),
    '--dns',
    dns,
    IMAGE,
  );
  for (const [network, other] of others) await engine.docker('network', 'connect', '--ip', other, network, name);
  await engine.docker('start', name);
  const [pid, containerId] = (await engine.docker('inspect', '--format', '{{.State.Pid}} {{.Id}}', name)).split(' ');
  const gateway = `{{with index .Containers "${containerId}"}}{{.IPv4Address}} {{.IPv6Address}}{{end}}`;
  const [gatewayAddress = '', gatewayAddress6 = ''] = (await engine.docker('network', 'inspect', 'docker_gwbridge', '--format', gateway)).split(' ');
  await engine.spawnInside(['nsenter', '-t', pid ?? '', '-n', '--', process.execPath, '-e', SERVER, name]);
  await until(`${name} answers`, async () => (await engine.exec(['nsenter', '-t', pid ?? '', '-n', '--', 'curl', '-sS', 'http://127.0.0.1/'])).code === 0);
  const bare = gatewayAddress.split('/', 1)[0] ?? '';
  return {
    name,
    address,
    ...(address6 === undefined ? {} : { address6 }),
    gatewayAddress: bare,
    pid: Number(pid),
    endpoint: {
      taskId: `task-${name}`,
      containerId: containerId ?? '',
      gatewayAddress: bare,
      ...(gatewayAddress6 === '' ? {} : { gatewayAddress6: gatewayAddress6.split('/', 1)[0] ?? '' }),
      pid: Number(pid),
      networkIds: Object.keys(addresses).map((network) => `id-${network}`),
    },
    async sh(script) {
      const { stdout, stderr } = await engine.tryDocker(['exec', name, 'sh', '-c', script]);
      return `${stdout}${stderr}`.trim();
    },
  };
}
