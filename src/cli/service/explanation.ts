// Why a service does not run as wanted, in sentences for people.
import type { Client } from '#client/client.ts';
import type { Node } from '#docker-api/node.ts';
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import { filterQuery } from '../shared/options.ts';
import { taskName } from '../task/table.ts';
import { readService } from './change.ts';
import { stateOf } from './progress.ts';

const FAILED = new Set(['failed', 'rejected', 'orphaned']);
/** More reasons of one service are a list, not an explanation. */
const MAX_REASONS = 5;

export async function explainService(client: Client, reference: string): Promise<readonly string[]> {
  const service = await readService(client, reference);
  const tasks = await client.call<Task[]>('GET', '/tasks', { query: filterQuery({ service: [service.ID] }) });
  const { converged, lines } = await stateOf(client, service);
  const nodes = converged ? [] : await client.call<Node[]>('GET', '/nodes');
  return sentences(service, tasks, { converged, progress: lines[0]?.text ?? '', nodes });
}

interface Convergence {
  readonly converged: boolean;
  readonly progress: string;
  readonly nodes: readonly Node[];
}

/** Pure: what is said about a service with these tasks. */
export function sentences(service: Service, tasks: readonly Task[], { converged, progress, nodes }: Convergence): readonly string[] {
  const name = service.Spec.Name ?? service.ID;
  const { UpdateStatus: status } = service;
  const updating = status?.State && status.State !== 'completed' ? [`${name}: ${updateText(status.State.replaceAll('_', ' '), status.Message)}.`] : [];
  if (converged) return [...updating, `${name} runs as wanted (${progress}).`];
  const wanted = tasks.filter(({ DesiredState }) => ['running', 'ready', 'complete'].includes(DesiredState));
  const nodeOf = ({ NodeID }: Task) => nodes.find(({ ID }) => ID === NodeID)?.Description.Hostname ?? NodeID ?? '';
  const reasons = groupByReason([
    ...wanted.filter(({ Status }) => !FAILED.has(Status.State)).map((task) => ({ task, reason: reasonOf(task, nodeOf(task)) })),
    ...recentFailures(service, tasks, wanted).map((task) => ({ task, reason: failure(task, { node: nodeOf(task), service: name }) })),
  ]);
  if (reasons.length === 0 && wanted.length === 0)
    return [
      ...updating,
      service.Spec.Mode?.Replicated?.Replicas === 0
        ? `${name} is scaled to 0.`
        : `${name} has no tasks: no node fits its constraints, or it was made this moment.`,
    ];
  return [
    ...updating,
    `${name} has not converged (${progress}).`,
    ...reasons.slice(0, MAX_REASONS).map(({ reason, tasks: affected }) => `  ${namesOf(affected, name)}: ${reason}`),
  ];
}

function updateText(state: string, message: string | undefined): string {
  return `the last update is ${state}${message === undefined || message === '' || message === state ? '' : `: ${message}`}`;
}

function reasonOf({ Status }: Task, node: string): string {
  const { State, Err, Message } = Status;
  if (State === 'running') return '';
  if (State === 'pending' && Err) return pendingReason(Err);
  if (Err) return `${State}: ${Err}`;
  if (State === 'new') return 'waits for addresses and ports';
  if (State === 'pending') return 'waits for a node';
  if (State === 'preparing') return `is being prepared on ${node}: its image is pulled, its networks and files are made`;
  if (State === 'ready') return 'is ready and waits for its turn (a restart delay, or the end of the task before it)';
  if (State === 'starting') return `has started on ${node} and is not healthy yet`;
  return `${State}${Message ? ` (${Message})` : ''}`;
}

/** What ended a task, where, and what can be done: a node that lacks an image or a folder is found by its name only. */
function failure({ Status }: Task, { node, service }: { readonly node: string; readonly service: string }): string {
  const text = Status.Err || Status.Message || '';
  const hints: readonly (readonly [RegExp, string])[] = [
    [
      /no such image|pull access denied|manifest unknown|error.*pull/i,
      'each node pulls for itself: push the image to a registry that it reaches, or load it there (`docker load`)',
    ],
    [/bind source path does not exist/, 'make that folder on the node, or keep the service to nodes that have it with a constraint'],
    [/non-zero exit|unhealthy/, `see \`service logs ${service}\``],
  ];
  const advice = hints.filter(([pattern]) => pattern.test(text)).map(([, hint]) => hint);
  return `its last task ${Status.State} on ${node}: ${text}${advice.length === 0 ? '' : `. ${advice.join('; ')}`}`;
}

/** The scheduler's words, with what can be done. */
function pendingReason(text: string): string {
  const hints: readonly (readonly [RegExp, string])[] = [
    [/insufficient resources/, 'lower --reserve-cpu or --reserve-memory, or add nodes'],
    [/scheduling constraints not satisfied/, 'compare `service inspect --pretty` with the labels in `node inspect --pretty`'],
    [/host-mode port already in use/, 'a port published in host mode can be used once per node'],
    [/max replicas per node/, 'raise --replicas-max-per-node, or add nodes'],
    [/not available for new tasks/, 'nodes that are down, paused or drained take no tasks: see `node ls`'],
    [/missing plugin/, 'a volume or network driver is not installed there'],
    [/unsupported platform/, "the image is not built for the nodes' platform"],
  ];
  const advice = hints.filter(([pattern]) => pattern.test(text)).map(([, hint]) => hint);
  return `is pending: ${text}${advice.length === 0 ? '' : `. ${advice.join('; ')}`}`;
}

/** Tasks that ended where one is wanted: the newest of each slot that does not run now. */
function recentFailures(service: Service, tasks: readonly Task[], wanted: readonly Task[]): readonly Task[] {
  const running = new Set(wanted.filter(({ Status }) => Status.State === 'running').map((task) => taskName(task, service.ID)));
  const newest = new Map<string, Task>();
  for (const task of tasks) {
    const name = taskName(task, service.ID);
    if (!FAILED.has(task.Status.State) || running.has(name)) continue;
    const other = newest.get(name);
    if (other === undefined || Date.parse(other.CreatedAt) < Date.parse(task.CreatedAt)) newest.set(name, task);
  }
  return [...newest.values()];
}

function groupByReason(
  all: readonly { readonly task: Task; readonly reason: string }[],
): readonly { readonly reason: string; readonly tasks: readonly Task[] }[] {
  const groups = new Map<string, Task[]>();
  for (const { task, reason } of all) if (reason !== '') groups.set(reason, [...(groups.get(reason) ?? []), task]);
  return [...groups].map(([reason, tasks]) => ({ reason, tasks })).sort((a, b) => b.tasks.length - a.tasks.length);
}

function namesOf(tasks: readonly Task[], serviceName: string): string {
  const names = [...new Set(tasks.map((task) => taskName(task, serviceName)))].sort();
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;
}
