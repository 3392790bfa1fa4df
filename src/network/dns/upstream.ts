// The host's resolvers as text.
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Upstream } from './forward.ts';

const DNS_PORT = 53;

/** "address", "address:port", "v6" or "[v6]:port"; undefined when it is none, or is the server `own` itself. */
export function parseUpstream(text: string, own: Upstream): Upstream | undefined {
  const bare = text.trim();
  const [, inBrackets, ipv4, portText] = /^(?:\[([^\]]+)\]|([0-9.]+))(?::([0-9]{1,5}))?$/.exec(bare) ?? [];
  const address = isIP(bare) ? bare : (inBrackets ?? ipv4 ?? '');
  const upstream = { address, port: portText === undefined ? DNS_PORT : Number(portText) };
  if (isIP(address) === 0 || upstream.port === 0 || upstream.port > 65_535 || isItself(upstream, own)) return undefined;
  return upstream;
}

function isItself({ address, port }: Upstream, own: Upstream): boolean {
  if (port !== own.port) return false;
  if (own.address !== '0.0.0.0' && own.address !== '::') return address === own.address;
  return (
    address === own.address ||
    address.startsWith('127.') ||
    Object.values(networkInterfaces()).some((addresses) => addresses?.some((local) => local.address === address))
  );
}
