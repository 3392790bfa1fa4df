// What is done to containers in one request each: kill, pause, unpause, start, stop, restart, rm, rename, wait. A container is named as findContainer takes it, so a
// task's (`web.1`) on any node, too; what the daemon says is about the name that was given when there is none.
import type { Client, QueryValue } from '#client/client.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { type CommandSpec, ExitError, type FlagSpec, type Invocation } from '../command.ts';
import { nodeFlag } from '../node-flags.ts';
import { forEach, segment } from '../shared/each.ts';
import { findContainer } from './find.ts';

/**
 * What the daemon takes for the container: the reference itself where it knows that, because its words then name what the user named; and where there is nothing to be
 * found, because the request that follows says so.
 */
export async function containerRef(client: Client, reference: string): Promise<string> {
  const orMissing = (error: unknown) => {
    if (error instanceof AppError && error.code === 'notFound') return undefined;
    throw error;
  };
  const known = await client.call('GET', `/containers/${segment(reference)}/json`).catch(orMissing);
  if (known !== undefined) return reference;
  return (await findContainer(client, reference).catch(orMissing))?.Id ?? reference;
}

interface Action {
  /** What is said at the end when it failed for some. */
  readonly failure?: string;
  readonly flags?: readonly FlagSpec[];
  readonly method?: string;
  /** After the container's id: `/kill`. */
  readonly path: string;
  readonly query?: (invocation: Invocation) => Readonly<Record<string, QueryValue>>;
}

function action({ failure, flags = [], method = 'POST', path, query }: Action): CommandSpec {
  return {
    usage: `${flags.length > 0 ? '[OPTIONS] ' : ''}CONTAINER [CONTAINER...]`,
    arguments: { minimum: 1 },
    flags: [...flags, nodeFlag].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    completes: 'container',
    async run(invocation) {
      const client = await invocation.client();
      const left = new Set(invocation.args);
      try {
        return await forEach(invocation, invocation.args, async (reference) => {
          const id = await containerRef(client, reference);
          await client.call(method, `/containers/${segment(id)}${path}`, { query: query?.(invocation) ?? {} });
          left.delete(reference);
          return reference;
        });
      } catch (error) {
        if (failure !== undefined && error instanceof ExitError) invocation.context.stderr.write(`Error: ${failure}: ${[...left].join(', ')}\n`);
        throw error;
      }
    },
  };
}

const signalFlag = (description: string): FlagSpec => ({ name: 'signal', short: 's', type: 'string', description });
const timeFlag: FlagSpec = { name: 'timeout', short: 't', type: 'int', description: 'Seconds to wait before killing the container' };
const stopQuery = ({ flags }: Invocation) => ({
  ...(flags.has('signal') ? { signal: flags.text('signal') } : {}),
  ...(flags.has('timeout') ? { t: flags.value<number>('timeout') } : {}),
});

export const kill = action({
  flags: [signalFlag('Signal to send to the container')],
  path: '/kill',
  query: ({ flags }) => (flags.has('signal') ? { signal: flags.text('signal') } : {}),
});
export const pause = action({ path: '/pause' });
export const unpause = action({ path: '/unpause' });
export const start = action({ failure: 'failed to start containers', path: '/start' });
export const stop = action({ flags: [signalFlag('Signal to send to the container'), timeFlag], path: '/stop', query: stopQuery });
export const restart = action({ flags: [signalFlag('Signal to send to the container'), timeFlag], path: '/restart', query: stopQuery });
export const rm = action({
  flags: [
    { name: 'force', short: 'f', description: 'Force the removal of a running container (uses SIGKILL)' },
    { name: 'link', short: 'l', description: 'Remove the specified link' },
    { name: 'volumes', short: 'v', description: 'Remove anonymous volumes associated with the container' },
  ],
  method: 'DELETE',
  path: '',
  query: ({ flags }) => ({
    ...(flags.bool('force') ? { force: 1 } : {}),
    ...(flags.bool('link') ? { link: 1 } : {}),
    ...(flags.bool('volumes') ? { v: 1 } : {}),
  }),
});

export const wait: CommandSpec = {
  usage: 'CONTAINER [CONTAINER...]',
  arguments: { minimum: 1 },
  flags: [nodeFlag],
  completes: 'container',
  async run(invocation) {
    const client = await invocation.client();
    return forEach(invocation, invocation.args, async (reference) => {
      const { StatusCode } = await client.call<{ StatusCode: number }>('POST', `/containers/${segment(await containerRef(client, reference))}/wait`);
      return String(StatusCode);
    });
  },
};

export const rename: CommandSpec = {
  usage: 'CONTAINER NEW_NAME',
  arguments: { minimum: 2, maximum: 2 },
  flags: [nodeFlag],
  completes: 'container',
  async run({ args, context, client: clientOf }) {
    const [reference = '', name = ''] = args.map((text) => text.trim());
    if (reference === '' || name === '') throw new AppError('invalidArgument', 'Error: Neither old nor new names may be empty');
    const client = await clientOf();
    try {
      await client.call('POST', `/containers/${segment(await containerRef(client, reference))}/rename`, { query: { name } });
    } catch (error) {
      context.stderr.write(`${errorMessage(error)}\n`);
      throw new AppError('unknown', `Error: failed to rename container named ${reference}`, { cause: error });
    }
    return undefined;
  },
};
