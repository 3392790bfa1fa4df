// Everything of ours that has a name on the machine, derived from one small number. Several skepds may share a machine and even a network namespace:
// each holds another number, so nothing of theirs can meet. How a number is taken is in netd/claim.ts.
import { createHash } from 'node:crypto';
import { formatIpv4, parseIpv4 } from '#lib/ip.ts';
import { assert, present } from '#lib/assert.ts';

/** The number of the first skepd on a machine; its names carry no number. */
export const DEFAULT_SLOT = 53;
const FIRST_SLOT = 1;
const LAST_SLOT = 254;

/** Not 51820: people's own WireGuard has that. */
const FIRST_ENCRYPTION_PORT = 51830;

/** Set in every mark of ours; the slot is in bits 16 to 23 (0 for the default) and the index of a node in bits 0 to 15. */
const MARK_FLAG = 0x40000000;

export interface Names {
  readonly slot: number;
  /** Name of the engine's network driver, and of its socket. */
  readonly driver: string;
  /** The resolver's address, on `lo`. */
  readonly dnsAddress: string;
  /** Label of that address: tells to whom it belongs. */
  readonly dnsLabel: string;
  /** nftables table in the host's namespace. */
  readonly table: string;
  /** Device of the mesh between the nodes. */
  readonly meshDevice: string;
  /** Device of the WireGuard mesh, and the UDP port of this node's end unless the settings say otherwise. */
  readonly encryptionDevice: string;
  readonly encryptionPort: number;
  /** Mark of a connection that came in here; with a node's index in its low bits, of one that this node passed on to us. */
  readonly mark: number;
  /** Priorities of the policy routing rules: the exception first, then one per node. */
  readonly rulePriority: { readonly exception: number; readonly nodes: number };
  /** Namespace of an overlay network. */
  namespace(vxlanId: number): string;
  /** The VXLAN id of a namespace's name when it is one of ours. */
  vxlanIdOf(namespace: string): number | undefined;
  /** The container's end of an endpoint's veth pair, while it waits in the host's namespace. */
  hostPort(endpointId: string): string;
  isHostPort(device: string): boolean;
  /** The bridge that leads containers out: the engine's, or ours where the engine has none. */
  readonly gatewayBridge: string;
  /** The bridge of our own, whether it is used or not. */
  readonly ownBridge: string;
  /** Whether that one leads out. */
  readonly ownsGateway: boolean;
  /** The bridge's end of a sandbox's way out. */
  gatewayPort(endpointId: string): string;
  /** Namespace of a task whose container is started in one that we make. */
  sandbox(taskId: string): string;
}

/** Marks are compared under this mask, so that bits of others do not disturb. */
export const MARK_MASK = 0x40ffffff;
/** The bits that say "of this skepd", whatever node. */
export const MARK_OWNER_MASK = 0x40ff0000;

/** The bridge that the engine gives every container that needs a way out; its name is fixed in Docker. */
export const GATEWAY_BRIDGE = 'docker_gwbridge';

/** The name of a slot's network driver, with which other names begin. */
export function driverOf(slot: number): string {
  return slot === DEFAULT_SLOT ? 'skep' : `skep${slot}`;
}

