// `stack deploy`: plan, then act, then wait. `stack diff` and `--dry-run` stop after the plan.
import { convertProject, type ExistingObjects, planStack, printProject, readContents, type ResolvedStack, type StackPlan } from '#compose/index.ts';
import { AppError } from '#lib/errors.ts';
import { type CommandSpec, ExitError, type Invocation } from '../command.ts';
import type { SpecConverters } from '../context.ts';
import { forgetInactive } from './activation.ts';
import { applyPlan, collectOldVersions } from './apply.ts';
import { converge } from './converge.ts';
import { composeFiles, composeFlags, load, warn } from './load.ts';
import { readObjects } from './objects.ts';
import { planSummary, planText } from './plan-text.ts';
import { keepRevision, namesInRevisions, readRevisions, withoutContents, withoutSecretContents } from './revisions.ts';
import { deployFlags } from './flags.ts';

const DEFAULT_TIMEOUT_NS = 600e9;

export const deploy: CommandSpec = {
  usage: '[OPTIONS] STACK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [...composeFlags, ...deployFlags, { name: 'dry-run', description: 'Print what would be done, and do nothing' }],
  completes: 'stack',
  async run(invocation) {
    const { flags, args } = invocation;
    const [name = ''] = args;
    const resolveImage = flags.text('resolve-image') || 'always';
    if (!isResolveImage(resolveImage)) throw new AppError('invalidArgument', `Invalid option ${resolveImage} for flag --resolve-image`);
    const prepared = await prepare(invocation, name);
    if (flags.bool('dry-run')) return showPlan(invocation, prepared.plan);
    return carryOut(invocation, { ...prepared, resolveImage, action: 'deploy' });
  },
};

export const diff: CommandSpec = {
  usage: '[OPTIONS] STACK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [...composeFlags, ...deployFlags.filter(({ name }) => ['prune', 'force', 'service'].includes(name))],
  completes: 'stack',
  run: async (invocation) => showPlan(invocation, (await prepare(invocation, invocation.args[0] ?? '')).plan),
};

function isResolveImage(text: string): text is 'always' | 'changed' | 'never' {
  return ['always', 'changed', 'never'].includes(text);
}

interface Prepared {
  readonly stack: ResolvedStack;
  readonly source: string;
  readonly plan: StackPlan;
  readonly existing: ExistingObjects;
  readonly converters: SpecConverters;
}

async function prepare(invocation: Invocation, name: string): Promise<Prepared> {
  const files = composeFiles(invocation);
  if (files.length === 0) throw new AppError('invalidArgument', 'Specify a Compose file (with --compose-file)');
  const { project, reader } = load(invocation, files);
  const stack = readContents(convertProject(project, name), { reader, variable: project.variable });
  warn(invocation, stack);
  await checkManager(invocation);
  const source = printProject({ ...project, project: withoutSecretContents(project.project) });
  return { stack, source, ...(await planFor(invocation, stack)) };
}

/** Compares a stack with the swarm. */
export async function planFor(invocation: Invocation, stack: ResolvedStack): Promise<Pick<Prepared, 'plan' | 'existing' | 'converters'>> {
  const { flags, context } = invocation;
  const converters = await context.loadConverters();
  const existing = await readObjects(await invocation.client(), converters);
  const plan = planStack(stack, existing, {
    prune: flags.bool('prune'),
    force: flags.bool('force'),
    salt: Buffer.from(context.random.bytes(16)).toString('hex'),
    ...(flags.has('service') ? { services: flags.texts('service') } : {}),
  });
  return { plan, existing, converters };
}

export async function checkManager({ client }: Invocation): Promise<void> {
  const { Swarm } = await (await client()).call<{ Swarm: { ControlAvailable: boolean } }>('GET', '/info');
  if (!Swarm.ControlAvailable)
    throw new AppError(
      'failedPrecondition',
      'this node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again',
    );
}

function showPlan({ context }: Invocation, plan: StackPlan): undefined {
  context.stdout.write(planText(plan));
  refuseProblems({ context }, plan);
  return undefined;
}

function refuseProblems({ context }: Pick<Invocation, 'context'>, { problems }: StackPlan): void {
  if (problems.length === 0) return;
  context.stderr.write(`${problems.join('\n')}\n`);
  throw new ExitError(1);
}

export interface CarryOut extends Prepared {
  readonly resolveImage: 'always' | 'changed' | 'never';
  /** For the history. */
  readonly action: string;
}

/** Acts on a plan, keeps a revision of it, and waits unless told not to. Rejects with ExitError(1) when something does not converge. */
export async function carryOut(invocation: Invocation, { stack, source, plan, existing, converters, resolveImage, action }: CarryOut): Promise<undefined> {
  const { flags, context } = invocation;
  refuseProblems(invocation, plan);
  const deadlineMs = context.clock.now() + (flags.value<number>('timeout') ?? DEFAULT_TIMEOUT_NS) / 1e6;
  const client = await invocation.client();
  const services = await applyPlan(invocation, {
    plan,
    stack,
    converters,
    existing,
    resolveImage,
    withRegistryAuth: flags.bool('with-registry-auth'),
  });
  const known = await readRevisions(client, stack.name);
  const changed = [...plan.services, ...plan.networks, ...plan.secrets, ...plan.configs].some(
    (step) => step.action !== 'unchanged' && step.action !== 'collect',
  );
  // What is activated is what the last revision says already.
  if ((changed && action !== 'activate') || known.length === 0)
    await keepRevision(client, known, {
      deployedAt: new Date(context.clock.now()).toISOString(),
      action,
      summary: planSummary(plan),
      source,
      stack: withoutContents(stack, servicesOf(stack, plan, known.at(-1)?.revision.stack)),
    });
  await collectOldVersions(client, plan, namesInRevisions(await readRevisions(client, stack.name)));
  await forgetInactive(client, stack.name);
  if (flags.bool('detach') || services.length === 0) return undefined;
  if (!(await converge(invocation, { services, deadlineMs, quiet: flags.bool('quiet') }))) throw new ExitError(1);
  return undefined;
}

/** The services with the specs that the plan made of them; what it left alone is as in the revision before. */
function servicesOf(stack: ResolvedStack, plan: StackPlan, before: ResolvedStack | undefined): ResolvedStack['services'] {
  return stack.services.map((service) => {
    const step = plan.services.find(({ key }) => key === service.key);
    if (step !== undefined && 'spec' in step) return { ...service, spec: step.spec };
    return before?.services.find(({ key }) => key === service.key) ?? service;
  });
}
