// Waiting until a service has converged, with what is going on shown meanwhile.
import type { Client } from '#client/client.ts';
import type { Node } from '#docker-api/node.ts';
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import { AppError } from '#lib/errors.ts';
import type { Invocation } from '../command.ts';
import { segment } from '../shared/each.ts';
import { filterQuery } from '../shared/options.ts';
import { createProgress, type Progress } from './progress-display.ts';
import { type ProgressState, progressOf } from './task-progress.ts';

const POLL_MS = 200;
const DEFAULT_MONITOR_NS = 5e9;

export interface WaitOptions {
  readonly quiet: boolean;
  /** Moment after which it is given up, with the reason. Absent: never, as docker. */
  readonly deadlineMs?: number;
  /** What Ctrl-C calls the service; absent: as it is waited for. */
  readonly shownAs?: string;
  /** What Ctrl-C ends it with; absent: success, as with docker. */
  readonly onInterrupt?: () => Error;
}

/** Resolves when the service has converged and stayed so, or after Ctrl-C. Rejects with the reason when its update or rollback is paused. */
export async function waitOn(
  { context, client }: Pick<Invocation, 'context' | 'client'>,
  id: string,
  { quiet, deadlineMs, onInterrupt, shownAs = id }: WaitOptions,
): Promise<undefined> {
  const progress = createProgress(quiet ? { write: () => true } : context.stdout);
  const daemon = await client();
  let interrupted = false;
  const restore = context.onInterrupt(() => {
    interrupted = true;
  });
  try {
    let watch: Watch = { isRollback: false, converged: false };
    for (;;) {
      const service = await daemon.call<Service>('GET', `/services/${segment(id)}`, { query: { insertDefaults: false } });
      const step = await look(daemon, { id, service, watch, progress, nowMs: context.clock.now() });
      if (step === 'done') return undefined;
      watch = step;
      if (interrupted && onInterrupt !== undefined && !watch.converged) throw onInterrupt();
      if (interrupted) {
        if (!watch.converged) progress.say(`Operation continuing in background.\nUse \`${context.programName} service ps ${shownAs}\` to check progress.`);
        return undefined;
      }
      if (deadlineMs !== undefined && context.clock.now() > deadlineMs)
        throw new AppError('deadlineExceeded', `service ${service.Spec.Name ?? id} has not converged in time`);
      await context.clock.sleep(POLL_MS);
    }
  } finally {
    restore();
  }
}

interface Watch {
  readonly isRollback: boolean;
  readonly converged: boolean;
  readonly convergedAtMs?: number;
  readonly message?: string;
}

interface Look {
  readonly id: string;
  readonly service: Service;
  readonly watch: Watch;
  readonly progress: Progress;
  readonly nowMs: number;
}

/** One round: what the update's status says, whether the monitor's time is over, then the tasks. */
async function look(client: Client, { id, service, watch, progress, nowMs }: Look): Promise<Watch | 'done'> {
  const { UpdateStatus: status, Spec } = service;
  let { isRollback, message } = watch;
  if (status?.State === 'updating') isRollback = false;
  if (status?.State === 'completed' && !watch.converged) return 'done';
  if (status?.State === 'paused') throw new AppError('unknown', `service update paused: ${status.Message ?? ''}`);
  if (status?.State === 'rollback_paused') throw new AppError('unknown', `service rollback paused: ${status.Message ?? ''}`);
  if (status?.State === 'rollback_started') {
    if (!isRollback && status.Message) progress.set('rollback', status.Message);
    isRollback = true;
  }
  if (status?.State === 'rollback_completed') {
    if (!watch.converged) message = status.Message;
    isRollback = true;
  }
  const monitorMs = (Spec.UpdateConfig?.Monitor || DEFAULT_MONITOR_NS) / 1e6;
  if (watch.converged && watch.convergedAtMs !== undefined && nowMs - watch.convergedAtMs >= monitorMs) {
    progress.set('verify', `Service ${id} converged`);
    if (message !== undefined) progress.say(`rollback: ${message}`);
    return 'done';
  }
  const state = await stateOf(client, service, isRollback);
  for (const line of state.lines) progress.set(line.id, line.text, line.bar);
  if (state.converged && service.JobStatus !== undefined) {
    progress.say('job complete');
    return 'done';
  }
  const kept = { isRollback, ...(message === undefined ? {} : { message }) };
  if (!state.converged) {
    if (watch.convergedAtMs !== undefined) progress.set('verify', 'Detected task failure');
    return { ...kept, converged: false };
  }
  const convergedAtMs = watch.convergedAtMs ?? nowMs;
  const leftMs = monitorMs - (nowMs - convergedAtMs);
  if (leftMs >= 0) progress.set('verify', `Waiting ${Math.trunc(leftMs / 1000) + 1} seconds to verify that tasks are stable...`);
  return { ...kept, converged: true, convergedAtMs };
}

export async function stateOf(client: Client, service: Service, isRollback = false): Promise<ProgressState> {
  const tasks = await client.call<Task[]>('GET', '/tasks', { query: filterQuery({ service: [service.ID], '_up-to-date': ['true'] }) });
  const nodes = await client.call<Node[]>('GET', '/nodes');
  const active = new Set(nodes.filter(({ Status }) => Status.State !== 'down').map(({ ID }) => ID));
  return progressOf({ service, tasks, nodes: active, isRollback });
}
