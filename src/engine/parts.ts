// What the steps of the executor share: the engine's client, the index of containers, networks and files.
import type { EngineLink } from '#engine-link/connection.ts';
import type { NodeDescription } from '#domain/objects.ts';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Sandboxes } from '#protocol/sandbox.ts';
import type { ContainerInspect, EngineInfo } from './api-types.ts';
import { createTaskContainers, type TaskContainers } from './containers.ts';
import { describeNode } from './describe.ts';
import { createEngineClient, type EngineClient } from './engine-client.ts';
import type { LogKeeper } from './keep-log.ts';
import { createHealthChecks, type HealthChecks } from './health-checks.ts';
import { forwardsIpv6, hasGateway6 } from './gateway-bridge.ts';
import { createNetworks, type Networks } from './networks.ts';
import { createTaskFiles, type TaskFiles, type TaskFilesOptions } from './task-files.ts';

export interface DockerExecutorOptions {
  readonly link: EngineLink;
  /** Where the tmpfs for secrets and configs is mounted: `<stateDir>/secrets`. The engine must see the same files. */
  readonly stateDir: string;
  /** Tells our containers and networks from those of another skepd on the same engine. */
  readonly instance: string;
  readonly network: {
    readonly driverName: string;
    readonly dnsAddress: string;
    /** This node's end of the WireGuard mesh, or why there is none: then tasks on encrypted networks are refused with that reason. */
    readonly encryption?:
      | { readonly kind: 'ready'; readonly publicKey: string; readonly port: number }
      | { readonly kind: 'unavailable'; readonly reason: string };
    /** Given when the engine is Podman: it knows no network drivers, and runs no health checks without systemd. */
    readonly sandboxes?: Sandboxes;
  };
  /** The node's name for users; the engine's own when absent. */
  readonly nodeHostname?: string;
  /** Where VXLAN packets of this node come from and go to. */
  readonly dataPathAddress: () => string;
  readonly tls?: () => NodeDescription['tls'];
  /** Told of each container of a task right before it is removed. */
  readonly logKeeper?: LogKeeper;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where process ids that the engine tells are valid; /proc unless the engine lives in another namespace. */
  readonly procRoot?: string;
  readonly files?: Omit<TaskFilesOptions, 'folder'>;
}

export interface Parts {
  readonly options: DockerExecutorOptions;
  readonly client: EngineClient;
  readonly networks: Networks;
  readonly containers: TaskContainers;
  readonly files: TaskFiles;
  readonly procRoot: string;
  /** What an engine cannot do that is Podman. */
  readonly podman?: { readonly sandboxes: Sandboxes; readonly health: HealthChecks };
  /** The engine's API version, 41 for 1.41. */
  readonly minorVersion: Remembered<number>;
  readonly describe: (signal: AbortSignal) => Promise<NodeDescription>;
  /** The description as it was when the engine was last connected to: good enough for templates. */
  readonly node: Remembered<NodeDescription>;
  /** Attachment tasks seen so far: any plain container's start may concern them. */
  readonly attachments: Set<string>;
}

/** `onHealth`: a container's health, which we check ourselves, has changed. */
export function createParts(options: DockerExecutorOptions, onHealth: (taskId: string) => void): Parts {
  const { link, stateDir, instance, network, clock, log, nodeHostname: hostname, dataPathAddress, tls } = options;
  const client = createEngineClient({ link });
  const networks = createNetworks({ client, driverName: network.driverName, instance, clock, log });
  const onFound = (taskId: string, networkIds: readonly string[]) => {
    for (const networkId of networkIds) networks.noteUse(networkId, taskId);
  };
  async function ensureGateway6(signal: AbortSignal): Promise<boolean> {
    try {
      await networks.ensureGatewayBridge(signal);
      return await hasGateway6(client, signal);
    } catch (error) {
      // Tasks that need the bridge will say so; others run without.
      log.warn({ error: errorMessage(error) }, 'there is no gateway bridge yet');
      return false;
    }
  }
  async function describe(signal: AbortSignal): Promise<NodeDescription> {
    const info = await client.call<EngineInfo>({ method: 'GET', path: '/info', signal });
    const tlsInfo = tls?.();
    const { encryption, sandboxes } = network;
    // As in Docker, a node of a swarm has the bridge before any task needs it: then it is known whether that has IPv6. Where it is our own, it has.
    const publishes6 = sandboxes === undefined ? await ensureGateway6(signal) : await forwardsIpv6();
    return describeNode(info, {
      dataPathAddress: dataPathAddress(),
      publishes6,
      ...(hostname === undefined ? {} : { hostname }),
      ...(tlsInfo === undefined ? {} : { tls: tlsInfo }),
      ...(encryption?.kind === 'ready' ? { encryption: { publicKey: encryption.publicKey, port: encryption.port } } : {}),
    });
  }
  return {
    options,
    client,
    networks,
    containers: createTaskContainers({ client, instance, onFound }),
    files: createTaskFiles({ folder: `${stateDir}/secrets`, ...options.files }),
    procRoot: options.procRoot ?? '/proc',
    attachments: new Set(),
    ...(network.sandboxes === undefined
      ? {}
      : { podman: { sandboxes: network.sandboxes, health: createHealthChecks({ client, clock, log, onChange: onHealth, kill: killProcess }) } }),
    minorVersion: remember(async (signal) => {
      const { ApiVersion } = await client.call<{ ApiVersion: string }>({ method: 'GET', path: '/version', signal });
      return Number(ApiVersion.split('.')[1] ?? 0);
    }),
    describe,
    node: remember(describe),
  };
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

/** The engine's description of a task's container, or undefined when it has none. */
export async function inspect({ client, containers }: Parts, taskId: string, signal: AbortSignal): Promise<ContainerInspect | undefined> {
  const id = await containers.find(taskId, signal);
  if (id === undefined) return undefined;
  const inspected = await client.find<ContainerInspect>({ method: 'GET', path: `/containers/${id}/json`, signal });
  if (inspected === undefined) containers.delete(taskId);
  return inspected;
}

/** An answer that stays the same until the engine is another one. */
export interface Remembered<T> {
  get(signal: AbortSignal): Promise<T>;
  forget(): void;
}

function remember<T>(ask: (signal: AbortSignal) => Promise<T>): Remembered<T> {
  let answer: { readonly value: T } | undefined;
  let asked = 0;
  return {
    async get(signal) {
      if (answer !== undefined) return answer.value;
      const before = asked;
      const value = await ask(signal);
      // Forgotten while it was on its way: the next asks again.
      if (before === asked) answer = { value };
      return value;
    },
    forget() {
      asked += 1;
      answer = undefined;
    },
  };
}
