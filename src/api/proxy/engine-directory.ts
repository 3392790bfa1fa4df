// Which node's engine a request is for. A manager reaches the container of any task by its container's id, the task's id or name ("web.1.<id>", or "web.1"
// for the newest), and any node by the header X-Skep-Node. Everything else is for this node's own engine.
import type { IncomingHttpHeaders } from 'node:http';
import type { Control, SwarmMembership } from '#control/control.ts';
import type { Task } from '#domain/objects.ts';
import { slotName, taskName } from '#domain/task-name.ts';
import { AppError } from '#lib/errors.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import { nodeName } from './all-nodes.ts';
import { textAt } from './json-object.ts';

export const NODE_HEADER = 'x-skep-node';

export interface EngineTarget {
  readonly engine: EngineLink;
  /** The path to ask it for, version and query as they came. */
  readonly path: string;
  readonly isRemote: boolean;
}

export interface EngineDirectory {
  /** `path` has no version; its query may be there. Throws AppError when the node that is asked for is not known, or is not there. */
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

/** A part of a task's id must be this long: `docker service ps` prints so much, and shorter ones could be names. */
const MIN_TASK_ID_LENGTH = 12;
/** Execs of other nodes that may still be started; the oldest are forgotten. */
const MAX_EXECS = 10_000;
const containerPath = /^\/containers\/(?!create(?:[/?]|$)|json(?:[/?]|$)|prune(?:[/?]|$))([^/?]+)(.*)$/s;
const execPath = /^\/exec\/([^/?]+)/;
/** What is the swarm's, or of this daemon, has nothing to do with a node's engine. */
const ownPath = /^\/(?:_ping|swarm|nodes|services|tasks|secrets|configs)(?:[/?]|$)/;

/** Every node is meant. */
export function isForAllNodes(headers: IncomingHttpHeaders): boolean {
  return headers[NODE_HEADER] === '*' || headers[NODE_HEADER] === 'all';
}

export function createEngineDirectory({ membership, local, engineOf }: EngineDirectoryOptions): EngineDirectory {
  const execs = new Map<string, EngineLink>();

  async function targetOf(nodeId: string, path: string): Promise<EngineTarget> {
    if (engineOf === undefined || nodeId === membership.nodeId()) return { engine: local, path, isRemote: false };
    const node = controlOf(membership)?.nodes.list({ id: [nodeId] })[0];
    // Said at once, instead of after trying.
    if (node?.status.state !== 'ready')
      throw new AppError('unavailable', `node ${nodeName(node) || nodeId} is not available (${node?.status.state ?? 'removed'})`);
    return { engine: await engineOf(nodeId), path, isRemote: true };
  }

  /** The container of a task, wherever it is; undefined when the local engine must answer. */
  async function findContainer(ref: string): Promise<Task | undefined> {
    const { exact, others } = candidates(controlOf(membership), ref);
    if (exact !== undefined) return exact;
    if (others.length === 0) return undefined;
    // A container of this node comes first, as far as it is not just another one with such an id.
    const { status, body } = await local.request({ method: 'GET', path: `/containers/${encodeURIComponent(ref)}/json` });
    if (status !== 404 && textAt(body, 'Name') !== `/${ref}` && status === 200) others.push({ containerId: textAt(body, 'Id'), byName: false });
    if (status !== 404 && (status !== 200 || textAt(body, 'Name') === `/${ref}`)) return undefined;
    const byId = new Map(others.filter(({ byName }) => !byName).map((candidate) => [candidate.containerId, candidate]));
    // Docker's words for the containers of one node (pkg/truncindex).
    if (byId.size > 1) throw new AppError('unknown', `Multiple IDs found with provided prefix: ${ref}`);
    const [found] = byId.values();
    return found === undefined ? newest(others.flatMap(({ task }) => task ?? [])) : found.task;
  }

  return {
    async find(path, headers) {
      const wanted = headers[NODE_HEADER];
      if (typeof wanted === 'string' && wanted !== '' && !isForAllNodes(headers) && !ownPath.test(path))
        return targetOf(membership.control().nodes.get(wanted).id, path);
      const exec = execs.get(execPath.exec(path)?.[1] ?? '');
      if (exec !== undefined) return { engine: exec, path, isRemote: true };
      const [, ref = '', rest = ''] = containerPath.exec(path) ?? [];
      const task = ref === '' ? undefined : await findContainer(decoded(ref));
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

/** What is no percent-encoding names no container: the engine says so. */
function decoded(ref: string): string {
  try {
    return decodeURIComponent(ref);
  } catch {
    return ref;
  }
}

interface Candidate {
  readonly containerId: string;
  /** By the name of its slot, which several tasks had; else by the beginning of an id. */
  readonly byName: boolean;
  /** Absent for a container of this node's engine that is no task's. */
  readonly task?: Task;
}

interface Candidates {
  readonly exact?: Task;
  readonly others: Candidate[];
}

function candidates(control: Control | undefined, ref: string): Candidates {
  const others: Candidate[] = [];
  for (const task of control?.tasks.list({}) ?? []) {
    const containerId = task.status.container?.containerId;
    if (containerId === undefined) continue;
    if (task.id === ref || taskName(task) === ref || containerId === ref) return { exact: task, others: [] };
    const byId = containerId.startsWith(ref) || (ref.length >= MIN_TASK_ID_LENGTH && task.id.startsWith(ref));
    if (byId || slotName(task) === ref) others.push({ containerId, byName: !byId, task });
  }
  return { others };
}

function newest(tasks: readonly Task[]): Task | undefined {
  return tasks.reduce<Task | undefined>((best, task) => (best === undefined || isNewer(task, best) ? task : best), undefined);
}

function isNewer(a: Task, b: Task): boolean {
  const running = (task: Task) => (task.status.state === 'running' ? 1 : 0);
  return running(a) - running(b) > 0 || (running(a) === running(b) && a.createdAt > b.createdAt);
}
