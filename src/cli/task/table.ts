// Tasks as `service ps`, `node ps` and `stack ps` print them.
import type { Task } from '#docker-api/task.ts';
import { parseImageReference } from '#lib/image-reference.ts';
import { ago } from '../format/duration.ts';
import { byNaturalOrder, capitalized, type ListFormat, type ListRequest, rawForm, renderList } from '../format/list.ts';

export interface TaskRow {
  readonly task: Task;
  /** `web.1`. */
  readonly name: string;
  readonly isOlder: boolean;
  readonly node: string;
}

export interface TaskTableOptions extends ListRequest {
  readonly noTrunc: boolean;
  readonly nowMs: number;
}

const SHORT_ID = 12;
const MAX_ERROR_LENGTH = 30;

export function renderTasks(rows: readonly TaskRow[], { noTrunc, nowMs, ...request }: TaskTableOptions): string {
  const format: ListFormat<TaskRow> = {
    defaultFormat: 'table {{.ID}}\\t{{.Name}}\\t{{.Image}}\\t{{.Node}}\\t{{.DesiredState}}\\t{{.CurrentState}}\\t{{.Error}}\\t{{.Ports}}',
    typeName: '*task.taskContext',
    quietFormat: '{{.ID}}',
    raw: {
      full: rawForm({
        id: 'ID',
        name: 'Name',
        image: 'Image',
        node: 'Node',
        desired_state: 'DesiredState',
        current_state: 'CurrentState',
        error: 'Error',
        ports: 'Ports',
      }),
      quiet: 'id: {{.ID}}',
    },
    columns: {
      ID: { header: 'ID', value: ({ task }) => (noTrunc ? task.ID : task.ID.slice(0, SHORT_ID)) },
      Name: { header: 'NAME', value: ({ name, isOlder }) => (isOlder ? ` \\_ ${name}` : name) },
      Image: { header: 'IMAGE', value: ({ task }) => imageOf(task, noTrunc) },
      Node: { header: 'NODE', value: ({ node }) => node },
      DesiredState: { header: 'DESIRED STATE', value: ({ task }) => capitalized(task.DesiredState) },
      CurrentState: { header: 'CURRENT STATE', value: ({ task }) => `${capitalized(task.Status.State)} ${ago(task.Status.Timestamp, nowMs).toLowerCase()}` },
      Error: { header: 'ERROR', value: ({ task }) => errorOf(task, noTrunc) },
      Ports: { header: 'PORTS', value: ({ task }) => portsOf(task) },
    },
  };
  // The tree is drawn in tables only.
  const isTable = request.format === '' || request.format.startsWith('table');
  return renderList(isTable ? rows : rows.map((row) => ({ ...row, isOlder: false })), format, request);
}

/** By name, newest first within a slot; older tasks of a slot are marked. `tasks` come with the names of their services and nodes. */
export function arrange(tasks: readonly { readonly task: Task; readonly serviceName: string; readonly node: string }[]): readonly TaskRow[] {
  const named = tasks.map(({ task, serviceName, node }) => ({ task, node, name: taskName(task, serviceName) }));
  named.sort((a, b) => byNaturalOrder(a.name, b.name) || Date.parse(b.task.CreatedAt) - Date.parse(a.task.CreatedAt));
  let previous = '';
  return named.map((row) => {
    const isOlder = row.name === previous;
    previous = row.name;
    return { ...row, isOlder };
  });
}

/** `web.1`, or `web.<node>` for a task without a slot. */
export function taskName({ Slot, NodeID }: Task, serviceName: string): string {
  return `${serviceName}.${Slot === undefined || Slot === 0 ? (NodeID ?? '') : Slot}`;
}

function imageOf({ Spec }: Task, noTrunc: boolean): string {
  const image = Spec.ContainerSpec?.Image ?? '';
  return noTrunc ? image : familiarImage(image);
}

/** Without digest, docker.io and library/. */
export function familiarImage(image: string): string {
  const reference = parseImageReference(image);
  if (reference === undefined) return image;
  const { domain, path, tag } = reference;
  if (tag === undefined && reference.digest !== undefined && !image.includes('@')) return image;
  const name = domain === 'docker.io' ? path.replace(/^library\//, '') : `${domain}/${path}`;
  return tag === undefined ? name : `${name}:${tag}`;
}

function errorOf({ Status }: Task, noTrunc: boolean): string {
  const text = Status.Err ?? '';
  if (text === '') return '';
  const letters = Array.from(text);
  return JSON.stringify(noTrunc || letters.length <= MAX_ERROR_LENGTH ? text : `${letters.slice(0, MAX_ERROR_LENGTH - 1).join('')}…`);
}

function portsOf({ Status }: Task): string {
  const ports = Status.PortStatus?.Ports ?? [];
  return ports.map(({ PublishedPort, TargetPort, Protocol }) => `*:${PublishedPort}->${TargetPort}/${Protocol}`).join(',');
}
