// Waiting for a stack: one live line per service, a deadline, and for what fails the reason with its last log lines.
import type { Client } from '#client/client.ts';
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { ExitError, INTERRUPTED, type Invocation } from '../command.ts';
import { readService } from '../service/change.ts';
import { explainService } from '../service/explanation.ts';
import { createProgress } from '../service/progress-display.ts';
import { stateOf } from '../service/progress.ts';
import { segment } from '../shared/each.ts';
import { logFrames, logLines } from '../shared/log-stream.ts';
import { filterQuery } from '../shared/options.ts';
import type { AppliedService } from './apply.ts';

const POLL_MS = 300;
const LOG_LINES = 10;
/** How often a task of a service may fail in one deploy before nobody waits for it any longer. */
const MAX_FAILURES = 5;
/** A daemon that restarts, or a manager that hands over, answers again within this time. */
const SILENCE_MS = 30_000;
const SILENT = 'the daemon does not answer';

export interface ConvergeOptions {
  /** The stack's name. */
  readonly stack: string;
  readonly services: readonly AppliedService[];
  /** Keys of those that others need completed: to run is not enough for them. */
  readonly mustComplete: ReadonlySet<string>;
  readonly deadlineMs: number;
  readonly quiet: boolean;
}

/** Resolves with whether all have converged; what has not is explained on the standard error stream. Ctrl-C ends the waiting, not the deploy: what comes after it must not go on as if the stack ran. */
export async function converge(invocation: Invocation, { stack, services, mustComplete, deadlineMs, quiet }: ConvergeOptions): Promise<boolean> {
  const { context } = invocation;
  const client = await invocation.client();
  const progress = createProgress(quiet ? { write: () => true } : context.stdout);
  let interrupted = false;
  const restore = context.onInterrupt(() => {
    interrupted = true;
  });
  const startedAt = context.clock.now();
  const open = new Map(services.map((service) => [service.id, service]));
  const failed: AppliedService[] = [];
  let silentSince: number | undefined;
  try {
    while (open.size > 0 && !interrupted && context.clock.now() <= deadlineMs) {
      for (const service of Array.from(open.values())) {
        const outcome = await lookAt(client, service, { startedAt, mustComplete: mustComplete.has(service.key) }).catch((error: unknown): Outcome => {
          if (!isSilence(error)) throw error;
          silentSince ??= context.clock.now();
          if (context.clock.now() - silentSince > SILENCE_MS) throw lost(error, `${context.programName} stack ps ${stack}`);
          return { kind: 'waiting', text: SILENT };
        });
        if (outcome.text !== SILENT) silentSince = undefined;
        progress.set(service.name, outcome.text);
        if (outcome.kind !== 'waiting') open.delete(service.id);
        if (outcome.kind === 'failed') failed.push(service);
      }
      if (open.size > 0) await context.clock.sleep(POLL_MS);
    }
  } finally {
    restore();
  }
  if (interrupted) {
    progress.say(`Operation continuing in background.\nUse \`${context.programName} stack ps ${stack}\` to check progress.`);
    throw new ExitError(INTERRUPTED);
  }
  for (const service of [...failed, ...open.values()]) await explain(invocation, client, service);
  return failed.length === 0 && open.size === 0;
}

function isSilence(error: unknown): boolean {
  return error instanceof AppError && error.code === 'unavailable';
}

function lost(error: unknown, look: string): AppError {
  const what = `the deploy goes on without this command: \`${look}\` shows how far it is, and the same deploy again waits for it`;
  return new AppError('unavailable', `${errorMessage(error)}\n${what}`, { cause: error });
}

interface Outcome {
  readonly kind: 'waiting' | 'converged' | 'failed';
  readonly text: string;
}

interface Looking {
  /** When the waiting began: what failed before is not of this deploy. */
  readonly startedAt: number;
  readonly mustComplete: boolean;
}

