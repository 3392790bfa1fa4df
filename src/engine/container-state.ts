// What the engine's inspect says of a container, in the agent's words. Pure.
import type { PortConfig } from '#domain/spec.ts';
import type { ContainerState } from '#agent/executor.ts';
import type { ContainerInspect } from './api-types.ts';

export function containerState({ Id, State, NetworkSettings }: ContainerInspect): ContainerState {
  const startedAt = Date.parse(State.StartedAt);
  return {
    containerId: Id,
    status: statusOf(State),
    pid: State.Pid,
    exitCode: State.ExitCode,
    health: healthOf(State.Health?.Status),
    oomKilled: State.OOMKilled,
    hostPorts: publishedPorts(NetworkSettings.Ports ?? {}),
    ...(State.Error === '' ? {} : { error: State.Error }),
    ...(startedAt > 0 ? { startedAt } : {}),
  };
}

/** A paused or restarting container lives, and so does one in its grace period, which Podman calls by a name of its own; a dead one, or one that is being removed, does not. */
function statusOf({ Status, Running }: ContainerInspect['State']): ContainerState['status'] {
  if (Running || Status === 'stopping') return 'running';
  return Status === 'created' ? 'created' : 'exited';
}

function healthOf(status: string | undefined): ContainerState['health'] {
  return status === 'starting' || status === 'healthy' || status === 'unhealthy' ? status : 'none';
}

/** IPv4 and IPv6 bindings of one port are one published port. */
function publishedPorts(ports: NonNullable<ContainerInspect['NetworkSettings']['Ports']>): readonly PortConfig[] {
  const found = new Map<string, PortConfig>();
  for (const [key, bindings] of Object.entries(ports)) {
    const [port = '', protocol = 'tcp'] = key.split('/');
    for (const { HostPort } of bindings ?? []) {
      if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') continue;
      found.set(`${key}:${HostPort}`, { protocol, targetPort: Number(port), publishedPort: Number(HostPort), publishMode: 'host' });
    }
  }
  return [...found.values()];
}
