// `stack rm`: services, secrets, configs, networks; volumes only when asked for.
import type { Client } from '#client/client.ts';
import type { Node } from '#docker-api/node.ts';
import type { Task } from '#docker-api/task.ts';
import { errorMessage } from '#lib/errors.ts';
import { type CommandSpec, ExitError, type Invocation } from '../command.ts';
import { segment } from '../shared/each.ts';
import { filterQuery } from '../shared/options.ts';
import { NAMESPACE_LABEL } from './objects.ts';

const POLL_MS = 200;
const TERMINAL = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned']);
/** Networks and volumes are held by tasks that are ending. */
const HELD_PATIENCE_MS = 30_000;

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
    { name: 'volumes', description: "Remove the stack's volumes, too, on all nodes" },
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
  const work = () => client.call('DELETE', `/${kind}s/${segment(id)}`);
  await (kind === 'network' ? whileHeld(context, work) : work());
}

export async function waitForTasks({ context }: Invocation, client: Client, stack: string): Promise<void> {
  for (;;) {
    const tasks = await client.call<Task[]>('GET', '/tasks', { query: filterQuery({ label: [`${NAMESPACE_LABEL}=${stack}`] }) });
    if (tasks.every(({ Status }) => TERMINAL.has(Status.State))) return;
    await context.clock.sleep(POLL_MS);
  }
}

/** Each node's engine has volumes of its own. What is on a node that cannot be asked is named, and stays. */
async function removeVolumes(invocation: Invocation, client: Client, stack: string): Promise<boolean> {
  const nodes = await client.call<Node[]>('GET', '/nodes');
  let allRemoved = true;
  for (const { ID, Description, Status } of nodes.sort((a, b) => (a.ID < b.ID ? -1 : 1))) {
    const name = Description?.Hostname ?? ID;
    if (Status?.State !== 'ready') {
      invocation.context.stderr.write(`Node ${name} is ${Status?.State ?? 'unknown'}: volumes of the stack there stay\n`);
      allRemoved = false;
    } else allRemoved = (await removeVolumesOf(invocation, client, { stack, node: { id: ID, name } })) && allRemoved;
  }
  return allRemoved;
}

interface VolumesOfNode {
  readonly stack: string;
  readonly node: { readonly id: string; readonly name: string };
}

async function removeVolumesOf({ context }: Invocation, client: Client, { stack, node }: VolumesOfNode): Promise<boolean> {
  const headers = { 'X-Skep-Node': node.id };
  const fail = (what: string) => (error: unknown) => {
    context.stderr.write(`${what} on node ${node.name}: ${errorMessage(error)}\n`);
    return false;
  };
  const query = filterQuery({ label: [`${NAMESPACE_LABEL}=${stack}`] });
  let names: readonly string[];
  try {
    names = ((await client.call<{ Volumes: { Name: string }[] | null }>('GET', '/volumes', { query, headers })).Volumes ?? []).map(({ Name }) => Name);
  } catch (error) {
    return fail('Failed to list volumes')(error);
  }
  let allRemoved = true;
  for (const name of names) {
    context.stdout.write(`Removing volume ${name} on node ${node.name}\n`);
    const removal = whileHeld(context, () => client.call('DELETE', `/volumes/${segment(name)}`, { headers })).then(() => true);
    allRemoved = (await removal.catch(fail(`Failed to remove volume ${name}`))) && allRemoved;
  }
  return allRemoved;
}

/** Tries again for a while when tasks that are ending still hold what is to go. */
async function whileHeld(context: Invocation['context'], work: () => Promise<unknown>): Promise<void> {
  const deadline = context.clock.now() + HELD_PATIENCE_MS;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      const isHeld = /in use|active endpoints/.test(errorMessage(error));
      if (!isHeld || context.clock.now() >= deadline) throw error;
    }
    await context.clock.sleep(POLL_MS);
  }
}
