// `service logs`: lines of all tasks of a service, or of one task, each with where it comes from.
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import { AppError } from '#lib/errors.ts';
import { createNames, type Names } from '../task/resolve.ts';
import type { Client } from '#client/client.ts';
import { type CommandSpec, type FlagSpec, type Invocation } from '../command.ts';
import { segment } from '../shared/each.ts';
import { logFrames, logLines } from '../shared/log-stream.ts';
import { parseMoment } from '../values/moment.ts';

export const logFlags: readonly FlagSpec[] = [
  { name: 'details', description: 'Show extra details provided to logs' },
  { name: 'follow', short: 'f', description: 'Follow log output' },
  { name: 'since', type: 'string', description: 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)' },
  { name: 'tail', short: 'n', type: 'string', description: 'Number of lines to show from the end of the logs', default: '"all"' },
  { name: 'timestamps', short: 't', description: 'Show timestamps' },
];

export const command: CommandSpec = {
  usage: '[OPTIONS] SERVICE|TASK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [
    ...logFlags,
    { name: 'no-resolve', description: 'Do not map IDs to Names in output' },
    { name: 'no-task-ids', description: 'Do not include task IDs in output' },
    { name: 'no-trunc', description: 'Do not truncate output' },
    { name: 'raw', description: 'Do not neatly format logs' },
  ],
  completes: 'service',
  async run(invocation) {
    const [reference = ''] = invocation.args;
    const client = await invocation.client();
    const source = await findSource(client, reference);
    if (source === undefined) throw new AppError('notFound', `no such task or service: ${reference}`);
    return printLogs(invocation, client, source);
  },
};

export interface LogSource {
  readonly path: string;
  readonly tty: boolean;
  /** How many tasks its widest name may count. */
  readonly slots: number;
  readonly serviceName: string;
}

/** The service of that name or id, else the task of that id. */
export async function findSource(client: Client, reference: string): Promise<LogSource | undefined> {
  const missing = (error: unknown) => {
    if (error instanceof AppError && error.code === 'notFound') return undefined;
    throw error;
  };
  const service = await client.call<Service>('GET', `/services/${segment(reference)}`, { query: { insertDefaults: false } }).catch(missing);
  if (service !== undefined) {
    const { Spec } = service;
    const slots = Spec.Mode?.Replicated?.Replicas ?? 1;
    return { path: `/services/${segment(service.ID)}/logs`, tty: Spec.TaskTemplate?.ContainerSpec?.TTY ?? false, slots, serviceName: Spec.Name ?? '' };
  }
  const task = await client.call<Task>('GET', `/tasks/${segment(reference)}`).catch(missing);
  if (task === undefined) return undefined;
  return { path: `/tasks/${segment(task.ID)}/logs`, tty: task.Spec.ContainerSpec?.TTY ?? false, slots: task.Slot ?? 1, serviceName: '' };
}

export async function printLogs(invocation: Invocation, client: Client, { path, tty, slots }: LogSource): Promise<undefined> {
  const { flags, context } = invocation;
  const raw = flags.bool('raw');
  if (tty && !raw) throw new AppError('invalidArgument', 'tty service logs only supported with --raw');
  const stream = await client.stream('GET', path, {
    query: {
      stdout: 1,
      stderr: 1,
      tail: flags.text('tail') || 'all',
      ...(flags.has('since') ? { since: parseMoment(flags.text('since'), context.clock.now()) } : {}),
      ...(flags.bool('follow') ? { follow: 1 } : {}),
      ...(flags.bool('timestamps') ? { timestamps: 1 } : {}),
      ...(raw && !flags.bool('details') ? {} : { details: 1 }),
    },
  });
  if (tty) {
    for await (const chunk of stream as AsyncIterable<Buffer>) context.stdout.write(chunk);
    return undefined;
  }
  const prefixes = createPrefixes(invocation, client, slots);
  for await (const { output, line } of logLines(logFrames(stream))) {
    const text = raw ? line : await neatLine(line, flags.bool('timestamps'), flags.bool('details'), prefixes);
    (output === 'stderr' ? context.stderr : context.stdout).write(text);
  }
  return undefined;
}

type Prefixes = (taskId: string, nodeId: string) => Promise<string>;

const OWN_KEYS = ['com.docker.swarm.node.id', 'com.docker.swarm.service.id', 'com.docker.swarm.task.id'];

/** `[time ]attributes text` → `[time ]prefix| [attributes ]text`. */
async function neatLine(line: Buffer, timestamps: boolean, details: boolean, prefixes: Prefixes): Promise<Buffer> {
  const parts = line.toString('latin1').split(' ');
  const time = timestamps ? `${parts.shift() ?? ''} ` : '';
  const attributes = (parts.shift() ?? '')
    .split(',')
    .map((pair) => pair.split('=').map((piece) => decodeURIComponent(piece.replaceAll('+', ' '))) as [string, string]);
  const own = new Map(attributes);
  const prefix = await prefixes(own.get('com.docker.swarm.task.id') ?? '', own.get('com.docker.swarm.node.id') ?? '');
  const others = attributes.filter(([key]) => !OWN_KEYS.includes(key)).map(([key, value]) => `${key}=${value}`);
  const shown = details ? `${others.sort().join(',')} ` : '';
  return Buffer.concat([Buffer.from(`${time}${prefix}    | ${shown}`), Buffer.from(parts.join(' '), 'latin1')]);
}

/** `web.1.<id>@<node>`, padded for the highest slot number. */
function createPrefixes({ flags }: Invocation, client: Client, slots: number): Prefixes {
  const names: Names = createNames(client, !flags.bool('no-resolve'));
  const known = new Map<string, Promise<string>>();
  const short = (id: string) => (flags.bool('no-trunc') ? id : id.slice(0, 12));
  const make = async (taskId: string, nodeId: string): Promise<string> => {
    const task = await client.call<Task>('GET', `/tasks/${segment(taskId)}`);
    const serviceName = await names.service(task.ServiceID ?? '');
    const slot = String(task.Slot ?? 0);
    // A task of a global service has no slot; its node tells them apart.
    const which = task.Slot === undefined && !isJob(task) ? task.NodeID : slot;
    const id = flags.bool('no-task-ids') ? '' : `.${short(taskId)}`;
    const pad = Math.max(0, String(slots).length - slot.length);
    return `${serviceName}.${which}${id}@${await names.node(nodeId)}${' '.repeat(pad)}`;
  };
  return (taskId, nodeId) => {
    const prefix = known.get(taskId) ?? make(taskId, nodeId).catch(() => `${taskId}@${nodeId}`);
    known.set(taskId, prefix);
    return prefix;
  };
}

function isJob({ JobIteration }: Task): boolean {
  return JobIteration !== undefined;
}
