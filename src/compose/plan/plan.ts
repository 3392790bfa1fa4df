// Desired stack against what is there → what a deploy would do. Decides only: `stack diff` shows the plan, `stack deploy` carries it out.
import type { EndpointSpec, NetworkSpec, Placement, ServiceSpec, TaskSpec } from '#domain/spec.ts';
import { equalSpecs } from '#lib/equal.ts';
import { IMAGE_LABEL, NAMESPACE_LABEL } from '../convert/common.ts';
import type { ExistingObjects, NetworkStep, PlanOptions, ServiceStep, StackPlan } from '../plan-types.ts';
import type { ResolvedNetwork, ResolvedService, ResolvedStack } from '../stack.ts';
import { changesBetween } from './changes.ts';
import { collectSteps, namesInUse, planConfigs, planSecrets } from './files.ts';
import { inOrderOf, namedSpec, namesById, renameFiles, withoutAllocated } from './named.ts';

/** Networks of a node itself, which are always there. */
const NODE_NETWORKS = new Set(['host', 'bridge', 'none']);

/** `stack` must have its contents (`readContents`). Same input, same plan. */
export function planStack(stack: ResolvedStack, existing: ExistingObjects, options: PlanOptions): StackPlan {
  const problems: string[] = [];
  const selected = selectServices(stack, options.services, problems);
  const used = namesUsed(selected);
  const isPartial = options.services !== undefined;
  const secretPlan = planSecrets(
    stack.secrets.filter(({ name }) => !isPartial || used.secrets.has(name)),
    existing.secrets,
    options.salt,
  );
  const configPlan = planConfigs(
    stack.configs.filter(({ name }) => !isPartial || used.configs.has(name)),
    existing.configs,
  );
  problems.push(...missingExternals(selected, existing, { secrets: secretPlan.versions, configs: configPlan.versions }));
  const versions = { secrets: secretPlan.versions, configs: configPlan.versions };
  const services = [
    ...selected.map((service) => planService(stack.name, renameFiles(service.spec, versions), { key: service.key, existing, force: options.force ?? false })),
    ...(options.prune ? removals(stack, existing) : []),
  ];
  problems.push(...foreignServices(stack.name, selected, existing));
  const names = namesById(existing);
  const known = existing.services.flatMap(({ spec, previousSpec }) => [spec, ...(previousSpec ? [previousSpec] : [])]).map((spec) => namedSpec(spec, names));
  const specs = [...known, ...services.flatMap((step) => ('spec' in step ? [step.spec] : []))];
  const inUse = (kind: 'secrets' | 'configs') => new Set([...namesInUse(specs, kind), ...credentialConfigs(specs)]);
  return {
    stack: stack.name,
    networks: planNetworks(
      stack.networks.filter(({ spec }) => !isPartial || used.networks.has(spec.name)),
      existing,
      problems,
    ),
    secrets: [...secretPlan.steps, ...collectSteps(stack.name, existing.secrets, { versions: secretPlan.versions, inUse: inUse('secrets') })],
    configs: [...configPlan.steps, ...collectSteps(stack.name, existing.configs, { versions: configPlan.versions, inUse: inUse('configs') })],
    services,
    problems,
  };
}

function selectServices(stack: ResolvedStack, keys: readonly string[] | undefined, problems: string[]): readonly ResolvedService[] {
  if (keys === undefined) return stack.services;
  for (const key of keys) if (!stack.services.some((service) => service.key === key)) problems.push(`no such service in the stack: ${key}`);
  return stack.services.filter(({ key }) => keys.includes(key));
}

function namesUsed(services: readonly ResolvedService[]) {
  const specs = services.map(({ spec }) => spec);
  return {
    secrets: namesInUse(specs, 'secrets'),
    configs: new Set([...namesInUse(specs, 'configs'), ...credentialConfigs(specs)]),
    networks: new Set(specs.flatMap(({ task }) => (task.networks ?? []).map(({ target }) => target))),
  };
}

function credentialConfigs(specs: readonly ServiceSpec[]): readonly string[] {
  return specs.flatMap(({ task: { runtime } }) => (runtime.kind === 'container' ? runtime.container.privileges?.credentialSpec?.config || [] : []));
}

type Versions = { readonly secrets: ReadonlyMap<string, string>; readonly configs: ReadonlyMap<string, string> };

/** Secrets and configs that are neither made by this deploy nor there. */
function missingExternals(services: readonly ResolvedService[], { secrets, configs }: ExistingObjects, versions: Versions): readonly string[] {
  const missing = (kind: 'secret' | 'config', known: ReadonlySet<string>) =>
    services.flatMap(({ key, spec }) =>
      [...namesInUse([spec], `${kind}s`)].filter((name) => !known.has(name)).map((name) => `service ${key}: ${kind} not found: ${name}`),
    );
  return [
    ...missing('secret', new Set([...versions.secrets.keys(), ...secrets.map(({ spec }) => spec.name)])),
    ...missing('config', new Set([...versions.configs.keys(), ...configs.map(({ spec }) => spec.name)])),
  ];
}

function foreignServices(stack: string, services: readonly ResolvedService[], existing: ExistingObjects): readonly string[] {
  const foreign = new Set(existing.services.filter(({ spec }) => spec.labels[NAMESPACE_LABEL] !== stack).map(({ spec }) => spec.name));
  return services
    .filter(({ spec }) => foreign.has(spec.name))
    .map(({ key, spec }) => `service ${key}: a service ${spec.name} is there already and is not part of the stack ${stack}`);
}

