// Health checks run by us, through exec, for an engine that cannot: Podman needs systemd's timers for them. The rules are Docker's (daemon/health.go).
import { finished } from 'node:stream/promises';
import type { ContainerSpec } from '#domain/spec.ts';
import type { ContainerState } from '#agent/executor.ts';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { ContainerInspect } from './api-types.ts';
import type { EngineClient } from './engine-client.ts';
import { healthCheckLabel } from './labels.ts';

/** A check with every value set. */
export interface HealthCheck {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
  readonly retries: number;
}

/** An image's HEALTHCHECK as its inspect shows it. */
export interface ImageHealthCheck {
  readonly Test?: readonly string[] | null;
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

export interface HealthChecks {
  /** Begins, goes on with or ends the checks of a task's container, and tells how healthy it is. */
  observe(taskId: string, inspected: ContainerInspect): ContainerState['health'];
  forget(taskId: string): void;
  close(): void;
}

export interface HealthChecksOptions {
  readonly client: EngineClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** A container has become healthy or unhealthy. */
  readonly onChange: (taskId: string) => void;
  /** Ends a process of this node that a check has left. */
  readonly kill: (pid: number) => void;
}

const NANOSECONDS_PER_MS = 1e6;

interface ExecState {
  readonly Running: boolean;
  readonly ExitCode: number | null;
  readonly Pid: number;
}

/** The service's values win over the image's, field by field. Undefined: there is no check. */
export function effectiveHealthCheck({ healthcheck: own = {} }: Pick<ContainerSpec, 'healthcheck'>, image: ImageHealthCheck = {}): HealthCheck | undefined {
  const test = own.test?.length ? own.test : (image.Test ?? []);
  const [kind, ...rest] = test;
  if (kind === undefined || kind === 'NONE' || rest.length === 0) return undefined;
  const ms = (ours: number | undefined, theirs: number | undefined, standard: number) => (ours || theirs || standard * NANOSECONDS_PER_MS) / NANOSECONDS_PER_MS;
  const startPeriodMs = ms(own.startPeriodNs, image.StartPeriod, 0);
  return {
    command: kind === 'CMD-SHELL' ? ['/bin/sh', '-c', ...rest] : kind === 'CMD' ? rest : test,
    intervalMs: ms(own.intervalNs, image.Interval, 30_000),
    timeoutMs: ms(own.timeoutNs, image.Timeout, 30_000),
    startPeriodMs,
    startIntervalMs: ms(own.startIntervalNs, image.StartInterval, 5_000),
    retries: own.retries || image.Retries || 3,
  };
}

/** One result more: how healthy the container is now. Pure. */
export function judge(before: Judgement, isSuccess: boolean, isStarting: boolean, { retries }: Pick<HealthCheck, 'retries'>): Judgement {
  if (isSuccess) return { health: 'healthy', failures: 0 };
  // Failures while it starts do not count, until it was healthy once.
  if (isStarting && before.health === 'starting') return before;
  const failures = before.failures + 1;
  return { health: failures >= retries ? 'unhealthy' : before.health, failures };
}

export interface Judgement {
  readonly health: 'starting' | 'healthy' | 'unhealthy';
  readonly failures: number;
}

interface Checked {
  readonly containerId: string;
  judgement: Judgement;
  readonly stop: AbortController;
}

export function createHealthChecks({ client, clock, log, onChange, kill }: HealthChecksOptions): HealthChecks {
  const checked = new Map<string, Checked>();

  async function follow(taskId: string, one: Checked, check: HealthCheck, startedAt: number): Promise<void> {
    const { signal } = one.stop;
    // The engine says when it started by the machine's clock, which may be set while it runs.
    const began = clock.elapsed() - (clock.now() - startedAt);
    while (!signal.aborted) {
      const isStarting = () => clock.elapsed() - began < check.startPeriodMs;
      await clock.sleep(isStarting() && one.judgement.health === 'starting' ? Math.min(check.startIntervalMs, check.intervalMs) : check.intervalMs, signal);
      const isSuccess = await probe(one.containerId, check, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        log.debug({ task: taskId, error: errorMessage(error) }, 'a health check could not be run');
        return undefined;
      });
      // An engine that does not answer says nothing of the container.
      if (isSuccess === undefined) continue;
      const before = one.judgement.health;
      one.judgement = judge(one.judgement, isSuccess, isStarting(), check);
      if (one.judgement.health !== before) onChange(taskId);
    }
  }

  /** Attached, because Podman tells a detached process's end only minutes later. */
  async function probe(containerId: string, { command, timeoutMs }: HealthCheck, signal: AbortSignal): Promise<boolean> {
    const body = { Cmd: command, AttachStdout: true, AttachStderr: true };
    const { Id } = await client.call<{ readonly Id: string }>({ method: 'POST', path: `/containers/${containerId}/exec`, body, signal });
    const state = () => client.call<ExecState>({ method: 'GET', path: `/exec/${Id}/json`, signal });
    const cancel = clock.schedule(timeoutMs, () => {
      state().then(
        ({ Running, Pid }) => Running && Pid > 0 && kill(Pid),
        () => {},
      );
    });
    const startedAt = clock.elapsed();
    try {
      const output = await client.stream({ method: 'POST', path: `/exec/${Id}/start`, body: { Detach: false, Tty: false }, signal });
      output.resume();
      await finished(output, { writable: false, signal });
    } finally {
      cancel();
    }
    const { ExitCode } = await state();
    return ExitCode === 0 && clock.elapsed() - startedAt < timeoutMs;
  }

  function forget(taskId: string): void {
    checked.get(taskId)?.stop.abort(new Error('the container is no longer checked'));
    checked.delete(taskId);
  }

  return {
    observe(taskId, { Id, State, Config }) {
      const label = Config.Labels?.[healthCheckLabel];
      if (label === undefined) return 'none';
      const known = checked.get(taskId);
      if (!State.Running) {
        known?.stop.abort(new Error('the container has ended'));
        return known?.containerId === Id ? known.judgement.health : 'none';
      }
      if (known?.containerId === Id && !known.stop.signal.aborted) return known.judgement.health;
      forget(taskId);
      const one: Checked = { containerId: Id, judgement: { health: 'starting', failures: 0 }, stop: new AbortController() };
      checked.set(taskId, one);
      follow(taskId, one, JSON.parse(label) as HealthCheck, Date.parse(State.StartedAt)).catch(() => {});
      return one.judgement.health;
    },
    forget,
    close() {
      for (const taskId of checked.keys()) forget(taskId);
    },
  };
}
