// `stack deactivate` takes a stack's services away and keeps what it takes to have them again: networks, volumes, secrets, configs, history, and a snapshot of
// the services as a config of the swarm. `stack activate` makes them again. Either goes on where it was interrupted.
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Client } from '#client/client.ts';
import { type ResolvedStack, snapshotStack } from '#compose/index.ts';
import type { Service } from '#docker-api/service.ts';
import type { Config } from '#docker-api/secret-config.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { segment } from '../shared/each.ts';
import { filterQuery } from '../shared/options.ts';
import { carryOut, checkManager, planFor } from './deploy.ts';
import { deployFlags } from './flags.ts';
import { INACTIVE_LABEL, NAMESPACE_LABEL, readObjects } from './objects.ts';
import { configNameFor, readRevisions, removeConfig } from './revisions.ts';
import { waitForTasks } from './rm.ts';

interface InactiveStack {
  /** The config that holds it. */
  readonly id: string;
  readonly name: string;
  readonly stack: ResolvedStack;
  readonly source: string;
}

/** Of one stack, or of all. */
export async function readInactive(client: Client, name?: string): Promise<readonly InactiveStack[]> {
  const query = filterQuery({ label: [INACTIVE_LABEL, ...(name === undefined ? [] : [`${NAMESPACE_LABEL}=${name}`])] });
  const configs = await client.call<Config[]>('GET', '/configs', { query });
  return configs.map(({ ID, Spec }) => {
    const kept = JSON.parse(gunzipSync(Buffer.from(Spec.Data ?? '', 'base64')).toString()) as Pick<InactiveStack, 'stack' | 'source'>;
    return { id: ID, name: Spec.Labels?.[NAMESPACE_LABEL] ?? '', ...kept };
  });
}

/** What is said of a stack without services. */
export async function absence(client: Client, name: string): Promise<string | undefined> {
  const [inactive] = await readInactive(client, name);
  return inactive === undefined ? undefined : `stack ${name} is inactive: \`stack activate ${name}\` starts its services again`;
}

/** A stack that was deployed again is no longer inactive. */
export async function forgetInactive(client: Client, name: string): Promise<void> {
  for (const { id } of await readInactive(client, name)) await removeConfig(client, id);
}

async function servicesOf(client: Client, name: string): Promise<readonly Service[]> {
  const services = await client.call<Service[]>('GET', '/services', { query: filterQuery({ label: [`${NAMESPACE_LABEL}=${name}`] }) });
  return services.sort((a, b) => ((a.Spec.Name ?? '') < (b.Spec.Name ?? '') ? -1 : 1));
}

export const deactivate: CommandSpec = {
  usage: '[OPTIONS] STACK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [{ name: 'detach', short: 'd', description: 'Do not wait until the tasks have ended' }],
  completes: 'stack',
  async run(invocation) {
    const { args, flags, context } = invocation;
    const [name = ''] = args;
    await checkManager(invocation);
    const client = await invocation.client();
    const services = await servicesOf(client, name);
    const [inactive] = await readInactive(client, name);
    if (services.length === 0 && inactive === undefined) throw new AppError('notFound', `nothing found in stack: ${name}`);
    if (services.length === 0) context.stdout.write(`Stack ${name} is inactive already\n`);
    // What an interrupted command has kept is the whole stack; what runs may be a part of it.
    if (inactive === undefined) await keepSnapshot(client, name, snapshotStack(name, await readObjects(client, await context.loadConverters())));
    for (const { ID, Spec } of services) {
      context.stdout.write(`Removing service ${Spec.Name}\n`);
      await client.call('DELETE', `/services/${segment(ID)}`);
    }
    if (!flags.bool('detach')) await waitForTasks(invocation, client, name);
    return undefined;
  },
};

async function keepSnapshot(client: Client, name: string, snapshot: ReturnType<typeof snapshotStack>): Promise<void> {
  const body = {
    Name: configNameFor(name, 'inactive'),
    Labels: { [NAMESPACE_LABEL]: name, [INACTIVE_LABEL]: '' },
    Data: gzipSync(JSON.stringify(snapshot)).toString('base64'),
  };
  await client.call('POST', '/configs/create', { body });
}

export const activate: CommandSpec = {
  usage: '[OPTIONS] STACK',
  arguments: { minimum: 1, maximum: 1 },
  flags: deployFlags.filter(({ name }) => ['detach', 'quiet', 'timeout', 'with-registry-auth'].includes(name)),
  completes: 'stack',
  async run(invocation) {
    const { args, context } = invocation;
    const [name = ''] = args;
    await checkManager(invocation);
    const client = await invocation.client();
    const [inactive] = await readInactive(client, name);
    if (inactive === undefined) {
      const isThere = (await servicesOf(client, name)).length > 0;
      if (!isThere && (await readRevisions(client, name)).length === 0) throw new AppError('notFound', `nothing found in stack: ${name}`);
      if (!isThere) throw new AppError('notFound', `stack ${name} has no services: \`stack rollback ${name} REVISION\` deploys one of its \`stack history\``);
      context.stdout.write(`Stack ${name} is active already\n`);
      return undefined;
    }
    const { stack, source } = inactive;
    const replan = async () => {
      const { plan, ...others } = await planFor(invocation, stack);
      // Services that are there are not touched: an interrupted command has made them, or a user, who knows best.
      return { ...others, plan: { ...plan, services: plan.services.filter(({ action }) => action === 'create') } };
    };
    return carryOut(invocation, { ...(await replan()), replan, stack, source, resolveImage: 'never', action: 'activate' });
  },
};
