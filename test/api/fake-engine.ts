// A container engine that knows networks only: enough for the API's routes, over a real socket. Its three own networks are Docker's.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

interface FakeNetwork {
  readonly Name: string;
  readonly Id: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface FakeEngine {
  /** `unix://…` */
  readonly address: string;
  /** Adds a network of this engine; resolves its id. */
  addNetwork(name: string, labels?: Readonly<Record<string, string>>): string;
  networkNames(): readonly string[];
  close(): Promise<void>;
}

export async function startFakeEngine(socketPath: string): Promise<FakeEngine> {
  const networks = new Map<string, FakeNetwork>();
  const addNetwork: FakeEngine['addNetwork'] = (name, labels = {}) => {
    const id = (networks.size + 1).toString(16).padStart(64, 'abcdef0123456789');
    networks.set(id, networkJson(name, id, labels));
    return id;
  };
  for (const name of ['bridge', 'host', 'none']) addNetwork(name);
  const server = createServer((request, response) => void answer(request, response, networks, addNetwork));
  server.listen(socketPath);
  await once(server, 'listening');
  return {
    address: `unix://${socketPath}`,
    addNetwork,
    networkNames: () => [...networks.values()].map(({ Name }) => Name),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function networkJson(name: string, id: string, labels: Readonly<Record<string, string>>): FakeNetwork {
  return {
    Name: name,
    Id: id,
    Created: '2026-11-20T11:39:17.565417369Z',
    Scope: 'local',
    Driver: name === 'none' ? 'null' : name === 'host' ? 'host' : 'bridge',
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: null, Config: [] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: {},
    Options: {},
    Labels: labels,
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  networks: Map<string, FakeNetwork>,
  addNetwork: FakeEngine['addNetwork'],
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://engine');
  const path = url.pathname.replace(/^\/v1\.\d+/, '');
  const send = (status: number, body?: unknown) => {
    response.writeHead(status, { 'Content-Type': 'application/json', 'Api-Version': '1.41', Ostype: 'linux' });
    response.end(body === undefined ? '' : JSON.stringify(body));
  };
  const body = await bodyOf(request);
  if (path === '/_ping') return send(200);
  if (path === '/version') return send(200, { ApiVersion: '1.41', MinAPIVersion: '1.12', Version: '20.10.24', Components: [] });
  if (path === '/info') return send(200, { ID: 'fake', Name: 'fake', Swarm: {} });
  if (path === '/networks') return send(200, [...networks.values()].filter(filterOf(url)));
  if (path === '/networks/create') return create(body, networks, addNetwork, send);
  if (path === '/networks/prune') return prune(url, networks, send);
  if (path.startsWith('/distribution/')) return send(500, { message: 'dial tcp: lookup registry-1.docker.io: no such host' });
  const ref = /^\/networks\/([^/]+)$/.exec(path)?.[1];
  if (ref === undefined) return send(404, { message: 'page not found' });
  const found = networks.get(ref) ?? [...networks.values()].find(({ Name }) => Name === decodeURIComponent(ref));
  if (found === undefined) return send(404, { message: `network ${ref} not found` });
  if (request.method !== 'DELETE') return send(200, found);
  networks.delete(found.Id);
  send(204);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? undefined : JSON.parse(text);
}

function filterOf(url: URL): (network: FakeNetwork) => boolean {
  const filters = JSON.parse(url.searchParams.get('filters') ?? '{}') as Record<string, readonly string[] | Record<string, boolean>>;
  const values = (key: string) => (Array.isArray(filters[key]) ? filters[key] : Object.keys(filters[key] ?? {})) as readonly string[];
  const any = (key: string, matches: (value: string) => boolean) => values(key).length === 0 || values(key).some(matches);
  return (network) =>
    any('name', (value) => network.Name.includes(value)) &&
    any('scope', (value) => value === 'local') &&
    any('driver', (value) => value === network['Driver']) &&
    values('label').every((label) => Object.hasOwn(network.Labels, label.split('=')[0] ?? '')) &&
    !values('label!').some((label) => Object.hasOwn(network.Labels, label.split('=')[0] ?? ''));
}

function create(body: unknown, networks: Map<string, FakeNetwork>, addNetwork: FakeEngine['addNetwork'], send: (status: number, body?: unknown) => void): void {
  const { Name = '', Labels = {}, Driver = '' } = (body ?? {}) as { Name?: string; Labels?: Record<string, string>; Driver?: string };
  if ([...networks.values()].some((network) => network.Name === Name)) return send(409, { message: `network with name ${Name} already exists` });
  if (!['', 'bridge', 'macvlan'].includes(Driver)) return send(404, { message: `plugin "${Driver}" not found` });
  send(201, { Id: addNetwork(Name, Labels ?? {}), Warning: '' });
}

function prune(url: URL, networks: Map<string, FakeNetwork>, send: (status: number, body?: unknown) => void): void {
  const removed = [...networks.values()].filter(filterOf(url)).filter(({ Name }) => !['bridge', 'host', 'none'].includes(Name));
  for (const { Id } of removed) networks.delete(Id);
  send(200, { NetworksDeleted: removed.length === 0 ? null : removed.map(({ Name }) => Name) });
}
