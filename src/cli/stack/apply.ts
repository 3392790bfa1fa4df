// Carries out a plan, in an order in which each thing finds what it needs. Done again after an interruption it goes on: what is there is left.
import type { Client } from '#client/client.ts';
import type { ExistingObjects, ResolvedStack, ServiceStep, StackPlan } from '#compose/index.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Invocation } from '../command.ts';
import type { SpecConverters } from '../context.ts';
import { authHeader } from '../registry/credentials.ts';
import { readService, writeService } from '../service/change.ts';
import { pinImage } from '../service/image.ts';
import { segment } from '../shared/each.ts';
import { fileRequest, networkRequest } from './objects.ts';

export interface ApplyOptions {
  readonly plan: StackPlan;
  readonly stack: ResolvedStack;
  readonly converters: SpecConverters;
  readonly existing: ExistingObjects;
  readonly resolveImage: 'always' | 'changed' | 'never';
  readonly withRegistryAuth: boolean;
}

export interface AppliedService {
  readonly id: string;
  readonly name: string;
  readonly key: string;
}

/** `applied` hears of each service that was created or changed. */
export async function applyPlan(invocation: Invocation, options: ApplyOptions, applied: (service: AppliedService) => void): Promise<void> {
  const { plan, stack } = options;
  const client = await invocation.client();
  const say = (text: string) => void invocation.context.stdout.write(`${text}\n`);
  for (const step of plan.services) {
    if (step.action !== 'remove') continue;
    say(`Removing service ${step.name}`);
    await client.call('DELETE', `/services/${segment(step.id)}`);
  }
  for (const step of plan.networks) {
    if (step.action !== 'create') continue;
    say(`Creating network ${step.name}`);
    await attempt(`failed to create network ${step.name}`, client.call('POST', '/networks/create', { body: networkRequest(step.spec) }));
  }
  await applyFiles(client, 'secret', plan.secrets, say);
  await applyFiles(client, 'config', plan.configs, say);
  const ids = await readIds(client);
  // In order of their dependencies, but without waiting for them: the managers hold tasks back, also when nobody waits here any more.
  for (const step of inOrder(plan.services, stack)) applied(await applyService(invocation, { step, ids, say, ...options }));
}

async function attempt<T>(what: string, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw new AppError(error instanceof AppError ? error.code : 'unknown', `${what}: ${errorMessage(error)}`, { cause: error });
  });
}

async function applyFiles(
  client: Client,
  kind: 'secret' | 'config',
  steps: StackPlan['secrets'] | StackPlan['configs'],
  say: (text: string) => void,
): Promise<void> {
  for (const step of steps) {
    if (step.action === 'create') {
      say(`Creating ${kind} ${step.name}`);
      await attempt(`failed to create ${kind} ${step.name}`, client.call('POST', `/${kind}s/create`, { body: fileRequest(step.spec) }));
    } else if (step.action === 'update') {
      const { Version, Spec } = await client.call<{ Version: { Index?: number }; Spec: object }>('GET', `/${kind}s/${segment(step.id)}`);
      // Labels are all that can change of one that is there.
      const body = { ...Spec, Labels: step.spec.labels };
      await attempt(
        `failed to update ${kind} ${step.name}`,
        client.call('POST', `/${kind}s/${segment(step.id)}/update`, { query: { version: Version.Index ?? 0 }, body }),
      );
    }
  }
}

interface Ids {
  readonly networks: ReadonlyMap<string, string>;
  readonly secrets: ReadonlyMap<string, string>;
  readonly configs: ReadonlyMap<string, string>;
}

async function readIds(client: Client): Promise<Ids> {
  const named = async (path: string) => {
    const objects = await client.call<{ ID: string; Spec: { Name?: string } }[]>('GET', path);
    return new Map(objects.map(({ ID, Spec }) => [Spec.Name ?? '', ID]));
  };
  const networks = await client.call<{ Id: string; Name: string; Scope: string }[]>('GET', '/networks');
  const swarmFirst = networks.sort((a, b) => (a.Scope === b.Scope ? 0 : a.Scope === 'swarm' ? 1 : -1));
  return { networks: new Map(swarmFirst.map(({ Id, Name }) => [Name, Id])), secrets: await named('/secrets'), configs: await named('/configs') };
}

type Change = Extract<ServiceStep, { action: 'create' | 'update' }>;

