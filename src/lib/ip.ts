// IP addresses and CIDR subnets as values. IPv4 addresses are plain unsigned 32-bit numbers where many are counted through; addresses of either family
// are big integers. Nothing here looks at the machine's interfaces.

/** An IPv4 subnet: `base` is its network address, all host bits zero. */
export interface Ipv4Subnet {
  readonly base: number;
  readonly prefix: number;
}

/** An address of either family, as one number. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** A subnet of either family; `base` has no host bits. */
export interface IpSubnet {
  readonly family: 4 | 6;
  readonly base: bigint;
  readonly prefix: number;
}

const BITS_OF_FAMILY = { 4: 32, 6: 128 } as const;

/** The address as a number, or undefined when the text is no dotted quad. Like Go, refuses leading zeros. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** An address in CIDR form and its subnet ("10.0.1.5/24" → 10.0.1.5 in 10.0.1.0/24), or undefined. */
export function parseIpv4Cidr(text: string): { readonly address: number; readonly subnet: Ipv4Subnet } | undefined {
  const match = /^([0-9.]+)\/([0-9]{1,2})$/.exec(text);
  if (match === null) return undefined;
  const address = parseIpv4(match[1] ?? '');
  const prefix = Number(match[2]);
  if (address === undefined || prefix > 32) return undefined;
  return { address, subnet: ipv4SubnetOf(address, prefix) };
}

/** The subnet of the given prefix length that an address lies in. */
export function ipv4SubnetOf(address: number, prefix: number): Ipv4Subnet {
  return { base: (address & ipv4Mask(prefix)) >>> 0, prefix };
}

export function ipv4Mask(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
}

/** "10.0.1.0/24" */
export function formatIpv4Subnet(subnet: Ipv4Subnet): string {
  return `${formatIpv4(subnet.base)}/${subnet.prefix}`;
}

/** How many addresses a subnet has, network and broadcast address included. */
export function ipv4SubnetSize(subnet: Ipv4Subnet): number {
  return 2 ** (32 - subnet.prefix);
}

/** The highest address: the broadcast address of subnets up to /30. */
export function lastIpv4(subnet: Ipv4Subnet): number {
  return subnet.base + ipv4SubnetSize(subnet) - 1;
}

export function ipv4SubnetContains(subnet: Ipv4Subnet, address: number): boolean {
  return address >= subnet.base && address <= lastIpv4(subnet);
}

/** Whether every address of `inner` is in `outer`. */
export function ipv4SubnetCovers(outer: Ipv4Subnet, inner: Ipv4Subnet): boolean {
  return ipv4SubnetContains(outer, inner.base) && inner.prefix >= outer.prefix;
}

export function ipv4SubnetsOverlap(a: Ipv4Subnet, b: Ipv4Subnet): boolean {
  return a.base <= lastIpv4(b) && b.base <= lastIpv4(a);
}

/** The subnets of prefix length `prefix` in `pool`, in order. `prefix` is at least the pool's own. */
export function* ipv4SubnetsIn(pool: Ipv4Subnet, prefix: number): Generator<Ipv4Subnet> {
  const step = 2 ** (32 - prefix);
  for (let base = pool.base; base <= lastIpv4(pool); base += step) yield { base, prefix };
}

/** An address of either family, or undefined. IPv4 in IPv6 form ("::ffff:10.0.0.1") is IPv4, as in Go. */
export function parseIp(text: string): IpAddress | undefined {
  const ipv4 = parseIpv4(text);
  if (ipv4 !== undefined) return { family: 4, value: BigInt(ipv4) };
  const value = parseIpv6(text);
  if (value === undefined) return undefined;
  return value >> 32n === 0xffffn ? { family: 4, value: value & 0xffffffffn } : { family: 6, value };
}

/** A CIDR of either family with the address it was written with, or undefined. */
export function parseCidr(text: string): { readonly address: IpAddress; readonly subnet: IpSubnet } | undefined {
  const slash = text.lastIndexOf('/');
  if (slash < 0) return undefined;
  const address = parseIp(text.slice(0, slash));
  const prefixText = text.slice(slash + 1);
  if (address === undefined || !/^[0-9]{1,3}$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText);
  const bits = BITS_OF_FAMILY[address.family];
  if (prefix > bits) return undefined;
  const hostBits = BigInt(bits - prefix);
  return { address, subnet: { family: address.family, base: (address.value >> hostBits) << hostBits, prefix } };
}

export function subnetContains(subnet: IpSubnet, address: IpAddress): boolean {
  if (subnet.family !== address.family) return false;
  const hostBits = BigInt(BITS_OF_FAMILY[subnet.family] - subnet.prefix);
  return address.value >> hostBits === subnet.base >> hostBits;
}

export function subnetsOverlap(a: IpSubnet, b: IpSubnet): boolean {
  const [wide, narrow] = a.prefix <= b.prefix ? [a, b] : [b, a];
  return subnetContains(wide, { family: narrow.family, value: narrow.base });
}

/** Whether every address of `inner` is in `outer`. */
export function subnetCovers(outer: IpSubnet, inner: IpSubnet): boolean {
  return inner.prefix >= outer.prefix && subnetContains(outer, { family: inner.family, value: inner.base });
}

/** How many addresses a subnet has, those at its edges included. */
export function subnetSize({ family, prefix }: Pick<IpSubnet, 'family' | 'prefix'>): bigint {
  return 1n << BigInt(BITS_OF_FAMILY[family] - prefix);
}

export function lastAddress(subnet: IpSubnet): bigint {
  return subnet.base + subnetSize(subnet) - 1n;
}

/** Told by its form, for text that is known to be an address or a subnet. */
export function familyOf(text: string): 4 | 6 {
  return text.includes(':') ? 6 : 4;
}

/** "10.0.1.5/24" → "10.0.1.5" */
export function withoutPrefix(cidr: string): string {
  return cidr.split('/', 1)[0] ?? cidr;
}

/** The shortest usual form: dotted quad, or lower-case IPv6 with the longest run of zeros as "::". */
export function formatIp(address: IpAddress): string {
  if (address.family === 4) return formatIpv4(Number(address.value));
  const groups = Array.from({ length: 8 }, (_, index) => ((address.value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  const run = longestZeroRun(groups);
  if (run.length < 2) return groups.join(':');
  return `${groups.slice(0, run.start).join(':')}::${groups.slice(run.start + run.length).join(':')}`;
}

export function formatSubnet(subnet: IpSubnet): string {
  return `${formatIp({ family: subnet.family, value: subnet.base })}/${subnet.prefix}`;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2 || !text.includes(':')) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail].reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

/** Groups of 16 bits; the last may be an embedded dotted quad when `mayEndInIpv4`. */
function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const ipv4 = mayEndInIpv4 && index === parts.length - 1 ? parseIpv4(part) : undefined;
    if (ipv4 !== undefined) groups.push(ipv4 >>> 16, ipv4 & 0xffff);
    else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function longestZeroRun(groups: readonly string[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === '0') length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
