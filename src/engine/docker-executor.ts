// The executor on a Docker-compatible engine. Each step's details live beside this file; here is what is done in which order.
import type Docker from 'dockerode';
import type { NodeDescription, Task } from '#domain/objects.ts';
import { taskName } from '#domain/task-name.ts';
import { expandContainerSpec } from '#domain/template-context.ts';
import type { AssignedTask, ContainerState, Executor, LocalEndpoint, TaskDependencies } from '#agent/executor.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { ContainerInspect, EngineInfo, NetworkInspect } from './api-types.ts';
import { containerConfig, type ContainerNetwork, GATEWAY_BRIDGE, isOverlay, ownResolvConf } from './container-config.ts';
import { containerState } from './container-state.ts';
import { createTaskContainers, type TaskContainers } from './containers.ts';
import { describeNode } from './describe.ts';
import { createEngineClient, type EngineClient } from './engine-client.ts';
import { followEvents } from './events.ts';
import { ensureImage } from './image.ts';
import { taskIdLabel } from './labels.ts';
import { createNetworks, type Networks } from './networks.ts';
import { drainSockets, ingressPortsListen } from './readiness.ts';
import { createTaskFiles, type TaskFiles, type TaskFilesOptions } from './task-files.ts';

export interface DockerExecutorOptions {
  readonly docker: Docker;
  /** Where the tmpfs for secrets and configs is mounted: `<stateDir>/secrets`. The engine must see the same files. */
  readonly stateDir: string;
  /** Tells our containers and networks from those of another skepd on the same engine. */
  readonly instance: string;
  readonly network: { readonly driverName: string; readonly dnsAddress: string };
  /** The node's name for users; the engine's own when absent. */
  readonly nodeHostname?: string;
  /** Where VXLAN packets of this node come from and go to. */
  readonly dataPathAddress: () => string;
  readonly tls?: () => NodeDescription['tls'];
  readonly clock: Clock;
  readonly log: Logger;
  /** Where process ids that the engine tells are valid; /proc unless the engine lives in another namespace. */
  readonly procRoot?: string;
  readonly files?: Omit<TaskFilesOptions, 'folder'>;
}

export interface DockerExecutor extends Executor {
  /** The container of a task, for logs and exec; undefined when it has none. */
  containerId(taskId: string, signal: AbortSignal): Promise<string | undefined>;
  /** Ends the watch of events. */
  close(): void;
  /** For a node that leaves the swarm, after its tasks were removed: networks, files and their mount. */
  destroy(signal: AbortSignal): Promise<void>;
}

interface Parts {
  readonly options: DockerExecutorOptions;
  readonly client: EngineClient;
  readonly networks: Networks;
  readonly containers: TaskContainers;
  readonly files: TaskFiles;
  readonly procRoot: string;
  /** The engine's API version, 41 for 1.41. */
  readonly minorVersion: (signal: AbortSignal) => Promise<number>;
  readonly describe: (signal: AbortSignal) => Promise<NodeDescription>;
  /** Attachment tasks seen so far: any plain container's start may concern them. */
  readonly attachments: Set<string>;
}

export function createDockerExecutor(options: DockerExecutorOptions): DockerExecutor {
  const parts = createParts(options);
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
      tell(undefined);
    };
    void followEvents(
      { client, clock: options.clock, log: options.log, onConnected, onEvent: (event) => passEvent(event.Actor.Attributes[taskIdLabel]) },
      closing.signal,
    );
  }

  function passEvent(taskId: string | undefined): void {
    if (taskId !== undefined) tell(taskId);
    else for (const attachment of parts.attachments) tell(attachment);
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
      return inspected && containerState(inspected);
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
    },
    async remove(task, signal) {
      const id = await containers.find(task.id, signal);
      if (id !== undefined) await client.find({ method: 'DELETE', path: `/containers/${id}`, query: { v: 1, force: 1 }, signal });
      containers.delete(task.id);
      parts.attachments.delete(task.id);
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
    close: () => closing.abort(new Error('the executor was closed')),
    async destroy(signal) {
      closing.abort(new Error('the executor was destroyed'));
      await networks.destroy(signal);
      await files.destroy();
    },
  };
}

