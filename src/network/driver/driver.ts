// Docker's remote network driver, as the engine calls it: networks and endpoints of plain containers and tasks alike. Addresses are the engine's
// business (it was told them), forwarding is the reconciler's. Every call may come again after a crash and then finds what it had done.
import { AppError } from '#lib/errors.ts';
import { parseCidr } from '#lib/ip.ts';
import type { DriverNetwork } from '../desired.ts';
import type { Overlays } from '../kernel/overlays.ts';
import { macOf, type Names } from '../names.ts';
import type { Quarantine } from '../netd/quarantine.ts';
import type { Reconciler } from '../netd/reconciler.ts';
import type { NetdState } from '../netd/state.ts';

/** A call's body; only what is used here. */
export interface DriverRequest {
  readonly NetworkID?: string;
  readonly EndpointID?: string;
  readonly Options?: Readonly<Record<string, unknown>>;
  readonly IPv4Data?: readonly PoolData[];
  readonly IPv6Data?: readonly PoolData[];
  readonly Interface?: { readonly Address?: string; readonly MacAddress?: string };
}

interface PoolData {
  readonly Pool?: string;
  readonly Gateway?: string;
}

export type Driver = Readonly<Record<string, (request: DriverRequest) => Promise<object> | object>>;

export interface DriverDependencies {
  readonly names: Names;
  readonly state: NetdState;
  readonly reconciler: Reconciler;
  readonly overlays: Overlays;
  readonly quarantine: Quarantine;
}

/** Options of `docker network create` that say which network of the swarm this is. */
const OPTION = {
  networkId: 'skep.network',
  vxlanId: 'skep.vni',
  mtu: 'skep.mtu',
  encrypted: 'skep.encrypted',
  dockerMtu: 'com.docker.network.driver.mtu',
} as const;

export function createDriver(dependencies: DriverDependencies): Driver {
  const { state, reconciler, overlays, quarantine } = dependencies;
  const networkOf = ({ NetworkID = '' }: DriverRequest) => state.driverNetworks.find(({ engineNetworkId }) => engineNetworkId === NetworkID);
  return {
    'Plugin.Activate': () => ({ Implements: ['NetworkDriver'] }),
    // Local scope: the engine needs no cluster store; the same network is made on each node.
    'NetworkDriver.GetCapabilities': () => ({ Scope: 'local', ConnectivityScope: 'global' }),
    'NetworkDriver.CreateNetwork': (request) => createNetwork(request, dependencies),
    'NetworkDriver.DeleteNetwork': async ({ NetworkID = '' }) => {
      state.setDriverNetworks(state.driverNetworks.filter(({ engineNetworkId }) => engineNetworkId !== NetworkID));
      // The engine has forgotten the network whatever we answer; what cannot be removed now, the reconciler tries again.
      await reconciler.reconcile().catch(() => {});
      return {};
    },
    'NetworkDriver.CreateEndpoint': (request) => {
      quarantine.note(request.EndpointID ?? '', addressOf(request));
      return createEndpoint(request);
    },
    'NetworkDriver.EndpointOperInfo': () => ({ Value: {} }),
    'NetworkDriver.DeleteEndpoint': ({ EndpointID = '' }) => {
      quarantine.leave(EndpointID);
      return {};
    },
    'NetworkDriver.Join': async (request) => {
      const network = networkOf(request);
      if (network === undefined)
        throw new AppError('notFound', `network ${request.NetworkID} is not one of driver ${dependencies.names.driver}; remove it and create it again`);
      const source = await reconciler.withOverlay(network.vxlanId, (overlay) => {
        if (overlay === undefined) throw new AppError('notFound', `network ${network.networkId} is being removed`);
        return overlays.attach(overlay, request.EndpointID ?? '');
      });
      await guardInternal(network, request, dependencies);
      // No gateway: the engine then joins the container to docker_gwbridge, its way out and to the resolver.
      return { InterfaceName: { SrcName: source, DstPrefix: 'eth' } };
    },
    'NetworkDriver.Leave': async (request) => {
      const network = networkOf(request);
      if (network !== undefined) await reconciler.withOverlay(network.vxlanId, () => overlays.detach(network.vxlanId, request.EndpointID ?? ''));
      return {};
    },
    'NetworkDriver.DiscoverNew': () => ({}),
    'NetworkDriver.DiscoverDelete': () => ({}),
    'NetworkDriver.ProgramExternalConnectivity': () => ({}),
    'NetworkDriver.RevokeExternalConnectivity': () => ({}),
  };
}