async function lookAt(client: Client, { id }: AppliedService, { startedAt, mustComplete }: Looking): Promise<Outcome> {
  let service: Service;
  try {
    service = await readService(client, id);
  } catch (error) {
    if (isSilence(error)) throw error;
    return { kind: 'failed', text: errorMessage(error) };
  }
  const status = service.UpdateStatus;
  // To an update, a task that completes early is one that failed; to a service that runs once, that is how it should end.
  if (status?.State === 'paused' && isDone(service, await tasksOf(client, id, { '_up-to-date': ['true'] }))) return { kind: 'converged', text: 'complete' };
  if (status?.State === 'paused' || status?.State === 'rollback_paused' || status?.State === 'rollback_completed')
    return { kind: 'failed', text: `${status.State.replaceAll('_', ' ')}: ${status.Message ?? ''}` };
  const state = await stateOf(client, service, status?.State === 'rollback_started');
  const text = state.lines[0]?.text ?? '';
  if (mustComplete && (await hasCompleted(client, service))) return { kind: 'converged', text: 'complete' };
  if (state.converged && status?.State !== 'updating' && !mustComplete) return { kind: 'converged', text: `${text}, converged` };
  const tasks = await tasksOf(client, id);
  if (isDone(service, tasks)) return { kind: 'converged', text: 'complete' };
  const failures = tasks.filter(({ Status, CreatedAt }) => ['failed', 'rejected'].includes(Status.State) && Date.parse(CreatedAt) >= startedAt - 1_000);
  if (isGivenUp(service, tasks) || failures.length >= MAX_FAILURES) return { kind: 'failed', text: `${text}; ${failures.length} tasks failed` };
  const held = tasks.find(({ Status, DesiredState }) => Status.Err && (DesiredState === 'ready' || (DesiredState === 'running' && Status.State === 'pending')));
  // An update that waits for another service says so after a colon.
  const waiting = held?.Status.Err ?? (status?.State === 'updating' ? /: (.*)$/.exec(status.Message ?? '')?.[1] : undefined);
  const why = waiting ?? (mustComplete && state.converged ? 'has to complete' : undefined);
  return { kind: 'waiting', text: why === undefined ? text : `${text}: ${why}` };
}

function tasksOf(client: Client, id: string, filters: Readonly<Record<string, readonly string[]>> = {}): Promise<readonly Task[]> {
  return client.call<Task[]>('GET', '/tasks', { query: filterQuery({ service: [id], ...filters }) });
}

/** Every slot has a task of the present spec that completed, as its dependents see it: also if the service is one that starts again and again. */
async function hasCompleted(client: Client, { ID, Spec: { Mode } }: Service): Promise<boolean> {
  const tasks = await tasksOf(client, ID, { '_up-to-date': ['true'] });
  const places = (list: readonly Task[]) => new Set(list.map(({ Slot, NodeID }) => Slot ?? NodeID)).size;
  const complete = places(tasks.filter(({ Status }) => Status.State === 'complete'));
  return complete > 0 && complete >= (Mode?.Replicated?.Replicas ?? Mode?.ReplicatedJob?.TotalCompletions ?? places(tasks));
}

/** A service that is not restarted after success and has succeeded is done. */
function isDone({ Spec }: Service, tasks: readonly Task[]): boolean {
  const condition = Spec.TaskTemplate?.RestartPolicy?.Condition;
  const replicas = Spec.Mode?.Replicated?.Replicas ?? 1;
  if (condition !== 'none' && condition !== 'on-failure') return false;
  const complete = new Set(tasks.filter(({ Status }) => Status.State === 'complete').map(({ Slot, NodeID }) => Slot ?? NodeID));
  return complete.size >= replicas && tasks.every(({ Status }) => ['complete', 'failed', 'shutdown', 'rejected'].includes(Status.State));
}

/** Nothing runs, nothing is wanted any more, and not everything succeeded: its restart policy is used up. */
function isGivenUp(_service: Service, tasks: readonly Task[]): boolean {
  return (
    tasks.length > 0 &&
    tasks.every(({ DesiredState, Status }) => DesiredState === 'shutdown' || Status.State === 'complete' || Status.State === 'remove') &&
    tasks.some(({ Status }) => ['failed', 'rejected'].includes(Status.State))
  );
}

async function explain({ context }: Invocation, client: Client, { id, name }: AppliedService): Promise<void> {
  const { stderr } = context;
  try {
    const tasks = await tasksOf(client, id);
    for (const line of await explainService(client, id)) stderr.write(`${line}\n`);
    const newest = [...tasks]
      .sort((a, b) => Date.parse(b.CreatedAt) - Date.parse(a.CreatedAt))
      .find(({ Status }) => ['failed', 'starting', 'rejected', 'running'].includes(Status.State));
    if (newest === undefined) return;
    const stream = await client.stream('GET', `/tasks/${segment(newest.ID)}/logs`, { query: { stdout: 1, stderr: 1, tail: LOG_LINES } });
    const logged: string[] = [];
    for await (const { line } of logLines(logFrames(stream))) logged.push(line.toString().trimEnd());
    if (logged.length > 0)
      stderr.write(
        `  the last lines of its log:\n${logged
          .slice(-LOG_LINES)
          .map((line) => `    ${line}\n`)
          .join('')}`,
      );
  } catch (error) {
    stderr.write(`${name}: ${errorMessage(error)}\n`);
  }
}