function createParts(options: DockerExecutorOptions): Parts {
  const { docker, stateDir, instance, network, log, nodeHostname: hostname, dataPathAddress, tls } = options;
  const client = createEngineClient({ docker });
  const networks = createNetworks({ client, driverName: network.driverName, instance, log });
  const onFound = (taskId: string, networkIds: readonly string[]) => {
    for (const networkId of networkIds) networks.noteUse(networkId, taskId);
  };
  return {
    options,
    client,
    networks,
    containers: createTaskContainers({ client, instance, onFound }),
    files: createTaskFiles({ folder: `${stateDir}/secrets`, ...options.files }),
    procRoot: options.procRoot ?? '/proc',
    attachments: new Set(),
    // Asked each time: an engine may be upgraded under us, and the answer takes a millisecond.
    async minorVersion(signal) {
      const { ApiVersion } = await client.call<{ ApiVersion: string }>({ method: 'GET', path: '/version', signal });
      return Number(ApiVersion.split('.')[1] ?? 0);
    },
    async describe(signal) {
      const info = await client.call<EngineInfo>({ method: 'GET', path: '/info', signal });
      const tlsInfo = tls?.();
      return describeNode(info, {
        dataPathAddress: dataPathAddress(),
        ...(hostname === undefined ? {} : { hostname }),
        ...(tlsInfo === undefined ? {} : { tls: tlsInfo }),
      });
    },
  };
}

async function inspect({ client, containers }: Parts, taskId: string, signal: AbortSignal): Promise<ContainerInspect | undefined> {
  const id = await containers.find(taskId, signal);
  if (id === undefined) return undefined;
  const inspected = await client.find<ContainerInspect>({ method: 'GET', path: `/containers/${id}/json`, signal });
  if (inspected === undefined) containers.delete(taskId);
  return inspected;
}

async function prepare(
  parts: Parts,
  assigned: AssignedTask,
  dependencies: TaskDependencies,
  progress: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { client, log } = { client: parts.client, log: parts.options.log };
  const { task } = assigned;
  if (task.spec.runtime.kind === 'attachment') {
    parts.attachments.add(task.id);
    for (const network of assigned.networks) await parts.networks.use(network, task.id, signal);
    return;
  }
  const existing = await inspect(parts, task.id, signal);
  if (existing !== undefined && existing.State.Status !== 'created') return;
  const node = await parts.describe(signal);
  const spec = expandContainerSpec(task, node);
  const { registryAuth } = spec;
  const image = ensureImage({ client, log, image: spec.image, progress, signal, ...(registryAuth === undefined ? {} : { registryAuth }) });
  const networks = attachTo(parts, assigned, signal);
  await Promise.allSettled([image, networks]);
  await image;
  const overlay = assigned.networks.some(isOverlay);
  const { dnsAddress } = parts.options.network;
  const resolvConf = ownResolvConf(spec, overlay, dnsAddress);
  const others = resolvConf === undefined ? [] : [{ target: '/etc/resolv.conf', content: resolvConf }];
  const files = await parts.files.write({ assigned, spec, dependencies, node, others });
  const minorVersion = await parts.minorVersion(signal);
  const { instance } = parts.options;
  const config = containerConfig({ task, spec, instance, networks: await networks, overlay, dnsAddress, files, minorVersion });
  await createContainer(parts, task, config, signal);
}

/** The engine's networks for the task's, made where missing, with the addresses that the managers gave. */
async function attachTo({ networks }: Parts, { task, networks: assigned }: AssignedTask, signal: AbortSignal): Promise<readonly ContainerNetwork[]> {
  const attached: ContainerNetwork[] = [];
  for (const { networkId, addresses, driverOptions } of task.networks) {
    const network = assigned.find(({ id }) => id === networkId);
    if (network === undefined) throw new AppError('notFound', `network ${networkId} not found`);
    const { name } = await networks.use(network, task.id, signal);
    attached.push({ name, endpoint: { IPAMConfig: ipamConfig(addresses), ...(driverOptions === undefined ? {} : { DriverOpts: driverOptions }) } });
  }
  if (attached.length > 0) return attached;
  if (!(task.endpoint?.ports ?? []).some(({ publishMode }) => publishMode === 'ingress')) return [];
  // Published traffic arrives over the gateway bridge; a task without networks lives there altogether.
  await networks.ensureGatewayBridge(signal);
  return [{ name: GATEWAY_BRIDGE, endpoint: {} }];
}

