// A plan as people read it, and as programs do.
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

/** One object: what differs by kind, with the fields and, of a service, whether its tasks are replaced. What stays as it is has no entry. */
export function planJson({ stack, networks, secrets, configs, services, problems }: StackPlan): string {
  const changes = [
    ...networks.filter((step) => step.action === 'create' || step.differs.length > 0).map((step) => ({ Kind: 'network', ...shownStep(step) })),
    ...secrets.map((step) => ({ Kind: 'secret', ...shownStep(step) })),
    ...configs.map((step) => ({ Kind: 'config', ...shownStep(step) })),
    ...services.map((step) => ({ Kind: 'service', ...shownStep(step) })),
  ].filter(({ Kind, Action }) => Kind === 'network' || Action !== 'unchanged');
  return `${JSON.stringify({ Stack: stack, Changes: changes, Problems: problems })}\n`;
}

type Step = StackPlan['networks'][number] | StackPlan['secrets'][number] | StackPlan['configs'][number] | StackPlan['services'][number];

function shownStep(step: Step) {
  return {
    Action: step.action,
    Name: step.name,
    ...('replaces' in step && step.replaces !== undefined ? { Replaces: step.replaces } : {}),
    ...('restarts' in step ? { Restarts: step.restarts } : {}),
    ...('differs' in step ? { Differs: step.differs } : {}),
    ...('changes' in step
      ? {
          Fields: step.changes.map(({ path, before, after }) => ({
            Path: path,
            ...(before === undefined ? {} : { Before: before }),
            ...(after === undefined ? {} : { After: after }),
          })),
        }
      : {}),
  };
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
