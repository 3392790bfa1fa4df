// `network rm`.
import { AppError, errorMessage } from '#lib/errors.ts';
import { type CommandSpec, ExitError } from '../command.ts';
import type { Client } from '#client/client.ts';
import type { CliContext } from '../context.ts';
import { askLine } from '../shared/prompt.ts';
import { segment } from '../shared/each.ts';

export const command: CommandSpec = {
  usage: 'NETWORK [NETWORK...]',
  arguments: { minimum: 1 },
  flags: [{ name: 'force', short: 'f', description: 'Do not error if the network does not exist' }],
  completes: 'network',
  async run({ flags, args, context, client }) {
    let failed = false;
    for (const reference of args) {
      if (!(await mayRemove(context, await client(), reference))) continue;
      try {
        await (await client()).call('DELETE', `/networks/${segment(reference)}`);
        context.stdout.write(`${reference}\n`);
      } catch (error) {
        if (flags.bool('force') && error instanceof AppError && error.code === 'notFound') continue;
        context.stderr.write(`${errorMessage(error)}\n`);
        failed = true;
      }
    }
    if (failed) context.stderr.write('exit status 1\n');
    if (failed) throw new ExitError(1);
    return undefined;
  },
};

const WARNING =
  'WARNING! Before removing the routing-mesh network, make sure all the nodes in your swarm run the same docker engine version. Otherwise, removal may not be effective and functionality of newly create ingress networks will be impaired.';

/** The network of the routing mesh is removed only after a yes. */
async function mayRemove(context: CliContext, client: Client, reference: string): Promise<boolean> {
  const network = await client.call<{ Ingress?: boolean }>('GET', `/networks/${segment(reference)}`).catch(() => undefined);
  if (network?.Ingress !== true) return true;
  return (await askLine(context, `${WARNING}\nAre you sure you want to continue? [y/N] `)).toLowerCase() === 'y';
}