async function createNetwork(request: DriverRequest, { names, state, reconciler, overlays }: DriverDependencies): Promise<object> {
  const network = parseNetwork(request, names);
  const others = state.driverNetworks.filter(({ engineNetworkId }) => engineNetworkId !== network.engineNetworkId);
  const conflict = others.find(({ vxlanId, networkId }) => vxlanId === network.vxlanId && networkId !== network.networkId);
  if (conflict !== undefined) {
    throw new AppError(
      'alreadyExists',
      `VXLAN id ${network.vxlanId} is still used on this node by network ${conflict.networkId}; remove the engine's network ${conflict.engineNetworkId}`,
    );
  }
  state.setDriverNetworks([...others, network]);
  try {
    // The rules that keep it from the open come before its tunnel.
    if (network.encrypted) await reconciler.reconcile();
    await reconciler.withOverlay(network.vxlanId, async (overlay) => {
      if (overlay !== undefined) await overlays.apply(overlay, false);
    });
  } catch (error) {
    // The engine forgets a network that could not be made, so we do.
    state.setDriverNetworks(others);
    throw error;
  }
  return {};
}

function parseNetwork({ NetworkID = '', Options = {}, IPv4Data, IPv6Data }: DriverRequest, names: Names): DriverNetwork {
  const generic = Options['com.docker.network.generic'];
  const options = typeof generic === 'object' && generic !== null ? (generic as Readonly<Record<string, unknown>>) : {};
  const networkId = options[OPTION.networkId];
  const vxlanId = Number(options[OPTION.vxlanId]);
  if (typeof networkId !== 'string' || !Number.isInteger(vxlanId) || vxlanId <= 0 || vxlanId >= 2 ** 24) {
    throw new AppError('invalidArgument', `networks of driver ${names.driver} are made by skepd; use --driver overlay`);
  }
  const mtu = Number(options[OPTION.mtu] ?? options[OPTION.dockerMtu]);
  const gateways = [...(IPv4Data ?? []), ...(IPv6Data ?? [])].flatMap(({ Pool = '', Gateway = '' }) => {
    const prefix = Pool.split('/')[1];
    const cidr = Gateway.includes('/') ? Gateway : `${Gateway}/${prefix}`;
    return parseCidr(cidr) === undefined ? [] : [cidr];
  });
  return {
    engineNetworkId: NetworkID,
    networkId,
    vxlanId,
    gateways,
    ...(Number.isInteger(mtu) && mtu > 0 ? { mtu } : {}),
    ...(options[OPTION.encrypted] === 'true' ? { encrypted: true } : {}),
  };
}

/** A container on an internal network must not get out, not even before the agent has said where it is on the gateway bridge. */
async function guardInternal(
  { networkId }: DriverNetwork,
  { EndpointID = '' }: DriverRequest,
  { state, quarantine, reconciler }: DriverDependencies,
): Promise<void> {
  if (state.cluster.networks.find((network) => network.networkId === networkId)?.internal !== true) return;
  quarantine.enter(EndpointID, networkId);
  await reconciler.reconcile();
}

/** The MAC address follows from the address, unless somebody asked for one: then it must not be answered. */
function createEndpoint(request: DriverRequest): object {
  const address = addressOf(request);
  return { Interface: address === undefined || request.Interface?.MacAddress ? {} : { MacAddress: macOf(address) } };
}

/** The endpoint's bare IPv4 address, if the engine has given it one. */
function addressOf({ Interface }: DriverRequest): string | undefined {
  return Interface?.Address?.split('/', 1)[0] || undefined;
}