/** `ownsGateway`: the engine knows no gateway bridge (Podman). */
export function namesOf(slot: number, stateKey: string, ownsGateway = false): Names {
  assert(Number.isInteger(slot) && slot >= FIRST_SLOT && slot <= LAST_SLOT, `slot ${slot} is out of range`);
  const prefix = driverOf(slot);
  const number = slot === DEFAULT_SLOT ? 0 : slot;
  const namespacePattern = new RegExp(`^${prefix}-([0-9]{1,8})$`);
  return {
    slot,
    driver: prefix,
    dnsAddress: `169.254.53.${slot}`,
    dnsLabel: dnsLabelOf(stateKey),
    table: prefix,
    meshDevice: `swm${number}`,
    encryptionDevice: `skw${number}`,
    encryptionPort: FIRST_ENCRYPTION_PORT + number,
    mark: (MARK_FLAG | (number << 16)) >>> 0,
    rulePriority: { exception: 1000 + 2 * number, nodes: 1001 + 2 * number },
    namespace: (vxlanId) => `${prefix}-${vxlanId}`,
    vxlanIdOf: (namespace) => {
      const match = namespacePattern.exec(namespace);
      return match === null ? undefined : Number(match[1]);
    },
    // At most 3 + 3 + 8 of the 15 characters that a device's name may have.
    hostPort: (endpointId) => `sk${slot}-${endpointId.slice(0, 8)}`,
    isHostPort: (device) => device.startsWith(`sk${slot}-`),
    ownBridge: `${prefix}-gw`,
    gatewayBridge: ownsGateway ? `${prefix}-gw` : GATEWAY_BRIDGE,
    ownsGateway,
    gatewayPort: (endpointId) => `sg${slot}-${endpointId.slice(0, 8)}`,
    sandbox: (taskId) => `${prefix}-t-${taskId}`,
  };
}

/** Names the pair of veth ends between a task and one of its networks; '' is the gateway bridge. */
export function endpointIdOf(taskId: string, networkId: string): string {
  return createHash('sha256').update(`${taskId} ${networkId}`).digest('hex').slice(0, 32);
}

/** Identifies a state directory on the machine: 8 hexadecimal digits of its path's digest. */
export function stateKeyOf(realPath: string): string {
  return createHash('sha256').update(realPath).digest('hex').slice(0, 8);
}

/** The label of the resolver's address; an address label begins with its device's name. */
export function dnsLabelOf(stateKey: string): string {
  return `lo:sk${stateKey}`;
}

/** The slot of an address on `lo` that a skepd holds, told by its label's form. */
export function slotOfAddress(address: string): number | undefined {
  const match = /^169\.254\.53\.([0-9]+)$/.exec(address);
  return match === null ? undefined : Number(match[1]);
}

/** The order in which a state directory tries the slots: the one it had, the default, then all others from a place that its key decides. */
export function slotCandidates(stateKey: string, previous: number | undefined): readonly number[] {
  const count = LAST_SLOT - FIRST_SLOT + 1;
  const start = Number.parseInt(stateKey, 16) % count;
  const all = Array.from({ length: count }, (_, step) => FIRST_SLOT + ((start + step) % count));
  return [...new Set([...(previous === undefined ? [] : [previous]), DEFAULT_SLOT, ...all])];
}

/** The MAC address that follows from an IPv4 address, as Docker's own overlay does it: no node needs to be told. */
export function macOf(address: string): string {
  const value = present(parseIpv4(address), `IPv4 address in ${JSON.stringify(address)}`);
  return `02:42:${hexBytes(value)}`;
}

/** A node's address in the mesh: its index in 198.18.0.0/16 (RFC 2544 keeps that range out of real networks). */
export function meshAddressOf(index: number): string {
  return formatIpv4(0xc6120000 + index);
}

/** The same over IPv6: in a subnet for private use that is the mesh's alone ("skep" in it). */
export function meshAddress6Of(index: number): string {
  return `fd73:6b65:7000::${index.toString(16)}`;
}

/** A node's address in the WireGuard mesh: its index in 198.19.0.0/16, the other half of that range. */
export function encryptionAddressOf(index: number): string {
  return formatIpv4(0xc6130000 + index);
}

export function meshMacOf(index: number): string {
  return `02:53:${hexBytes(index)}`;
}

/** The mark of connections that node `index` passed on; also the number of the routing table that leads their answers back. */
export function nodeMark(names: Names, index: number): number {
  return (names.mark | index) >>> 0;
}

export function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

function hexBytes(value: number): string {
  return [24, 16, 8, 0].map((shift) => ((value >>> shift) & 255).toString(16).padStart(2, '0')).join(':');
}