interface ServiceInput {
  readonly key: string;
  readonly existing: ExistingObjects;
  readonly force: boolean;
}

function planService(stack: string, wanted: ServiceSpec, { key, existing, force }: ServiceInput): ServiceStep {
  const found = existing.services.find(({ spec }) => spec.name === wanted.name && spec.labels[NAMESPACE_LABEL] === stack);
  const { name } = wanted;
  if (found === undefined) return { action: 'create', name, key, spec: wanted };
  const before = namedSpec(found.spec, namesById(existing));
  const after = inOrderOf(before, withWhatIsKept(wanted, before, force));
  const changes = changesBetween(before, after);
  if (changes.length === 0) return { action: 'unchanged', name, key, id: found.id };
  return { action: 'update', name, key, id: found.id, spec: after, changes, restarts: changesTasks(before, after) };
}

/**
 * What a deploy leaves as it is: the count of forced updates, and, while the image is written as it was, the digest and the platforms that were found for it.
 */
function withWhatIsKept(wanted: ServiceSpec, before: ServiceSpec, force: boolean): ServiceSpec {
  const forceUpdate = before.task.forceUpdate + (force ? 1 : 0);
  const { runtime } = wanted.task;
  const old = before.task.runtime;
  const isSameImage = wanted.labels[IMAGE_LABEL] !== undefined && wanted.labels[IMAGE_LABEL] === before.labels[IMAGE_LABEL];
  if (!isSameImage || runtime.kind !== 'container' || old.kind !== 'container') return { ...wanted, task: { ...wanted.task, forceUpdate } };
  const platforms = wanted.task.placement?.platforms ?? before.task.placement?.platforms;
  const placement: Placement | undefined = platforms === undefined ? wanted.task.placement : { ...wanted.task.placement, platforms };
  const task: TaskSpec = {
    ...wanted.task,
    runtime: { kind: 'container', container: { ...runtime.container, image: old.container.image } },
    ...(placement === undefined ? {} : { placement }),
    forceUpdate,
  };
  return { ...wanted, task };
}

/** What makes a task dirty (domain/dirty.ts). Constraints that a task's node still meets replace no task, but which node that is, is not known here. */
function changesTasks(before: ServiceSpec, after: ServiceSpec): boolean {
  return !equalSpecs(before.task, after.task) || before.mode.kind !== after.mode.kind || !equalSpecs(endpointOf(before), endpointOf(after));
}

function endpointOf({ endpoint }: ServiceSpec): EndpointSpec {
  return { mode: 'vip', ...endpoint };
}

function removals(stack: ResolvedStack, existing: ExistingObjects): readonly ServiceStep[] {
  const wanted = new Set(stack.services.map(({ spec }) => spec.name));
  return existing.services
    .filter(({ spec }) => spec.labels[NAMESPACE_LABEL] === stack.name && !wanted.has(spec.name))
    .map(({ id, spec }): ServiceStep => ({ action: 'remove', name: spec.name, key: spec.name.replace(`${stack.name}_`, ''), id }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function planNetworks(networks: readonly ResolvedNetwork[], existing: ExistingObjects, problems: string[]): readonly NetworkStep[] {
  return networks.flatMap((network): NetworkStep[] => {
    const { spec, external } = network;
    const named = existing.networks.filter((one) => one.spec.name === spec.name);
    const found = named.find((one) => isOfSwarm(one.spec));
    if (external && NODE_NETWORKS.has(spec.name)) return [];
    if (external) {
      const problem = externalProblem(spec.name, (found ?? named[0])?.spec);
      if (problem !== undefined) problems.push(problem);
      return [];
    }
    if (found === undefined) return [{ action: 'create', name: spec.name, network, spec }];
    return [{ action: 'unchanged', name: spec.name, id: found.id, differs: differences(found.spec, spec) }];
  });
}

/** An engine's own network may have the same name: that of a `docker compose` project, for one. */
function isOfSwarm({ scope }: NetworkSpec): boolean {
  return scope === 'swarm' || scope === '';
}

function externalProblem(name: string, found: NetworkSpec | undefined): string | undefined {
  const declared = `network ${JSON.stringify(name)} is declared as external, but`;
  if (found === undefined) return `${declared} could not be found. You need to create a swarm-scoped network before the stack is deployed`;
  return found.scope === 'swarm' || found.scope === ''
    ? undefined
    : `${declared} it is not in the right scope: ${JSON.stringify(found.scope)} instead of "swarm"`;
}

/** The default driver and address management count as not said, and addresses that nobody asked for as the allocator's business. */
function differences(found: NetworkSpec, wanted: NetworkSpec): readonly string[] {
  const essence = ({ name: _name, scope: _scope, driver, ipam, ...rest }: NetworkSpec) => ({
    ...rest,
    driver: driver?.name || 'overlay',
    options: withoutAllocated(driver?.options),
    ipamDriver: ipam?.driver?.name || 'default',
    ipamOptions: ipam?.driver?.options,
    pools: wanted.ipam === undefined ? [] : ipam?.configs,
  });
  return changesBetween(essence(found), essence(wanted)).map(({ path }) => path);
}