function ipamConfig(addresses: readonly string[]): object {
  const bare = addresses.map((address) => address.split('/', 1)[0] ?? address);
  const v4 = bare.find((address) => !address.includes(':'));
  const v6 = bare.find((address) => address.includes(':'));
  return { ...(v4 === undefined ? {} : { IPv4Address: v4 }), ...(v6 === undefined ? {} : { IPv6Address: v6 }) };
}

async function createContainer(parts: Parts, task: Task, { body, connectLater }: ReturnType<typeof containerConfig>, signal: AbortSignal): Promise<void> {
  const { client, containers } = parts;
  // What an earlier try left may be half connected: it is made anew.
  const left = await containers.find(task.id, signal);
  if (left !== undefined) await client.find({ method: 'DELETE', path: `/containers/${left}`, query: { v: 1, force: 1 }, signal });
  containers.delete(task.id);
  const name = taskName(task);
  const Id = await createNamed(client, name, task.id, body, signal);
  containers.add(task.id, Id);
  for (const { name: network, endpoint } of connectLater)
    await client.call({ method: 'POST', path: `/networks/${network}/connect`, body: { Container: Id, EndpointConfig: endpoint }, signal });
}

async function createNamed(client: EngineClient, name: string, taskId: string, body: object, signal: AbortSignal): Promise<string> {
  const create = () => client.call<{ Id: string }>({ method: 'POST', path: '/containers/create', query: { name }, body, signal });
  try {
    return (await create()).Id;
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'conflict')) throw error;
    // Created by a request whose answer never came, or by an agent of another state folder: task ids do not repeat, so it is this task's.
    const other = await client.find<ContainerInspect>({ method: 'GET', path: `/containers/${name}/json`, signal });
    if (other?.Config.Labels?.[taskIdLabel] !== taskId) throw error;
    await client.find({ method: 'DELETE', path: `/containers/${other.Id}`, query: { v: 1, force: 1 }, signal });
    return (await create()).Id;
  }
}

async function containerEndpoint(parts: Parts, task: Task, state: ContainerState, signal: AbortSignal): Promise<LocalEndpoint | undefined> {
  const { containerId, pid } = state;
  const networkIds = task.networks.map(({ networkId }) => networkId);
  const gatewayAddress = await gatewayAddressOf(parts.client, containerId, signal);
  const nameservers = task.spec.runtime.kind === 'container' ? (task.spec.runtime.container.dns?.nameservers ?? []) : [];
  return {
    taskId: task.id,
    containerId,
    pid,
    networkIds,
    ...(gatewayAddress === undefined ? {} : { gatewayAddress }),
    ...(nameservers.length === 0 ? {} : { nameservers }),
  };
}

/** The engine attaches containers of remote drivers to its gateway bridge by itself; only the bridge's own description tells the address. */
async function gatewayAddressOf(client: EngineClient, containerId: string, signal: AbortSignal): Promise<string | undefined> {
  const bridge = await client.find<NetworkInspect>({ method: 'GET', path: `/networks/${GATEWAY_BRIDGE}`, signal });
  return bridge?.Containers?.[containerId]?.IPv4Address.split('/', 1)[0] || undefined;
}

/** The plain container that has the attachment's address, once it runs. */
async function attachmentEndpoint(parts: Parts, task: Task, signal: AbortSignal): Promise<LocalEndpoint | undefined> {
  const { client, networks, attachments } = parts;
  attachments.add(task.id);
  for (const { networkId, addresses } of task.networks) {
    networks.noteUse(networkId, task.id);
    const backing = await networks.find(networkId, signal);
    const network = backing && (await client.find<NetworkInspect>({ method: 'GET', path: `/networks/${backing.id}`, signal }));
    const wanted = new Set(addresses.map((address) => address.split('/', 1)[0]));
    const found = Object.entries(network?.Containers ?? {}).find(([, { IPv4Address }]) => wanted.has(IPv4Address.split('/', 1)[0]));
    if (found === undefined) continue;
    const [containerId] = found;
    const container = await client.find<ContainerInspect>({ method: 'GET', path: `/containers/${containerId}/json`, signal });
    const gatewayAddress = await gatewayAddressOf(client, containerId, signal);
    return {
      taskId: task.id,
      containerId,
      pid: container?.State.Pid ?? 0,
      networkIds: task.networks.map((attachment) => attachment.networkId),
      ...(gatewayAddress === undefined ? {} : { gatewayAddress }),
    };
  }
  return undefined;
}