/** Services after those that they depend on; otherwise in order of their names. A cycle cannot be: loading refuses it. */
function inOrder(steps: readonly ServiceStep[], { services }: ResolvedStack): readonly Change[] {
  const changes = steps.filter((step): step is Change => step.action === 'create' || step.action === 'update');
  const dependenciesOf = (key: string) => services.find((service) => service.key === key)?.dependsOn ?? [];
  const ordered = new Map<string, Change>();
  const visiting = new Set<string>();
  const visit = (key: string) => {
    if (visiting.has(key)) return;
    visiting.add(key);
    for (const dependency of dependenciesOf(key)) visit(dependency.key);
    const step = changes.find((change) => change.key === key);
    if (step !== undefined) ordered.set(key, step);
  };
  for (const { key } of changes) visit(key);
  return [...ordered.values()];
}

type ServiceInput = ApplyOptions & { readonly step: Change; readonly ids: Ids; readonly say: (text: string) => void };

async function applyService(
  invocation: Invocation,
  { step, ids, say, converters, existing, resolveImage, withRegistryAuth }: ServiceInput,
): Promise<AppliedService> {
  const client = await invocation.client();
  const image = imageOf(step.spec);
  const auth = withRegistryAuth && image !== undefined ? await authHeader(invocation.config, image) : undefined;
  const before = existing.services.find(({ id }) => step.action === 'update' && id === step.id);
  const isNewImage = before === undefined || imageOf(before.spec) !== image;
  const resolve = resolveImage === 'always' || (resolveImage === 'changed' && isNewImage);
  const { spec, warning } = await pinImage(client, withIds(converters.serviceToJson(step.spec), ids), { resolve, ...(auth === undefined ? {} : { auth }) });
  if (step.action === 'create') {
    say(`Creating service ${step.name}`);
    const headers = auth === undefined ? {} : { headers: { 'X-Registry-Auth': auth } };
    const { ID, Warnings } = await attempt(
      `failed to create service ${step.name}`,
      client.call<{ ID: string; Warnings?: string[] | null }>('POST', '/services/create', { body: spec, ...headers }),
    );
    for (const text of Warnings ?? []) invocation.context.stderr.write(`${text}\n`);
    return { id: ID, name: step.name, key: step.key };
  }
  say(`Updating service ${step.name} (id: ${step.id})`);
  const service = await readService(client, step.id);
  const warnings = await attempt(`failed to update service ${step.name}`, writeService(client, service, spec, auth === undefined ? {} : { auth }));
  for (const text of [...(warning === undefined ? [] : [warning]), ...warnings]) invocation.context.stderr.write(`${text}\n`);
  return { id: step.id, name: step.name, key: step.key };
}

function imageOf({ task: { runtime } }: Change['spec']): string | undefined {
  return runtime.kind === 'container' ? runtime.container.image : undefined;
}

type WireSpec = ReturnType<SpecConverters['serviceToJson']>;

/** Names → ids. What is not found keeps its name: the daemon says what is wrong with it. */
function withIds(spec: WireSpec, { networks, secrets, configs }: Ids): WireSpec {
  const task = spec.TaskTemplate ?? {};
  const container = task.ContainerSpec ?? {};
  const named = (ids: ReadonlyMap<string, string>, name: string | undefined) => ids.get(name ?? '') ?? '';
  return {
    ...spec,
    TaskTemplate: {
      ...task,
      ...(task.Networks === undefined
        ? {}
        : { Networks: task.Networks.map((network) => ({ ...network, Target: networks.get(network.Target ?? '') ?? network.Target })) }),
      ContainerSpec: {
        ...container,
        ...(container.Secrets === undefined ? {} : { Secrets: container.Secrets.map((one) => ({ ...one, SecretID: named(secrets, one.SecretName) })) }),
        ...(container.Configs === undefined ? {} : { Configs: container.Configs.map((one) => ({ ...one, ConfigID: named(configs, one.ConfigName) })) }),
      },
    },
  };
}

/** Old versions of secrets and configs that nothing uses any more. One that is in use after all stays; the next deploy tries again. */
export async function collectOldVersions(client: Client, plan: StackPlan, keep: ReadonlySet<string>): Promise<void> {
  for (const [kind, steps] of [
    ['secret', plan.secrets],
    ['config', plan.configs],
  ] as const)
    for (const step of steps)
      if (step.action === 'collect' && !keep.has(step.name)) await client.call('DELETE', `/${kind}s/${segment(step.id)}`).catch(() => {});
}
