// When a task may get traffic, and when it has served what it got: read from its sockets.
import type { Task } from '#domain/objects.ts';
import type { Clock } from '#lib/clock.ts';
import { readSockets } from './sockets.ts';

/** How often the connections of a stopping task are counted. */
const DRAIN_POLL_MS = 50;

/** Whether every port published through the ingress listens. True when that cannot be known. */
export async function ingressPortsListen(task: Task, pid: number, procRoot: string): Promise<boolean> {
  const ports = (task.endpoint?.ports ?? []).filter(({ publishMode }) => publishMode === 'ingress');
  if (ports.length === 0) return true;
  const sockets = await readSockets(procRoot, pid);
  if (sockets === undefined) return true;
  return ports.every(({ protocol, targetPort }) => protocol === 'sctp' || sockets.listening[protocol].has(targetPort));
}

export interface DrainOptions {
  readonly task: Task;
  readonly pid: number;
  readonly procRoot: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Waits until nobody is connected to a port that the task listens on or publishes. */
export async function drainSockets({ task, pid, procRoot, timeoutMs, clock }: DrainOptions, signal: AbortSignal): Promise<void> {
  const published = new Set((task.endpoint?.ports ?? []).map(({ targetPort }) => targetPort));
  const deadline = clock.elapsed() + timeoutMs;
  while (clock.elapsed() < deadline) {
    const sockets = await readSockets(procRoot, pid);
    if (sockets === undefined) return;
    if (!sockets.established.some((port) => published.has(port) || sockets.listening.tcp.has(port))) return;
    await clock.sleep(Math.min(DRAIN_POLL_MS, Math.max(1, deadline - clock.elapsed())), signal);
  }
}
