// `stack deploy`: plan, then act, then wait. `stack diff` and `--dry-run` stop after the plan.
import { convertProject, type ExistingObjects, planStack, printProject, readContents, type ResolvedStack, type StackPlan } from '#compose/index.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { type CommandSpec, ExitError, type FlagSpec, type Invocation } from '../command.ts';
import { jsonFlag } from '../shared/options.ts';
import type { SpecConverters } from '../context.ts';
import { forgetInactive } from './activation.ts';
import { type AppliedService, applyPlan, collectOldVersions } from './apply.ts';
import { converge } from './converge.ts';
import { composeFiles, composeFlags, load, warn } from './load.ts';
import { readObjects } from './objects.ts';
import { planJson, planSummary, planText } from './plan-text.ts';
import { keepRevision, namesInRevisions, readRevisions, withoutContents, withoutSecretContents } from './revisions.ts';
import { deployFlags } from './flags.ts';

const DEFAULT_TIMEOUT_NS = 600e9;
const RACE_PAUSE_MS = 200;

const jsonPlanFlag: FlagSpec = { ...jsonFlag, description: 'Print what would be done in JSON format; with --dry-run' };

export const deploy: CommandSpec = {
  usage: '[OPTIONS] STACK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [...composeFlags, ...deployFlags, { name: 'dry-run', description: 'Print what would be done, and do nothing' }, jsonPlanFlag],
  completes: 'stack',
  async run(invocation) {
    const { flags, args } = invocation;
    const [name = ''] = args;
    if (flags.bool('json') && !flags.bool('dry-run')) throw new AppError('invalidArgument', '--json needs --dry-run: a deploy prints no objects');
    const resolveImage = flags.text('resolve-image') || 'always';
    if (!isResolveImage(resolveImage)) throw new AppError('invalidArgument', `Invalid option ${resolveImage} for flag --resolve-image`);
    const prepared = await prepare(invocation, name);
    if (flags.bool('dry-run')) return showPlan(invocation, prepared.plan);
    const replan = () => planFor(invocation, prepared.stack);
    return carryOut(invocation, { ...prepared, replan, resolveImage, action: 'deploy' });
  },
};

export const diff: CommandSpec = {
  usage: '[OPTIONS] STACK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [...composeFlags, ...deployFlags.filter(({ name }) => ['prune', 'force', 'service'].includes(name)), jsonFlag],
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

/** Versions that the history needs are not collected, so they are not shown as such. */
async function showPlan({ context, client, flags }: Invocation, plan: StackPlan): Promise<undefined> {
  const kept = namesInRevisions(await readRevisions(await client(), plan.stack));
  const goes = ({ action, name }: { readonly action: string; readonly name: string }) => action !== 'collect' || !kept.has(name);
  const shown = { ...plan, secrets: plan.secrets.filter(goes), configs: plan.configs.filter(goes) };
  context.stdout.write(flags.bool('json') ? planJson(shown) : planText(shown));
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
  /** The plan anew, when somebody else changed the stack in the middle of it. */
  readonly replan: () => Promise<Pick<Prepared, 'plan' | 'existing'>>;
  /** For the history. */
  readonly action: string;
}

/** Acts on a plan, keeps a revision of it, and waits unless told not to. Rejects with ExitError(1) when something does not converge. */
export async function carryOut(invocation: Invocation, work: CarryOut): Promise<undefined> {
  const { flags, context } = invocation;
  const { stack, source, action } = work;
  refuseProblems(invocation, work.plan);
  const deadlineMs = context.clock.now() + (flags.value<number>('timeout') ?? DEFAULT_TIMEOUT_NS) / 1e6;
  const client = await invocation.client();
  const { services, plan, lastPlan } = await applyWhatIsLeft(invocation, work);
  const known = await readRevisions(client, stack.name);
  const changed = [...plan.services, ...plan.networks, ...plan.secrets, ...plan.configs].some(
    (step) => step.action !== 'unchanged' && step.action !== 'collect',
  );
  // What is activated is what the last revision says already. A deploy that was interrupted may have changed everything and kept no revision.
  const isNew = action === 'activate' ? known.length === 0 : changed || known.at(-1)?.revision.source !== source;
  if (isNew)
    await keepRevision(client, stack.name, {
      deployedAt: new Date(context.clock.now()).toISOString(),
      action,
      summary: planSummary(plan),
      source,
      stack: withoutContents(stack, servicesOf(stack, plan, known.at(-1)?.revision.stack)),
    });
  await collectOldVersions(client, plan, namesInRevisions(await readRevisions(client, stack.name)));
  await forgetInactive(client, stack.name);
  // Those that were not changed, too: a deploy that was interrupted may have left them on their way.
  const all = [...services, ...unchanged(lastPlan).filter(({ id }) => !services.some((service) => service.id === id))];
  if (flags.bool('detach') || all.length === 0) return undefined;
  const needs = stack.services.flatMap(({ dependsOn }) => dependsOn.filter(({ condition }) => condition === 'service_completed_successfully'));
  const mustComplete = new Set(needs.map(({ key }) => key));
  if (!(await converge(invocation, { stack: stack.name, services: all, mustComplete, deadlineMs, quiet: flags.bool('quiet') }))) throw new ExitError(1);
  return undefined;
}

function unchanged({ services }: StackPlan): readonly AppliedService[] {
  return services.flatMap((step) => (step.action === 'unchanged' ? [{ id: step.id, name: step.name, key: step.key }] : []));
}

/** As often as somebody else is faster: two deploys of one stack at the same time both end, and the stack is as one of them says. */
const MAX_ROUNDS = 5;

interface Applied {
  /** Created or changed. */
  readonly services: readonly AppliedService[];
  /** What all of it adds up to, and what was left to do in the last round. */
  readonly plan: StackPlan;
  readonly lastPlan: StackPlan;
}

async function applyWhatIsLeft(invocation: Invocation, work: CarryOut): Promise<Applied> {
  const { stack, converters, resolveImage } = work;
  const withRegistryAuth = invocation.flags.bool('with-registry-auth');
  const services = new Map<string, AppliedService>();
  let { plan, existing } = work;
  for (let round = 1; ; round++) {
    try {
      await applyPlan(invocation, { plan, stack, converters, existing, resolveImage, withRegistryAuth }, (service) => services.set(service.id, service));
      return { services: [...services.values()], plan: work.plan, lastPlan: plan };
    } catch (error) {
      if (round === MAX_ROUNDS || !isRace(error)) throw error;
      invocation.context.stderr.write(`${errorMessage(error)}\nSomebody else changes the stack ${stack.name}: looking again\n`);
    }
    await invocation.context.clock.sleep(RACE_PAUSE_MS * round);
    ({ plan, existing } = await work.replan());
    refuseProblems(invocation, plan);
  }
}

/** What a request says that would have succeeded had nobody else made or changed the same thing meanwhile. */
function isRace(error: unknown): boolean {
  if (!(error instanceof AppError)) return false;
  return (
    error.code === 'conflict' || error.code === 'alreadyExists' || /update out of sequence|already exists|(network|service) \S+ not found/.test(error.message)
  );
}

/** The services with the specs that the plan made of them; what it left alone is as in the revision before. */
function servicesOf(stack: ResolvedStack, plan: StackPlan, before: ResolvedStack | undefined): ResolvedStack['services'] {
  return stack.services.map((service) => {
    const step = plan.services.find(({ key }) => key === service.key);
    if (step !== undefined && 'spec' in step) return { ...service, spec: step.spec };
    return before?.services.find(({ key }) => key === service.key) ?? service;
  });
}
