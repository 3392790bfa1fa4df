// Networks: their subnets (subnets.ts) and VXLAN ids. What is taken is what the networks of the view have; two networks never overlap.
import type { Network, NetworkState } from '#domain/objects.ts';
import type { Round } from './round.ts';
import { subnetsFor, wishedPools } from './subnets.ts';

/** SwarmKit's: the ingress network of a new swarm has 4096; here the mesh between nodes has it always, so no other network ever gets it. */
const INGRESS_VXLAN_ID = 4096;
const LAST_VXLAN_ID = 2 ** 24 - 1;
const VXLAN_OPTION = 'com.docker.network.driver.overlay.vxlanid_list';

/** Gives a network what it lacks, or writes why it cannot have it. */
export function allocateNetwork(round: Round, network: Network): void {
  if (network.state !== undefined) return;
  const result = stateFor(round, network);
  if ('error' in result) {
    if (network.allocationError !== result.error) round.changeNetwork({ ...network, allocationError: result.error });
    return;
  }
  const { allocationError: _solved, ...rest } = network;
  round.changeNetwork({ ...rest, state: result });
}

/** Those with wishes first, then in the order in which they were made: a default must not take what somebody asked for. */
export function byUrgency(a: Network, b: Network): number {
  return Number(b.spec.ingress) - Number(a.spec.ingress) || Number(hasWishes(b)) - Number(hasWishes(a)) || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}

function hasWishes(network: Network): boolean {
  return wishedPools(network, 4).length > 0 || (network.spec.ipv6 && wishedPools(network, 6).length > 0);
}

type Result = NetworkState | { readonly error: string };

function stateFor(round: Round, network: Network): Result {
  const name = network.spec.driver?.name || 'overlay';
  const options = network.spec.driver?.options;
  // Networks of the engine's own drivers (bridge, host, macvlan …) exist on each node for itself.
  if (name !== 'overlay') return { driver: { name, ...(options === undefined ? {} : { options }) }, pools: [] };
  const others = round.networks().filter((other) => other.id !== network.id);
  const pools = subnetsFor(round.view, network, others, 4);
  if ('error' in pools) return pools;
  // The mesh between the nodes needs no addresses of the ingress network.
  const pools6 = network.spec.ipv6 && !network.spec.ingress ? subnetsFor(round.view, network, others, 6) : { pools: [] };
  if ('error' in pools6) return pools6;
  const vxlanId = vxlanIdFor(network, others);
  if (vxlanId === undefined) return { error: 'could not assign vxlan id: requested bit is already allocated' };
  return { driver: { name, options: { ...options, [VXLAN_OPTION]: String(vxlanId) } }, vxlanId, pools: [...pools.pools, ...pools6.pools] };
}

function vxlanIdFor(network: Network, others: readonly Network[]): number | undefined {
  const used = new Set(others.map((other) => other.state?.vxlanId));
  const wished = Number(network.spec.driver?.options?.[VXLAN_OPTION] || Number.NaN);
  if (!Number.isNaN(wished))
    return Number.isInteger(wished) && wished > 0 && wished <= LAST_VXLAN_ID && wished !== INGRESS_VXLAN_ID && !used.has(wished) ? wished : undefined;
  if (network.spec.ingress && !used.has(INGRESS_VXLAN_ID)) return INGRESS_VXLAN_ID;
  // Serial: behind the highest, so that the id of a removed network rests for a while.
  const highest = others.reduce((max, other) => Math.max(max, isSerial(other) ? (other.state?.vxlanId ?? 0) : 0), INGRESS_VXLAN_ID);
  for (let id = highest + 1; id <= LAST_VXLAN_ID; id++) if (!used.has(id)) return id;
  for (let id = INGRESS_VXLAN_ID + 1; id <= highest; id++) if (!used.has(id)) return id;
  return undefined;
}

function isSerial(network: Network): boolean {
  return network.spec.driver?.options?.[VXLAN_OPTION] === undefined;
}
