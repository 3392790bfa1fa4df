// Which node's engine a request is for. A manager reaches the container of any task by its container's id, the task's id or name ("web.1.<id>", or "web.1"
// for the newest), and any node by the header X-Skep-Node. Everything else is for this node's own engine.
import type { IncomingHttpHeaders } from 'node:http';
import type { Control, SwarmMembership } from '#control/control.ts';
import type { Task } from '#domain/objects.ts';
import { slotName, taskName } from '#domain/task-name.ts';
import { AppError } from '#lib/errors.ts';
import type { EngineLink } from '#engine-link/connection.ts';

export const NODE_HEADER = 'x-skep-node';

export interface EngineTarget {
  readonly engine: EngineLink;
  /** The path to ask it for, version and query as they came. */
  readonly path: string;
  readonly isRemote: boolean;
}

export interface EngineDirectory {
  /** `path` has no version; its query may be there. Throws AppError when the node that is asked for is not known. */
  find(path: string, headers: IncomingHttpHeaders): Promise<EngineTarget>;
  /** An exec that was made on another node's engine: its start must go there, too. */
  rememberExec(execId: string, engine: EngineLink): void;
}

export interface EngineDirectoryOptions {
  readonly membership: SwarmMembership;
  readonly local: EngineLink;
  /** The engine of another node; absent when this daemon knows no others. */
  readonly engineOf?: (nodeId: string) => Promise<EngineLink>;
}

/** A container is named by at least this much of its id; Docker prints twelve. */
const MIN_ID_LENGTH = 12;
/** Execs of other nodes that may still be started; the oldest are forgotten. */
const MAX_EXECS = 10_000;
const containerPath = /^\/containers\/(?!create(?:[/?]|$)|json(?:[/?]|$)|prune(?:[/?]|$))([^/?]+)(.*)$/s;
const execPath = /^\/exec\/([^/?]+)/;

export function createEngineDirectory({ membership, local, engineOf }: EngineDirectoryOptions): EngineDirectory {
  const execs = new Map<string, EngineLink>();

  async function targetOf(nodeId: string, path: string): Promise<EngineTarget> {
    const engine = engineOf === undefined || nodeId === membership.nodeId() ? local : await engineOf(nodeId);
    return { engine, path, isRemote: engine !== local };
  }

  return {
    async find(path, headers) {
      const wanted = headers[NODE_HEADER];
      if (typeof wanted === 'string' && wanted !== '') return targetOf(membership.control().nodes.get(wanted).id, path);
      const exec = execs.get(execPath.exec(path)?.[1] ?? '');
      if (exec !== undefined) return { engine: exec, path, isRemote: true };
      const [, ref = '', rest = ''] = containerPath.exec(path) ?? [];
      const task = ref === '' ? undefined : findTask(controlOf(membership), decodeURIComponent(ref));
      const container = task?.status.container;
      if (task?.nodeId === undefined || container === undefined) return { engine: local, path, isRemote: false };
      return targetOf(task.nodeId, `/containers/${container.containerId}${rest}`);
    },
    rememberExec(execId, engine) {
      execs.set(execId, engine);
      const [oldest] = execs.keys();
      if (execs.size > MAX_EXECS && oldest !== undefined) execs.delete(oldest);
    },
  };
}

function controlOf(membership: SwarmMembership): Control | undefined {
  try {
    return membership.control();
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

/** The task whose container is meant; undefined when it is none of the swarm's, so that the engine answers. */
function findTask(control: Control | undefined, ref: string): Task | undefined {
  let newest: Task | undefined;
  for (const task of control?.tasks.list({}) ?? []) {
    const containerId = task.status.container?.containerId;
    if (containerId === undefined) continue;
    if (task.id === ref || taskName(task) === ref || (ref.length >= MIN_ID_LENGTH && containerId.startsWith(ref))) return task;
    if (slotName(task) === ref && (newest === undefined || isNewer(task, newest))) newest = task;
  }
  return newest;
}

function isNewer(a: Task, b: Task): boolean {
  const running = (task: Task) => (task.status.state === 'running' ? 1 : 0);
  return running(a) - running(b) > 0 || (running(a) === running(b) && a.createdAt > b.createdAt);
}
