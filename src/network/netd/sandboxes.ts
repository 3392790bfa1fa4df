// Namespaces for containers of an engine that knows no network drivers (Podman): made with every interface before the container is started in them,
// removed when it has ended. The way out is a bridge of our own, where Docker has docker_gwbridge.
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import type { PortConfig } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';
import { familyOf, formatIp, formatIpv4, ipv4SubnetsOverlap, parseCidr, parseIpv4Cidr } from '#lib/ip.ts';
import { uniqueLocalPool } from '#lib/unique-local.ts';
import type { SandboxPlace, SandboxSpec } from '#protocol/sandbox.ts';
import type { Sandbox } from '../desired.ts';
import { addNamespace, applySteps, removeNamespace, setSysctl, setSysctls } from '../kernel/apply.ts';
import { forwards6, observeHostLinks } from '../kernel/observe.ts';
import type { ActualLink } from '../render/overlay-links.ts';
import type { Overlays } from '../kernel/overlays.ts';
import { NAMESPACES, run } from '../kernel/run.ts';
import { endpointIdOf, macOf, type Names } from '../names.ts';
import { sandboxSteps } from '../render/sandbox-links.ts';
import type { Reconciler } from './reconciler.ts';
import { createSerial } from './serial.ts';
import type { NetdState } from './state.ts';

export interface SandboxKeeper {
  attach(spec: SandboxSpec): Promise<SandboxPlace>;
  detach(taskId: string): Promise<void>;
  /** All sandboxes and the bridge, without a word to anybody else. */
  removeAll(): Promise<void>;
}

export interface SandboxDependencies {
  readonly names: Names;
  readonly state: NetdState;
  readonly reconciler: Pick<Reconciler, 'withOverlay' | 'reconcile'>;
  readonly overlays: Overlays;
  readonly updateNames: () => void;
}

/** As Docker's containers have it: unprivileged programs may listen on low ports and ping; no IPv6 but on loopback. */
const SYSCTLS = { 'ipv4/ip_unprivileged_port_start': '0', 'ipv4/ping_group_range': '0 2147483647', 'ipv6/conf/default/disable_ipv6': '1' } as const;
/** Unless one of its networks has: then its addresses are there at once, and are the only ones. */
const SYSCTLS6 = {
  ...SYSCTLS,
  'ipv6/conf/default/disable_ipv6': '0',
  'ipv6/conf/default/accept_ra': '0',
  'ipv6/conf/default/accept_dad': '0',
  'ipv6/conf/default/autoconf': '0',
} as const;

/** Where the bridge's own subnet comes from: the first of these that meets nothing on this machine. */
const GATEWAY_SUBNETS = Array.from({ length: 14 }, (_, index) => `172.${18 + index}.0.1/20`);
const GATEWAY_SIZE = 4096;

