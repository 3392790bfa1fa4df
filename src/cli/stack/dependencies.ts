// `depends_on`: a service is deployed once those that it needs are as it needs them.
import type { Dependency } from '#compose/index.ts';
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import { AppError } from '#lib/errors.ts';
import type { Invocation } from '../command.ts';
import { explainService } from '../service/explanation.ts';
import { filterQuery } from '../shared/options.ts';

const POLL_MS = 200;

export interface DependencyWait {
  readonly stack: string;
  readonly of: string;
  readonly dependsOn: readonly Dependency[];
  readonly deadlineMs: number;
}

/** Rejects with what is known of the dependency when the deadline is over, unless it is not required. */
export async function waitForDependencies({ context, client }: Invocation, { stack, of, dependsOn, deadlineMs }: DependencyWait): Promise<void> {
  const daemon = await client();
  for (const { key, condition, required } of dependsOn) {
    const name = `${stack}_${key}`;
    let isTold = false;
    for (;;) {
      const [service] = await daemon
        .call<Service[]>('GET', '/services', { query: { ...filterQuery({ name: [name] }), status: true } })
        .then((all) => all.filter(({ Spec }) => Spec.Name === name));
      if (service === undefined) break;
      const tasks = await daemon.call<Task[]>('GET', '/tasks', { query: filterQuery({ service: [service.ID], '_up-to-date': ['true'] }) });
      if (isSatisfied(service, tasks, condition)) break;
      if (!isTold) context.stdout.write(`Waiting for service ${name} (${condition.replaceAll('_', ' ')}) before ${of}\n`);
      isTold = true;
      if (context.clock.now() > deadlineMs) {
        if (!required) break;
        const reasons = await explainService(daemon, service.ID);
        throw new AppError('deadlineExceeded', `service ${of} is not deployed: ${name}, which it depends on, is not there in time\n${reasons.join('\n')}`);
      }
      await context.clock.sleep(POLL_MS);
    }
  }
}

/** A task runs only once it is healthy, so that "healthy" is all tasks running. */
export function isSatisfied(service: Service, tasks: readonly Task[], condition: Dependency['condition']): boolean {
  const { RunningTasks = 0, DesiredTasks = 0, CompletedTasks = 0 } = service.ServiceStatus ?? {};
  const isJob = service.JobStatus !== undefined;
  if (condition === 'service_completed_successfully') {
    if (isJob) return CompletedTasks >= (service.Spec.Mode?.ReplicatedJob?.TotalCompletions ?? Math.max(1, tasks.length));
    return tasks.length > 0 && tasks.every(({ Status }) => Status.State === 'complete');
  }
  if (condition === 'service_started') return tasks.some(({ Status }) => ['starting', 'running', 'complete'].includes(Status.State));
  return isJob ? CompletedTasks > 0 || RunningTasks > 0 : DesiredTasks > 0 && RunningTasks >= DesiredTasks;
}
