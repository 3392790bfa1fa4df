// The short form of a port: [address:][published[-published]:]target[-target][/protocol].

export interface ShortPort {
  readonly mode: 'ingress';
  readonly host_ip?: string;
  readonly target: number;
  readonly published?: number;
  readonly protocol: string;
}

const PATTERN = /^(?:(?:(\[[^\]]*\]|[^:[\]]*):)?([0-9]*(?:-[0-9]+)?):)?([0-9]+(?:-[0-9]+)?)(?:\/([a-zA-Z]+))?$/;
const PROTOCOLS = new Set(['tcp', 'udp', 'sctp']);
const MAX_PORT = 65_535;

/** The ports that a text means, or undefined when it means none. As many published as target ports, or one target for all. */
export function parsePorts(text: string): readonly ShortPort[] | undefined {
  const match = PATTERN.exec(text);
  if (!match) return undefined;
  const [, address = '', publishedText = '', targetText = '', protocolText = 'tcp'] = match;
  const protocol = protocolText.toLowerCase();
  const targets = rangeOf(targetText);
  const published = publishedText === '' ? [] : rangeOf(publishedText);
  if (!targets || !published || !PROTOCOLS.has(protocol) || targets[0] === 0) return undefined;
  if (address !== '' && !isAddress(address)) return undefined;
  const host = address === '' ? {} : { host_ip: address.replace(/^\[(.*)\]$/, '$1') };
  const made = (target: number, at: number | undefined): ShortPort => ({ mode: 'ingress', ...host, target, ...(at ? { published: at } : {}), protocol });
  if (published.length === 0) return targets.map((target) => made(target, undefined));
  if (targets.length === 1) return published.map((at) => made(targets[0] ?? 0, at));
  if (published.length !== targets.length) return undefined;
  return targets.map((target, index) => made(target, published[index]));
}

function isAddress(text: string): boolean {
  return text.startsWith('[') ? /^\[[0-9a-fA-F:.%]+\]$/.test(text) : /^[0-9]{1,3}(?:\.[0-9]{1,3}){3}$/.test(text) || text === 'localhost';
}

function rangeOf(text: string): readonly number[] | undefined {
  const [first = 0, last = first] = text.split('-').map(Number);
  if (last < first || last > MAX_PORT) return undefined;
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