export function createSandboxKeeper(dependencies: SandboxDependencies): SandboxKeeper {
  const { names, state, reconciler, overlays, updateNames } = dependencies;
  const serially = createSerial();
  let last = 1;
  const pathOf = (taskId: string) => `${NAMESPACES}/${names.sandbox(taskId)}`;

  /** A machine that was started again has none of the namespaces that we remember. */
  function forgetLost(): void {
    const there = state.sandboxes.filter(({ taskId }) => existsSync(pathOf(taskId)));
    if (there.length < state.sandboxes.length) keep(there);
  }

  /** The networks of sandboxes are in the state as the engine's own would be, so that everything else is done for them alike. */
  function keep(sandboxes: readonly Sandbox[]): void {
    const ofEngine = state.driverNetworks.filter(({ engineNetworkId }) => !engineNetworkId.startsWith('sandbox:'));
    const ofSandboxes = new Map(sandboxes.flatMap(({ networks }) => networks.map((network) => [network.networkId, network] as const)));
    state.setDriverNetworks([
      ...ofEngine,
      ...[...ofSandboxes.values()].map(({ networkId, vxlanId, gateways, mtu, encrypted }) => ({
        engineNetworkId: `sandbox:${networkId}`,
        networkId,
        vxlanId,
        gateways,
        ...(mtu === undefined ? {} : { mtu }),
        ...(encrypted === undefined ? {} : { encrypted }),
      })),
    ]);
    state.setSandboxes(sandboxes);
    updateNames();
  }

  function nextAddress(gateway: string): string {
    const parsed = parseIpv4Cidr(gateway);
    if (parsed === undefined) throw new AppError('internal', `the gateway bridge has no address: ${gateway}`);
    const used = new Set(state.sandboxes.map(({ gatewayAddress }) => gatewayAddress));
    for (let tried = 0; tried < GATEWAY_SIZE - 3; tried++) {
      // Ever the next one, so that what was tracked for a container that is gone does not meet another.
      last = last >= GATEWAY_SIZE - 2 ? 2 : last + 1;
      const address = `${formatIpv4(parsed.subnet.base + last)}/20`;
      if (!used.has(address)) return address;
    }
    throw new AppError('resourceExhausted', `no free address on the bridge ${names.gatewayBridge}`);
  }

  /** The same number behind the bridge's own 64 bits. */
  function addressBeside(address: string, gateway6: string | undefined): { readonly gatewayAddress6?: string } {
    const [four, six] = [parseCidr(address), parseCidr(gateway6 ?? '')];
    if (four === undefined || six === undefined) return {};
    const value = six.subnet.base + (four.address.value - four.subnet.base);
    return { gatewayAddress6: `${formatIp({ family: 6, value })}/${six.subnet.prefix}` };
  }

  function checkVxlanIds({ networks }: SandboxSpec): void {
    for (const { vxlanId, networkId } of networks) {
      const other = state.driverNetworks.find((network) => network.vxlanId === vxlanId && network.networkId !== networkId);
      if (other !== undefined) throw new AppError('alreadyExists', `VXLAN id ${vxlanId} is still used on this node by network ${other.networkId}`);
    }
  }

  async function build(sandbox: Sandbox, gateway: Gateway): Promise<void> {
    const namespace = names.sandbox(sandbox.taskId);
    await addNamespace(namespace);
    const has6 = sandbox.gatewayAddress6 !== undefined || sandbox.networks.some(({ address6 }) => address6 !== undefined);
    await setSysctls(namespace, has6 ? SYSCTLS6 : SYSCTLS);
    for (const { networkId, vxlanId } of sandbox.networks) {
      await reconciler.withOverlay(vxlanId, async (overlay) => {
        if (overlay === undefined) throw new AppError('notFound', `network ${networkId} is being removed`);
        await overlays.attach(overlay, endpointIdOf(sandbox.taskId, networkId));
      });
    }
    await applySteps(sandboxSteps(sandbox, gateway, names));
  }

  async function takeDown({ taskId, networks }: Sandbox): Promise<void> {
    for (const { networkId, vxlanId } of networks) await overlays.detach(vxlanId, endpointIdOf(taskId, networkId));
    await run(['ip', 'link', 'del', names.gatewayPort(endpointIdOf(taskId, ''))]);
    await removeNamespace(names.sandbox(taskId));
  }

  async function remove(sandbox: Sandbox): Promise<void> {
    await takeDown(sandbox);
    keep(state.sandboxes.filter(({ taskId }) => taskId !== sandbox.taskId));
  }

  async function make(spec: SandboxSpec): Promise<SandboxPlace> {
    checkVxlanIds(spec);
    const gateway = await ensureGateway(names);
    const hostPorts = await choosePorts(spec.hostPorts, state.sandboxes);
    const gatewayAddress = nextAddress(gateway.address);
    const sandbox: Sandbox = { ...spec, hostPorts, gatewayAddress, ...addressBeside(gatewayAddress, gateway.address6) };
    keep([...state.sandboxes, sandbox]);
    try {
      await build(sandbox, gateway);
      await reconciler.reconcile();
    } catch (error) {
      await remove(sandbox);
      throw error;
    }
    return { namespace: pathOf(spec.taskId), hostPorts };
  }

  forgetLost();
  return {
    attach: (spec) =>
      serially(async () => {
        const existing = state.sandboxes.find(({ taskId }) => taskId === spec.taskId);
        if (existing !== undefined) {
          const isSame = JSON.stringify(existing.networks) === JSON.stringify(spec.networks) && existsSync(pathOf(spec.taskId));
          if (isSame) return { namespace: pathOf(spec.taskId), hostPorts: existing.hostPorts };
          await remove(existing);
        }
        return make(spec);
      }),
    detach: (taskId) =>
      serially(async () => {
        const sandbox = state.sandboxes.find((candidate) => candidate.taskId === taskId);
        if (sandbox === undefined) return;
        await remove(sandbox);
        // What cannot be removed now, the reconciler tries again.
        await reconciler.reconcile().catch(() => {});
      }),
    removeAll: () =>
      serially(async () => {
        for (const sandbox of state.sandboxes) await takeDown(sandbox);
        await run(['ip', 'link', 'del', names.ownBridge]);
      }),
  };
}

