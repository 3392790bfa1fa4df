// Which service publishes which port, kept up to date by the store's events, so that a new service is not compared with all others. Both what a
// service asks for and what it was given count.
import type { Service } from '#domain/objects.ts';
import type { EndpointSpec, PortConfig } from '#domain/spec.ts';
import type { View } from '#domain/view.ts';
import { rpcError } from '#lib/errors.ts';
import type { Store } from '#store/store.ts';

export interface PublishedPorts {
  /** Throws AppError in Docker's words when another service than `serviceId` has one of the ports. */
  assertFree(view: View, endpoint: EndpointSpec | undefined, serviceId: string | undefined): void;
}

type Holders = Map<string, Set<string>>;

export function createPublishedPorts(store: Store): PublishedPorts {
  const ingress: Holders = new Map();
  const host: Holders = new Map();
  const holdersOf = ({ publishMode }: PortConfig) => (publishMode === 'ingress' ? ingress : host);

  function add(service: Service): void {
    for (const port of portsOf(service)) {
      const holders = holdersOf(port);
      const ids = holders.get(keyOf(port)) ?? new Set<string>();
      holders.set(keyOf(port), ids.add(service.id));
    }
  }
  function remove(service: Service): void {
    for (const port of portsOf(service)) {
      const holders = holdersOf(port);
      const ids = holders.get(keyOf(port));
      ids?.delete(service.id);
      if (ids?.size === 0) holders.delete(keyOf(port));
    }
  }

  for (const service of store.view.list('service')) add(service);
  store.watch((_revision, events) => {
    for (const event of events) {
      if (event.object.kind !== 'service') continue;
      if (event.action === 'update' && event.previous.kind === 'service') remove(event.previous);
      if (event.action === 'remove') remove(event.object);
      else add(event.object);
    }
  });

  function assertNobodyHas(view: View, holders: Holders, port: PortConfig, serviceId: string | undefined, what: string): void {
    const [other] = [...(holders.get(keyOf(port)) ?? [])].filter((id) => id !== serviceId).sort();
    if (other === undefined) return;
    const name = view.get('service', other)?.spec.name ?? '';
    throw rpcError('invalidArgument', `port '${port.publishedPort}' is already in use by service '${name}' (${other}) as ${what} port`);
  }

  return {
    assertFree(view, endpoint, serviceId) {
      for (const port of endpoint?.ports ?? []) {
        if (!port.publishedPort) continue;
        assertNobodyHas(view, ingress, port, serviceId, 'an ingress');
        // Several services may publish one port of their hosts: the scheduler keeps them apart.
        if (port.publishMode === 'ingress') assertNobodyHas(view, host, port, serviceId, 'a host-published');
      }
    },
  };
}

function portsOf(service: Service): readonly PortConfig[] {
  return [...(service.spec.endpoint?.ports ?? []), ...(service.endpoint?.ports ?? [])].filter((port) => port.publishedPort);
}

function keyOf({ protocol, publishedPort }: PortConfig): string {
  return `${protocol}/${publishedPort}`;
}
