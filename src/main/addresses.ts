// Which addresses a node listens on and tells others, out of what the user asked for and what the system has.
// Rules and texts are the Docker daemon's (daemon/cluster/listen_addr.go).
import { isIP, isIPv4 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';
import { AppError } from '#lib/errors.ts';
import { formatIp, parseIp } from '#lib/ip.ts';

/** As `os.networkInterfaces()` gives them. */
export type SystemInterfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

export interface NodeAddresses {
  /** host:port; the host may be unspecified (0.0.0.0). */
  readonly listenAddr: string;
  /** host:port */
  readonly advertiseAddr: string;
  /** Where this node's VXLAN packets come from and go to; no port. */
  readonly dataPathAddr: string;
}

const DEFAULT_PORT = '2377';

/** Bridges and links of container engines and of our own: never an address to advertise. */
const ENGINE_INTERFACE = /^(docker|br-|veth|virbr|cni|podman|swm|vx|vh|vc)/;

export function resolveNodeAddresses(
  request: { readonly listenAddr: string; readonly advertiseAddr: string; readonly dataPathAddr: string },
  interfaces: SystemInterfaces,
): NodeAddresses {
  if (request.listenAddr === '') throw invalid('invalid ListenAddr "": invalid empty address');
  const listen = splitHostPort(request.listenAddr);
  const listenHost = resolveInput(listen.host === '' ? '0.0.0.0' : listen.host, interfaces, true);
  if (listenHost === undefined) throw invalid('listen address must be an IP address or network interface (with optional port number)');
  const listenPort = listen.port ?? DEFAULT_PORT;
  const advertise = resolveAdvertise(request.advertiseAddr, listenPort, interfaces);
  const dataPath = request.dataPathAddr === '' ? undefined : resolveInput(request.dataPathAddr, interfaces, false);
  if (request.dataPathAddr !== '' && dataPath === undefined)
    throw invalid('data path address must be a non-zero IP address or network interface (without a port number)');
  return {
    listenAddr: joinHostPort(listenHostFor(listenHost, splitHostPort(advertise).host), listenPort),
    advertiseAddr: advertise,
    dataPathAddr: dataPath ?? localAddress(listenHost, splitHostPort(advertise).host, interfaces),
  };
}

/** Whoever says nothing listens on all of IPv4 (the CLI's default); the advertised address must be among what is listened on. `::` is both families. */
function listenHostFor(listenHost: string, advertiseHost: string): string {
  return listenHost === '0.0.0.0' && isIP(advertiseHost) === 6 ? '::' : listenHost;
}

/** host and port of "host:port", "[v6]:port", "host" or "v6". */
export function splitHostPort(address: string): { readonly host: string; readonly port?: string } {
  if (isIP(address) === 6) return { host: address };
  const match = /^(?:\[(?<v6>[^\]]*)\]|(?<host>[^:]*))(?::(?<port>\d+))?$/.exec(address);
  if (match?.groups === undefined) return { host: address };
  const { v6, host = '', port } = match.groups;
  return { host: v6 ?? host, ...(port === undefined ? {} : { port }) };
}

export function joinHostPort(host: string, port: string): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}

function resolveAdvertise(asked: string, listenPort: string, interfaces: SystemInterfaces): string {
  if (asked === '') return joinHostPort(systemAddress(interfaces), listenPort);
  const { host, port } = splitHostPort(asked);
  const resolved = resolveInput(host, interfaces, false);
  if (resolved === undefined) throw invalid('advertise address must be a non-zero IP address or network interface (with optional port number)');
  return joinHostPort(resolved, port ?? listenPort);
}

/** The address to send from: the listening one when it is specific, else the advertised one when it is ours, else the only one there is. */
function localAddress(listenHost: string, advertiseHost: string, interfaces: SystemInterfaces): string {
  if (!isUnspecified(listenHost)) return listenHost;
  if (hasAddress(interfaces, advertiseHost)) return advertiseHost;
  try {
    return systemAddress(interfaces);
  } catch {
    throw invalid(
      "must specify a listening address because the address to advertise is not recognized as a system address, and a system's IP address to use could not be uniquely identified",
    );
  }
}

/** Whether an address, in its usual form, is one of this system's. */
export function hasAddress(interfaces: SystemInterfaces, host: string): boolean {
  return Object.values(interfaces).some((addresses) => (addresses ?? []).some(({ address }) => address === host));
}

/** An interface's address or the address itself; undefined when it is neither. */
function resolveInput(input: string, interfaces: SystemInterfaces, mayBeUnspecified: boolean): string | undefined {
  const addresses = interfaces[input];
  if (addresses !== undefined) return interfaceAddress(input, addresses);
  const address = parseIp(input);
  if (address === undefined) return undefined;
  // In its usual form: others, and the kernel, write the same address like that.
  const text = formatIp(address);
  return mayBeUnspecified || !isUnspecified(text) ? text : undefined;
}

function interfaceAddress(name: string, addresses: readonly NetworkInterfaceInfo[]): string {
  for (const family of ['IPv4', 'IPv6'] as const) {
    const [first, second] = addresses.filter((address) => address.family === family && !isLinkLocal(address.address)).map(({ address }) => address);
    if (first !== undefined && second !== undefined) throw invalid(`interface ${name} has more than one ${family} address (${first} and ${second})`);
    if (first !== undefined) return first;
  }
  throw invalid(`interface ${name} has no usable IPv4 or IPv6 address`);
}

/** The one address of this system that is not loopback and not an engine's. */
function systemAddress(interfaces: SystemInterfaces): string {
  for (const family of ['IPv4', 'IPv6'] as const) {
    const [first, second] = Object.entries(interfaces)
      .filter(([name]) => !ENGINE_INTERFACE.test(name))
      .flatMap(([name, addresses]) => (addresses ?? []).map((address) => ({ name, ...address })))
      .filter((address) => address.family === family && !address.internal && !isLinkLocal(address.address));
    if (first === undefined) continue;
    if (second === undefined) return first.address;
    const problem = 'could not choose an IP address to advertise since this system has multiple addresses on';
    throw invalid(
      first.name === second.name
        ? `${problem} interface ${first.name} (${first.address} and ${second.address})`
        : `${problem} different interfaces (${first.address} on ${first.name} and ${second.address} on ${second.name})`,
    );
  }
  throw invalid("could not find the system's IP address");
}

function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function isLinkLocal(address: string): boolean {
  return isIPv4(address) ? address.startsWith('169.254.') : address.toLowerCase().startsWith('fe80:');
}

function invalid(message: string): AppError {
  return new AppError('invalidArgument', message);
}

export interface AddressRequest {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
}

/** What the CLI sends when the user names no address to listen on. */
export const CLI_LISTEN_ADDR = '0.0.0.0:2377';

/** The addresses that a request asks for; what it leaves out comes from the daemon's options. Throws as `resolveNodeAddresses` does. */
export function nodeAddresses(request: AddressRequest, defaults: AddressRequest, interfaces: SystemInterfaces): NodeAddresses {
  return resolveNodeAddresses(
    {
      listenAddr: request.listenAddr === CLI_LISTEN_ADDR && defaults.listenAddr !== '' ? defaults.listenAddr : request.listenAddr,
      advertiseAddr: request.advertiseAddr || defaults.advertiseAddr,
      dataPathAddr: request.dataPathAddr || defaults.dataPathAddr,
    },
    interfaces,
  );
}
