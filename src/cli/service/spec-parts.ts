// Parts of a service's spec that `create` and `update` make alike: only what was asked for is changed, the rest keeps its value or gets Docker's default.
import type { ContainerSpec, TaskSpec, UpdateConfig } from '#docker-api/service-spec.ts';
import { AppError } from '#lib/errors.ts';
import type { Flags } from '../flags.ts';

const updateDefaults: UpdateConfig = { Parallelism: 1, Delay: 0, FailureAction: 'pause', Monitor: 5e9, MaxFailureRatio: 0, Order: 'stop-first' };

/** Undefined when nothing of it was given. */
export function rolloutConfig(flags: Flags, kind: 'update' | 'rollback', existing: UpdateConfig | undefined): UpdateConfig | undefined {
  const names = ['parallelism', 'delay', 'monitor', 'failure-action', 'max-failure-ratio', 'order'].map((name) => `${kind}-${name}`);
  if (!names.some((name) => flags.has(name))) return existing;
  const number = (name: string, field: keyof UpdateConfig) => (flags.has(`${kind}-${name}`) ? { [field]: flags.value<number>(`${kind}-${name}`) } : {});
  const text = (name: string, field: keyof UpdateConfig) => (flags.has(`${kind}-${name}`) ? { [field]: flags.text(`${kind}-${name}`) } : {});
  return {
    ...(existing ?? updateDefaults),
    ...number('parallelism', 'Parallelism'),
    ...number('delay', 'Delay'),
    ...text('failure-action', 'FailureAction'),
    ...number('monitor', 'Monitor'),
    ...number('max-failure-ratio', 'MaxFailureRatio'),
    ...text('order', 'Order'),
  };
}

export function restartPolicy(flags: Flags, existing: TaskSpec['RestartPolicy']): TaskSpec['RestartPolicy'] {
  if (!['restart-condition', 'restart-delay', 'restart-max-attempts', 'restart-window'].some((name) => flags.has(name))) return existing;
  return {
    ...(existing ?? { Condition: 'any', Delay: 5e9, MaxAttempts: 0 }),
    ...(flags.has('restart-condition') ? { Condition: flags.text('restart-condition') } : {}),
    ...(flags.has('restart-delay') ? { Delay: flags.value<number>('restart-delay') } : {}),
    ...(flags.has('restart-max-attempts') ? { MaxAttempts: flags.value<number>('restart-max-attempts') } : {}),
    ...(flags.has('restart-window') ? { Window: flags.value<number>('restart-window') } : {}),
  };
}

const healthNames = ['health-cmd', 'health-interval', 'health-timeout', 'health-retries', 'health-start-period', 'health-start-interval'];

export function healthOptions(flags: Flags, existing: ContainerSpec['Healthcheck']): ContainerSpec['Healthcheck'] {
  const isGiven = healthNames.some((name) => flags.has(name));
  if (flags.bool('no-healthcheck')) {
    if (isGiven) throw new AppError('invalidArgument', '--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!isGiven) return existing;
  const number = (name: string, field: string) => (flags.has(name) ? { [field]: flags.value<number>(name) } : {});
  const kept = existing?.Test?.[0] === 'NONE' ? { ...existing, Test: undefined } : existing;
  const command = flags.text('health-cmd');
  return {
    ...kept,
    ...(flags.has('health-cmd') ? { Test: command === '' ? undefined : ['CMD-SHELL', command] } : {}),
    ...number('health-interval', 'Interval'),
    ...number('health-timeout', 'Timeout'),
    ...number('health-start-period', 'StartPeriod'),
    ...number('health-start-interval', 'StartInterval'),
    ...number('health-retries', 'Retries'),
  };
}
