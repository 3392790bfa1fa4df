// `depends_on` of a Compose file, as a label of the service: every client of the Docker API keeps labels, and whoever has no Compose file can write one by hand.
// "app_db:service_healthy,app_migrate:service_completed_successfully:optional". Whether a dependency is there is waiting.ts's business.
import { AppError } from '#lib/errors.ts';
import type { Labels } from './spec.ts';

export const DEPENDS_ON_LABEL = 'com.docker.skep.depends_on';

export const dependencyConditions = ['service_started', 'service_healthy', 'service_completed_successfully'] as const;
export type DependencyCondition = (typeof dependencyConditions)[number];

export interface ServiceDependency {
  /** The other service's full name. */
  readonly service: string;
  readonly condition: DependencyCondition;
  /** False: one that is not there, or fails, is not waited for. */
  readonly required: boolean;
  /** Restart this service after the other one was updated. */
  readonly restart: boolean;
}

/** Empty when the labels say nothing of it. Throws AppError `invalidArgument`. */
export function dependenciesOfLabels(labels: Labels): readonly ServiceDependency[] {
  const text = labels[DEPENDS_ON_LABEL];
  return text === undefined || text === '' ? [] : text.split(',').map(dependencyOf);
}

function dependencyOf(text: string): ServiceDependency {
  const [service = '', ...words] = text.trim().split(':');
  const conditions = words.filter(isCondition);
  const unknown = words.find((word) => !isCondition(word) && word !== 'optional' && word !== 'restart');
  if (!/^[a-zA-Z0-9][\w-]*$/.test(service) || unknown !== undefined || conditions.length > 1) {
    const form = 'NAME[:CONDITION][:optional][:restart], where CONDITION is one of';
    throw new AppError('invalidArgument', `label ${DEPENDS_ON_LABEL}: ${JSON.stringify(text)} is not ${form} ${dependencyConditions.join(', ')}`);
  }
  return { service, condition: conditions[0] ?? 'service_started', required: !words.includes('optional'), restart: words.includes('restart') };
}

function isCondition(word: string): word is DependencyCondition {
  return (dependencyConditions as readonly string[]).includes(word);
}

export function writeDependencies(dependencies: readonly ServiceDependency[]): string {
  return dependencies
    .map(({ service, condition, required, restart }) => [service, condition, ...(required ? [] : ['optional']), ...(restart ? ['restart'] : [])].join(':'))
    .join(',');
}

const known = new WeakMap<Labels, readonly ServiceDependency[]>();

/** As `dependenciesOfLabels`, for labels that were checked when they were stored: one that cannot be read is none. The same labels give the same list. */
export function dependenciesOf({ spec: { labels } }: { readonly spec: { readonly labels: Labels } }): readonly ServiceDependency[] {
  if (labels[DEPENDS_ON_LABEL] === undefined) return [];
  let dependencies = known.get(labels);
  if (dependencies === undefined) {
    try {
      dependencies = dependenciesOfLabels(labels);
    } catch {
      dependencies = [];
    }
    known.set(labels, dependencies);
  }
  return dependencies;
}
