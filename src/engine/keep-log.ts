// Saves the end of a task's log when its container is about to be removed: live logs are the engine's, and nothing is written twice.
import { createLimiter } from '#agent/limiter.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import type { ContainerInspect } from './api-types.ts';
import { createEngineClient } from './engine-client.ts';
import { type KeptLogs, type KeptTask, lastLines } from './kept-logs.ts';
import { taskIdLabel } from './labels.ts';
import { taskLogs } from './logs.ts';

export interface LogKeeper {
  /** Keeps what it can. Rejects only when the engine cannot be reached: then the container is still there, and its removal is tried again. */
  keep(containerId: string, signal: AbortSignal): Promise<void>;
}

export interface LogKeeperOptions {
  readonly link: EngineLink;
  readonly kept: KeptLogs;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Each holds as much memory as may be kept of a task. */
const MAX_AT_ONCE = 4;
/** A removal waits no longer for a log than this. */
const READ_TIMEOUT_MS = 5_000;
/** The shortest line is a frame's header, a time and a newline: the engine is asked for no more lines than can be kept. */
const MIN_LINE_BYTES = 40;
/** Long lines take longer; the second try asks for less. */
const SECOND_TRY_SHARE = 50;

export function createLogKeeper({ link, kept, clock, log }: LogKeeperOptions): LogKeeper {
  const limiter = createLimiter(MAX_AT_ONCE);
  const { taskBytes } = kept.limits;
  if (taskBytes === 0) return { keep: async () => {} };
  const mostLines = Math.ceil(taskBytes / MIN_LINE_BYTES);
  return {
    async keep(containerId, signal) {
      try {
        await limiter.run(() => save({ link, kept, clock }, { containerId, mostLines, taskBytes }, signal), signal);
      } catch (error) {
        if (signal.aborted || (error instanceof AppError && error.code === 'unavailable')) throw error;
        log.warn({ container: containerId, error: errorMessage(error) }, "the log of a task's container could not be kept");
      }
    },
  };
}

interface Wanted {
  readonly containerId: string;
  readonly mostLines: number;
  readonly taskBytes: number;
}

async function save({ link, kept, clock }: Omit<LogKeeperOptions, 'log'>, { containerId, mostLines, taskBytes }: Wanted, signal: AbortSignal): Promise<void> {
  const container = await createEngineClient({ link }).find<ContainerInspect>({ method: 'GET', path: `/containers/${containerId}/json`, signal });
  // One that never ran has said nothing.
  if (container === undefined || container.State.StartedAt.startsWith('0001-')) return;
  const task = keptTask(container, clock.now());
  if (task === undefined) return;
  for (const tail of [mostLines, Math.ceil(mostLines / SECOND_TRY_SHARE)]) {
    const late = new AbortController();
    const cancel = clock.schedule(READ_TIMEOUT_MS, () => late.abort());
    try {
      const options = { follow: false, stdout: true, stderr: true, tail };
      const lines = await lastLines(taskLogs({ link, containerId, options, signal: AbortSignal.any([signal, late.signal]) }), taskBytes);
      signal.throwIfAborted();
      if (!late.signal.aborted) return await kept.save(task, lines);
    } finally {
      cancel();
    }
  }
  throw new AppError('deadlineExceeded', `the engine did not give the log within ${READ_TIMEOUT_MS / 1000} s`);
}

/** From the container's labels alone: of a task that was assigned to an earlier life of this daemon nothing else is known. */
export function keptTask({ Id, Created, Config, State }: ContainerInspect, now: number): KeptTask | undefined {
  const label = (name: string) => Config.Labels?.[name] ?? '';
  const [taskId, serviceName] = [label(taskIdLabel), label('com.docker.swarm.service.name')];
  if (taskId === '' || label('com.docker.swarm.service.id') === '') return undefined;
  const slot = Number(label('com.docker.swarm.task.name').slice(serviceName.length + 1, -taskId.length - 1));
  return {
    taskId,
    serviceId: label('com.docker.swarm.service.id'),
    serviceName,
    ...(Number.isSafeInteger(slot) && slot > 0 ? { slot } : {}),
    nodeId: label('com.docker.swarm.node.id'),
    image: Config.Image ?? '',
    containerId: Id,
    exitCode: State.ExitCode,
    tty: Config.Tty,
    createdAt: Date.parse(Created ?? '') || now,
    keptAt: now,
  };
}
