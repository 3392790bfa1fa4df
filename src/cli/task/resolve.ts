// Names of services and nodes for lists of tasks: each is asked for once.
import type { Client } from '#client/client.ts';
import type { Node } from '#docker-api/node.ts';
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import { segment } from '../shared/each.ts';

export interface Names {
  /** A service's name; its id when it is gone or names are not wanted. */
  service(id: string): Promise<string>;
  node(id: string): Promise<string>;
}

export function createNames(client: Client, resolve: boolean): Names {
  const services = new Map<string, Promise<string>>();
  const nodes = new Map<string, Promise<string>>();
  const once = (known: Map<string, Promise<string>>, id: string, ask: () => Promise<string>): Promise<string> => {
    if (!resolve || id === '') return Promise.resolve(id);
    const name = known.get(id) ?? ask().catch(() => id);
    known.set(id, name);
    return name;
  };
  return {
    service: (id) =>
      once(services, id, async () => (await client.call<Service>('GET', `/services/${segment(id)}`, { query: { insertDefaults: false } })).Spec.Name || id),
    node: (id) =>
      once(nodes, id, async () => {
        const { Spec, Description } = await client.call<Node>('GET', `/nodes/${segment(id)}`);
        return Spec.Name || Description.Hostname || id;
      }),
  };
}

export function withNames(tasks: readonly Task[], names: Names): Promise<{ readonly task: Task; readonly serviceName: string; readonly node: string }[]> {
  return Promise.all(tasks.map(async (task) => ({ task, serviceName: await names.service(task.ServiceID ?? ''), node: await names.node(task.NodeID ?? '') })));
}
