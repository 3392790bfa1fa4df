// `stack rm`: services, secrets, configs, networks; volumes only when asked for.
import type { Client } from '#client/client.ts';
import type { Task } from '#docker-api/task.ts';
import { errorMessage } from '#lib/errors.ts';
import { type CommandSpec, ExitError, type Invocation } from '../command.ts';
import { segment } from '../shared/each.ts';
import { filterQuery } from '../shared/options.ts';
import { NAMESPACE_LABEL } from './objects.ts';

const POLL_MS = 200;
const TERMINAL = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned']);
/** A network is held by tasks that are ending; it is tried again while they do. */
const NETWORK_PATIENCE_MS = 30_000;

interface Thing {
  readonly kind: 'service' | 'secret' | 'config' | 'network';
  readonly id: string;
  readonly name: string;
}

export const command: CommandSpec = {
  usage: '[OPTIONS] STACK [STACK...]',
  arguments: { minimum: 1 },
  flags: [
    { name: 'detach', short: 'd', description: 'Do not wait for stack removal' },
    { name: 'volumes', description: "Remove the stack's volumes of this engine, too" },
  ],
  completes: 'stack',
  async run(invocation) {
    const failures: string[] = [];
    for (const stack of invocation.args) {
      if (stack.trim() === '') failures.push(`invalid stack name: ${JSON.stringify(stack)}`);
      else if (!(await removeStack(invocation, stack))) failures.push(`failed to remove some resources from stack: ${stack}`);
    }
    if (failures.length === 0) return undefined;
    invocation.context.stderr.write(`${failures.join('\n')}\n`);
    throw new ExitError(1);
  },
};

async function removeStack(invocation: Invocation, stack: string): Promise<boolean> {
  const { context, flags } = invocation;
  const client = await invocation.client();
  const things = await thingsOf(client, stack);
  if (things.length === 0) {
    context.stderr.write(`Nothing found in stack: ${stack}\n`);
    return true;
  }
  let allRemoved = true;
  for (const thing of things) {
    context.stdout.write(`Removing ${thing.kind} ${thing.name}\n`);
    if (thing.kind === 'network' && !flags.bool('detach')) await waitForTasks(invocation, client, stack);
    await remove(invocation, client, thing).catch((error: unknown) => {
      context.stderr.write(`Failed to remove ${thing.kind} ${thing.id}: ${errorMessage(error)}\n`);
      allRemoved = false;
    });
  }
  if (!flags.bool('detach')) await waitForTasks(invocation, client, stack);
  if (flags.bool('volumes')) allRemoved = (await removeVolumes(invocation, client, stack)) && allRemoved;
  return allRemoved;
}

async function thingsOf(client: Client, stack: string): Promise<readonly Thing[]> {
  const query = filterQuery({ label: [`${NAMESPACE_LABEL}=${stack}`] });
  const swarmObjects = async (kind: 'service' | 'secret' | 'config'): Promise<Thing[]> => {
    const objects = await client.call<{ ID: string; Spec: { Name?: string } }[]>('GET', `/${kind}s`, { query });
    return objects.map(({ ID, Spec }) => ({ kind, id: ID, name: Spec.Name ?? '' })).sort(byName);
  };
  const networks = await client.call<{ Id: string; Name: string }[]>('GET', '/networks', { query });
  return [
    ...(await swarmObjects('service')),
    ...(await swarmObjects('secret')),
    ...(await swarmObjects('config')),
    ...networks.map(({ Id, Name }): Thing => ({ kind: 'network', id: Id, name: Name })).sort(byName),
  ];
}

function byName(a: Thing, b: Thing): number {
  return a.name < b.name ? -1 : 1;
}

async function remove({ context }: Invocation, client: Client, { kind, id }: Thing): Promise<void> {
  const deadline = context.clock.now() + (kind === 'network' ? NETWORK_PATIENCE_MS : 0);
  for (;;) {
    try {
      await client.call('DELETE', `/${kind}s/${segment(id)}`);
      return;
    } catch (error) {
      const isHeld = /in use|active endpoints/.test(errorMessage(error));
      if (!isHeld || context.clock.now() >= deadline) throw error;
    }
    await context.clock.sleep(POLL_MS);
  }
}

async function waitForTasks({ context }: Invocation, client: Client, stack: string): Promise<void> {
  for (;;) {
    const tasks = await client.call<Task[]>('GET', '/tasks', { query: filterQuery({ label: [`${NAMESPACE_LABEL}=${stack}`] }) });
    if (tasks.every(({ Status }) => TERMINAL.has(Status.State))) return;
    await context.clock.sleep(POLL_MS);
  }
}

async function removeVolumes({ context }: Invocation, client: Client, stack: string): Promise<boolean> {
  const { Volumes } = await client.call<{ Volumes: { Name: string }[] | null }>('GET', '/volumes', {
    query: filterQuery({ label: [`${NAMESPACE_LABEL}=${stack}`] }),
  });
  let allRemoved = true;
  for (const { Name } of Volumes ?? []) {
    context.stdout.write(`Removing volume ${Name}\n`);
    await client.call('DELETE', `/volumes/${segment(Name)}`).catch((error: unknown) => {
      context.stderr.write(`Failed to remove volume ${Name}: ${errorMessage(error)}\n`);
      allRemoved = false;
    });
  }
  return allRemoved;
}
