// The executor on a Docker-compatible engine. Each step's details live beside this file; here is what is done in which order.
import type { ContainerState, Executor } from '#agent/executor.ts';
import { taskName } from '#domain/template-context.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { ContainerInspect } from './api-types.ts';
import { containerState } from './container-state.ts';
import { attachmentEndpoint, containerEndpoint } from './endpoints.ts';
import { followEvents } from './events.ts';
import { taskIdLabel } from './labels.ts';
import { createParts, type DockerExecutorOptions, inspect } from './parts.ts';
import { prepare } from './prepare.ts';
import { drainSockets, ingressPortsListen } from './readiness.ts';
import { hostPortsOf } from './sandbox.ts';

export type { DockerExecutorOptions } from './parts.ts';

export interface DockerExecutor extends Executor {
  /** The container of a task, for logs and exec; undefined when it has none. */
  containerId(taskId: string, signal: AbortSignal): Promise<string | undefined>;
  /** Ends the watch of events. */
  close(): void;
  /** For a node that leaves the swarm, after its tasks were removed: networks, files and their mount. */
  destroy(signal: AbortSignal): Promise<void>;
}

export function createDockerExecutor(options: DockerExecutorOptions): DockerExecutor {
  const parts = createParts(options, (taskId) => tell(taskId));
  const { client, containers, networks, files } = parts;
  const closing = new AbortController();
  const listeners = new Set<(taskId: string | undefined) => void>();
  let following = false;
  const tell = (taskId: string | undefined) => {
    for (const listener of listeners) listener(taskId);
  };

  function follow(): void {
    if (following) return;
    following = true;
    const onConnected = () => {
      containers.invalidate();
      networks.invalidate();
      parts.node.forget();
      parts.minorVersion.forget();
      tell(undefined);
      void makeGatewayBridge();
    };
    void followEvents(
      { client, clock: options.clock, log: options.log, onConnected, onEvent: (event) => passEvent(event.Actor.Attributes[taskIdLabel]) },
      closing.signal,
    );
  }

  /** Docker has it on every node of a swarm from the beginning, and users look for it. Tasks that need it make sure of it themselves. */
  async function makeGatewayBridge(): Promise<void> {
    if (parts.podman !== undefined) return;
    try {
      await networks.ensureGatewayBridge(closing.signal);
    } catch (error) {
      if (!closing.signal.aborted) options.log.info({ error: errorMessage(error) }, 'docker_gwbridge could not be made');
    }
  }

  function passEvent(taskId: string | undefined): void {
    if (taskId !== undefined) tell(taskId);
    else for (const attachment of parts.attachments) tell(attachment);
  }

  async function stateOf(taskId: string, inspected: ContainerInspect, signal: AbortSignal): Promise<ContainerState> {
    const state = containerState(inspected);
    if (parts.podman === undefined) return state;
    const health = parts.podman.health.observe(taskId, inspected);
    // As with other engines: a container that has ended has no addresses any more.
    if (state.status === 'exited') await parts.podman.sandboxes.detach(taskId, signal);
    return { ...state, health, hostPorts: [...state.hostPorts, ...hostPortsOf(inspected.Config.Labels)] };
  }

  return {
    describe: parts.describe,
    prepare: (task, dependencies, progress, signal) => prepare(parts, task, dependencies, progress, signal),
    async start(task, signal) {
      const id = await containers.find(task.id, signal);
      if (id === undefined) throw new AppError('notFound', `No such container: ${taskName(task)}`);
      await client.call({ method: 'POST', path: `/containers/${id}/start`, signal });
    },
    async inspect(task, signal) {
      const inspected = await inspect(parts, task.id, signal);
      return inspected && stateOf(task.id, inspected, signal);
    },
    endpoint: (task, state, signal) => (state === undefined ? attachmentEndpoint(parts, task, signal) : containerEndpoint(parts, task, state, signal)),
    serving: (task, state) => ingressPortsListen(task, state.pid, parts.procRoot),
    async drain(task, timeoutMs, signal) {
      const inspected = await inspect(parts, task.id, signal);
      if (inspected?.State.Running) await drainSockets({ task, pid: inspected.State.Pid, procRoot: parts.procRoot, timeoutMs, clock: options.clock }, signal);
    },
    async stop(task, signal) {
      const id = await containers.find(task.id, signal);
      // The container was created with its own grace period.
      if (id !== undefined) await client.find({ method: 'POST', path: `/containers/${id}/stop`, signal });
      await parts.podman?.sandboxes.detach(task.id, signal);
    },
    async remove(task, signal) {
      const id = await containers.find(task.id, signal);
      if (id !== undefined) await options.logKeeper?.keep(id, signal);
      if (id !== undefined) await client.find({ method: 'DELETE', path: `/containers/${id}`, query: { v: 1, force: 1 }, signal });
      containers.delete(task.id);
      parts.attachments.delete(task.id);
      parts.podman?.health.forget(task.id);
      await parts.podman?.sandboxes.detach(task.id, signal);
      await files.remove(task.id);
      await networks.release(task.id, signal);
    },
    async listTaskIds(signal) {
      containers.invalidate();
      return [...new Set([...(await containers.taskIds(signal)), ...(await files.listTaskIds())])];
    },
    watch(listener) {
      listeners.add(listener);
      follow();
      return () => listeners.delete(listener);
    },
    containerId: (taskId, signal) => containers.find(taskId, signal),
    close() {
      closing.abort(new Error('the executor was closed'));
      parts.podman?.health.close();
    },
    async destroy(signal) {
      closing.abort(new Error('the executor was destroyed'));
      parts.podman?.health.close();
      await networks.destroy(signal);
      await files.destroy();
    },
  };
}