/** The bridge's own addresses in CIDR form. */
export interface Gateway {
  readonly address: string;
  readonly address6?: string;
}

/** The bridge, made if it is missing; with IPv6 where the machine forwards that. */
async function ensureGateway(names: Names): Promise<Gateway> {
  const { links } = await observeHostLinks(names.gatewayBridge);
  const there = links.find(({ name }) => name === names.gatewayBridge)?.addresses ?? [];
  const address = there.find((candidate) => familyOf(candidate) === 4) ?? (await makeGateway(names, links));
  if (!(await forwards6())) return { address };
  const address6 = `${formatIp({ family: 6, value: uniqueLocalPool(`gateway ${names.dnsLabel}`).base + 1n })}/64`;
  if (!there.includes(address6)) await applySteps([{ tool: 'ip', lines: [`addr replace ${address6} dev ${names.gatewayBridge} nodad`] }]);
  return { address, address6 };
}

async function makeGateway(names: Names, links: readonly ActualLink[]): Promise<string> {
  const taken = links.flatMap(({ addresses }) => addresses.flatMap((address) => parseIpv4Cidr(address)?.subnet ?? []));
  const free = GATEWAY_SUBNETS.find((candidate) => {
    const subnet = parseIpv4Cidr(candidate)?.subnet;
    return subnet !== undefined && !taken.some((other) => ipv4SubnetsOverlap(subnet, other));
  });
  if (free === undefined) throw new AppError('resourceExhausted', `no free subnet for the bridge ${names.gatewayBridge} in 172.18.0.0 to 172.31.255.255`);
  await run(['ip', 'link', 'del', names.gatewayBridge]);
  const lines = [
    // A MAC address of its own: it would have that of one of its ports otherwise, and another one whenever containers come and go. Frames between
    // its ports pass our rules whatever the general setting is.
    `link add ${names.gatewayBridge} address ${macOf(free.split('/', 1)[0] ?? free)} type bridge forward_delay 0 nf_call_iptables 1`,
    `addr add ${free} dev ${names.gatewayBridge}`,
    `link set ${names.gatewayBridge} up`,
  ];
  await applySteps([{ tool: 'ip', lines }]);
  await setSysctl('ipv4/ip_forward', '1');
  return free;
}

/** A port that nobody has just now, for each that was left open. */
async function choosePorts(ports: readonly PortConfig[], sandboxes: readonly Sandbox[]): Promise<readonly PortConfig[]> {
  const used = new Set(sandboxes.flatMap(({ hostPorts }) => hostPorts.map(({ publishedPort }) => publishedPort)));
  const chosen: PortConfig[] = [];
  for (const port of ports) {
    let publishedPort = port.publishedPort || 0;
    while (publishedPort === 0 || (!port.publishedPort && used.has(publishedPort))) publishedPort = await freePort();
    used.add(publishedPort);
    chosen.push({ ...port, publishedPort });
  }
  return chosen;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.on('error', reject);
  server.listen(0, () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
  });
  return promise;
}
