// Everything until a task's container could be started.
import type { Task } from '#domain/objects.ts';
import { wantsEncryption } from '#domain/encrypted.ts';
import { expandContainerSpec, taskName } from '#domain/template-context.ts';
import type { AssignedTask, TaskDependencies } from '#agent/executor.ts';
import { AppError } from '#lib/errors.ts';
import type { SandboxPlace, SandboxSpec } from '#protocol/sandbox.ts';
import type { ContainerInspect } from './api-types.ts';
import { containerConfig, type ContainerNetwork, GATEWAY_BRIDGE, isOverlay, ownResolvConf } from './container-config.ts';
import { creationSignal, type EngineClient } from './engine-client.ts';
import { ensureImage } from './image.ts';
import { effectiveHealthCheck, type ImageHealthCheck } from './health-checks.ts';
import { healthCheckLabel, taskIdLabel } from './labels.ts';
import { inspect, type Parts } from './parts.ts';
import { hostPortLabels, hostsFile, sandboxHostname, sandboxSpec } from './sandbox.ts';

export async function prepare(
  parts: Parts,
  assigned: AssignedTask,
  dependencies: TaskDependencies,
  progress: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { client, log } = { client: parts.client, log: parts.options.log };
  const { task } = assigned;
  refuseUnencrypted(parts, assigned);
  if (task.spec.runtime.kind === 'attachment') {
    parts.attachments.add(task.id);
    // The plain container is created in the namespace that is made for it.
    if (parts.podman !== undefined) await placeOf(parts, assigned, signal);
    else for (const network of assigned.networks) await parts.networks.use(network, task.id, signal);
    return;
  }
  const existing = await inspect(parts, task.id, signal);
  if (existing !== undefined && existing.State.Status !== 'created') return;
  const node = await parts.node.get(signal);
  const spec = expandContainerSpec(task, node);
  const { registryAuth } = spec;
  const image = ensureImage({ client, log, image: spec.image, progress, signal, ...(registryAuth === undefined ? {} : { registryAuth }) });
  const place = placeOf(parts, assigned, signal);
  const networks = place.then((sandbox) => (sandbox === undefined ? attachTo(parts, assigned, signal) : []));
  await Promise.allSettled([image, networks]);
  await image;
  const overlay = assigned.networks.some(isOverlay);
  const { dnsAddress } = parts.options.network;
  const resolvConf = ownResolvConf(spec, overlay, dnsAddress);
  const sandbox = await place;
  const others = [
    ...(resolvConf === undefined ? [] : [{ target: '/etc/resolv.conf', content: resolvConf }]),
    ...(sandbox === undefined ? [] : [{ target: '/etc/hosts', content: hostsFile(sandboxHostname(task, spec), spec, sandbox.spec) }]),
  ];
  const check = parts.podman && effectiveHealthCheck(spec, await imageHealthCheck(client, spec.image, signal));
  const files = await parts.files.write({ assigned, spec, dependencies, node, others });
  const minorVersion = await parts.minorVersion.get(signal);
  const { instance } = parts.options;
  const config = containerConfig({
    task,
    spec: sandbox === undefined ? spec : { ...spec, hostname: sandboxHostname(task, spec) },
    instance,
    networks: await networks,
    overlay,
    dnsAddress,
    files,
    minorVersion,
    isPodman: parts.podman !== undefined,
    labels: { ...(sandbox && hostPortLabels(sandbox.place)), ...(check && { [healthCheckLabel]: JSON.stringify(check) }) },
    ...(sandbox === undefined ? {} : { sandbox: sandbox.place }),
  });
  await createContainer(parts, task, config, signal);
}

/** A node that cannot encrypt runs no task of an encrypted network: it would be alone there, and nobody would know why. */
function refuseUnencrypted({ options }: Parts, { networks }: AssignedTask): void {
  const { encryption } = options.network;
  const network = networks.find((candidate) => isOverlay(candidate) && wantsEncryption(candidate.driver));
  if (network === undefined || encryption?.kind !== 'unavailable') return;
  throw new AppError('failedPrecondition', `network ${network.name} is encrypted, and this node cannot encrypt: ${encryption.reason}`);
}

/** The namespace made for the task; undefined when the engine attaches it itself. */
async function placeOf({ podman }: Parts, assigned: AssignedTask, signal: AbortSignal): Promise<{ spec: SandboxSpec; place: SandboxPlace } | undefined> {
  const spec = podman && sandboxSpec(assigned);
  return spec && { spec, place: await podman.sandboxes.attach(spec, signal) };
}

async function imageHealthCheck(client: EngineClient, image: string, signal: AbortSignal): Promise<ImageHealthCheck | undefined> {
  const path = `/images/${image}/json`;
  const inspected = await client.find<{ readonly Config?: { readonly Healthcheck?: ImageHealthCheck | null } | null }>({ method: 'GET', path, signal });
  return inspected?.Config?.Healthcheck ?? undefined;
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
  if (assigned.some(isOverlay) || !hasIngressPorts(task)) return attached;
  // Published traffic arrives over the gateway bridge, which the engine adds to overlays only.
  if (attached.some(({ name }) => name === 'host' || name === 'none'))
    throw new AppError('invalidArgument', 'container sharing network namespace with another container or host cannot be connected to any other network');
  await networks.ensureGatewayBridge(signal);
  return [...attached, { name: GATEWAY_BRIDGE, endpoint: {} }];
}

function hasIngressPorts(task: Task): boolean {
  return (task.endpoint?.ports ?? []).some(({ publishMode }) => publishMode === 'ingress');
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
  const create = () => client.call<{ Id: string }>({ method: 'POST', path: '/containers/create', query: { name }, body, signal: creationSignal(signal) });
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
