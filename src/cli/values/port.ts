// `--publish`: `[published:]target[/protocol]` with ranges, or `published=,target=,protocol=,mode=`.
import { isIP } from 'node:net';
import type { PortConfig } from '#docker-api/service-spec.ts';
import { cutField, parseCsv } from './csv.ts';

const LONG = /^\w+=\w*(,\w+=\w*)*$/;
const PROTOCOLS = ['tcp', 'udp', 'sctp'];
const MODES = ['ingress', 'host'];
const MAX_PORT = 65_535;

export interface PublishedPorts {
  readonly ports: readonly PortConfig[];
  /** What users are told about parts that do not count here. */
  readonly warning?: string;
}

export function parsePort(text: string): PublishedPorts {
  return LONG.test(text) ? { ports: [longPort(text)] } : shortPorts(text);
}

function longPort(text: string): PortConfig {
  let protocol = 'tcp';
  let mode = 'ingress';
  let target = 0;
  let published = 0;
  for (const field of parseCsv(text)) {
    const [name, value] = cutField(field);
    const key = name.toLowerCase();
    if (value === undefined || value === '') throw new Error(`invalid field: ${field}`);
    if (key === 'protocol') {
      if (!PROTOCOLS.includes(value)) throw new Error(`invalid protocol value '${value}'`);
      protocol = value;
    } else if (key === 'mode') {
      if (!MODES.includes(value)) throw new Error(`invalid publish mode value (${value}): must be either '${MODES[0]}' or '${MODES[1]}'`);
      mode = value;
    } else if (key === 'target') target = portNumber(value, 'target port');
    else if (key === 'published') published = portNumber(value, 'published port');
    else throw new Error(`invalid field key: ${key}`);
  }
  if (target === 0) throw new Error(`missing mandatory field '${'target'}'`);
  return { Protocol: protocol, TargetPort: target, ...(published === 0 ? {} : { PublishedPort: published }), PublishMode: mode };
}

function portNumber(text: string, what: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`invalid ${what} (${text}): value must be an integer: invalid syntax`);
  if (Number(text) > MAX_PORT) throw new Error(`invalid ${what} (${text}): value must be an integer: value out of range`);
  return Number(text);
}

interface Range {
  readonly start: number;
  readonly end: number;
}

function shortPorts(text: string): PublishedPorts {
  const slash = text.lastIndexOf('/');
  const protocol = (slash < 0 ? '' : text.slice(slash + 1)) || 'tcp';
  const parts = (slash < 0 ? text : text.slice(0, slash)).split(':');
  const containerPort = parts.at(-1) ?? '';
  const hostPort = parts.at(-2) ?? '';
  const address = parts.slice(0, -2).join(':').replaceAll(/[[\]]/g, '');
  if (address !== '' && isIP(address) === 0) throw new Error(`invalid IP address: ${address}`);
  if (containerPort === '') throw new Error(`no port specified: ${text}<empty>`);
  const target = rangeOf(containerPort) ?? fail(`invalid containerPort: ${containerPort}`);
  const host = hostPort === '' ? undefined : (rangeOf(hostPort) ?? fail(`invalid hostPort: ${hostPort}`));
  if (!PROTOCOLS.includes(protocol.toLowerCase())) throw new Error(`invalid proto: ${protocol}`);
  const count = target.end - target.start;
  if (host !== undefined && host.end - host.start !== count && count !== 0)
    throw new Error(`invalid ranges specified for container and host Ports: ${containerPort} and ${hostPort}`);
  const pairs = pairsOf(target, host);
  const ports = pairs.map(([targetPort, published]) => ({
    Protocol: protocol.toLowerCase(),
    TargetPort: targetPort,
    ...(published === 0 ? {} : { PublishedPort: published }),
    PublishMode: 'ingress',
  }));
  return address === '' ? { ports } : { ports, warning: `ignoring IP-address (${text}${slash < 0 ? '/tcp' : ''}) service will listen on '0.0.0.0'` };
}

/** One target may be published on several ports; else they go in pairs. */
function pairsOf(target: Range, host: Range | undefined): readonly (readonly [number, number])[] {
  const all = ({ start, end }: Range) => Array.from({ length: end - start + 1 }, (_, index) => start + index);
  if (host === undefined) return all(target).map((port) => [port, 0] as const);
  if (target.start === target.end) return all(host).map((published) => [target.start, published] as const);
  return all(target).map((port, index) => [port, host.start + index] as const);
}

function rangeOf(text: string): Range | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2] ?? match[1]);
  return end < start || end > MAX_PORT ? undefined : { start, end };
}

function fail(message: string): never {
  throw new Error(message);
}
