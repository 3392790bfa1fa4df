// The addresses of this machine. `os.networkInterfaces()` knows only links that have a carrier at this moment, which a link that has just come up has not for
// a second: a node would not know its own address then, and take another one for its data path.
import { spawnSync } from 'node:child_process';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';

interface ShownLink {
  readonly ifname?: string;
  readonly flags?: readonly string[];
  readonly address?: string;
  readonly addr_info?: readonly { readonly family: string; readonly local?: string; readonly prefixlen?: number }[];
}

/**
 * As `os.networkInterfaces()`, with those without a carrier, too: they count as `internal`, so that nobody chooses one of their addresses unasked. Falls back on
 * that when there is no `ip`.
 */
export function systemInterfaces(): Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>> {
  const { stdout } = spawnSync('ip', ['-json', 'address', 'show', 'up'], { encoding: 'utf8' });
  try {
    return { ...interfacesOf(JSON.parse(stdout) as readonly ShownLink[]), ...networkInterfaces() };
  } catch {
    return networkInterfaces();
  }
}

/** Pure: from what iproute2 says. */
export function interfacesOf(links: readonly ShownLink[]): Readonly<Record<string, readonly NetworkInterfaceInfo[]>> {
  const shown = links.flatMap(({ ifname, flags = [], address: mac = '', addr_info = [] }) => {
    const internal = flags.includes('LOOPBACK') || !flags.includes('LOWER_UP');
    const addresses = addr_info.flatMap(({ family, local, prefixlen }): readonly NetworkInterfaceInfo[] => {
      if (local === undefined || (family !== 'inet' && family !== 'inet6')) return [];
      // Nobody here asks for the mask.
      const common = { address: local, netmask: '', mac, internal, cidr: `${local}/${prefixlen}` };
      return [family === 'inet' ? { ...common, family: 'IPv4' } : { ...common, family: 'IPv6', scopeid: 0 }];
    });
    return ifname === undefined || addresses.length === 0 ? [] : [[ifname, addresses] as const];
  });
  return Object.fromEntries(shown);
}
