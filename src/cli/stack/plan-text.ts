// A plan as people read it.
import type { FieldChange, StackPlan } from '#compose/index.ts';

export function planText(plan: StackPlan): string {
  const lines = [
    ...plan.networks.flatMap((step) =>
      step.action === 'create'
        ? [`+ network ${step.name}`]
        : step.differs.length > 0
          ? [`! network ${step.name}: ${step.differs.join(', ')} differ; networks are never changed: remove it first`]
          : [],
    ),
    ...plan.secrets.flatMap((step) => fileLines('secret', step)),
    ...plan.configs.flatMap((step) => fileLines('config', step)),
    ...plan.services.flatMap((step) => {
      if (step.action === 'create') return [`+ service ${step.name}`];
      if (step.action === 'remove') return [`- service ${step.name}`];
      if (step.action === 'unchanged') return [];
      return [`~ service ${step.name} (${step.restarts ? 'its tasks are replaced' : 'its tasks stay'})`, ...step.changes.map(changeLine)];
    }),
  ];
  return lines.length === 0 ? `Nothing to do: stack ${plan.stack} is as the files say.\n` : `${lines.join('\n')}\n`;
}

function fileLines(kind: string, step: StackPlan['secrets'][number] | StackPlan['configs'][number]): readonly string[] {
  if (step.action === 'create') return [`+ ${kind} ${step.name}${step.replaces === undefined ? '' : ` (in the place of ${step.replaces})`}`];
  if (step.action === 'update') return [`~ ${kind} ${step.name}`, ...step.changes.map(changeLine)];
  return step.action === 'collect' ? [`- ${kind} ${step.name} (an old version that nothing uses)`] : [];
}

function changeLine({ path, before, after }: FieldChange): string {
  if (before === undefined) return `    ${path}: + ${after ?? ''}`;
  return after === undefined ? `    ${path}: - ${before}` : `    ${path}: ${before} -> ${after}`;
}

/** One line for the history. */
export function planSummary({ services, secrets, configs, networks }: StackPlan): string {
  const all = [...services, ...secrets, ...configs, ...networks];
  const count = (action: string) => all.filter((step) => step.action === action).length;
  const parts = [
    [count('create'), 'created'],
    [count('update'), 'updated'],
    [count('remove'), 'removed'],
  ] as const;
  return (
    parts
      .filter(([number]) => number > 0)
      .map(([number, word]) => `${number} ${word}`)
      .join(', ') || 'no changes'
  );
}
