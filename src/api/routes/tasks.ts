// /tasks
import type { NetworkControl } from '#control/control.ts';
import type { Network } from '#domain/objects.ts';
import { type NetworkLookup, taskToText } from '../convert/task.ts';
import { jsonList, jsonText, type Route } from '../route.ts';
import { storedOrGone, taskLogs } from './logs.ts';
import { param } from './params.ts';
import { onlyKeys, parseFilters } from './parse.ts';

const filterKeys = ['id', 'name', 'label', 'service', 'node', 'desired-state', '_up-to-date', 'runtime'];

export const taskRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/tasks',
    handler({ query }, { membership }) {
      const filters = parseFilters(query);
      const { tasks, networks } = membership.control();
      const networkOf = lookupOf(networks);
      return jsonList(tasks.list(onlyKeys(filters, filterKeys)), (task) => taskToText(task, networkOf));
    },
  },
  {
    method: 'GET',
    path: '/tasks/{id}',
    // `docker service logs` asks what a task is when it gets its first line.
    handler: (request, context) => jsonText(taskToText(storedOrGone(context, param(request, 'id')), lookupOf(context.membership.control().networks))),
  },
  { method: 'GET', path: '/tasks/{id}/logs', handler: taskLogs },
];

/** Looks each network up once per request: thousands of tasks share a few networks. */
function lookupOf(networks: NetworkControl): NetworkLookup {
  const found = new Map<string, Network | undefined>();
  return (networkId) => {
    if (found.has(networkId)) return found.get(networkId);
    const network = networks.find(networkId);
    found.set(networkId, network);
    return network;
  };
}
