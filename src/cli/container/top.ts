// `top`: the processes of a container, of a task's too (`web.1`).
import type { CommandSpec } from '../command.ts';
import { alignTabs } from '../format/tabwriter.ts';
import { nodeFlag } from '../node-flags.ts';
import { segment } from '../shared/each.ts';

interface Processes {
  readonly Titles: readonly string[] | null;
  readonly Processes: readonly (readonly string[])[] | null;
}

export const command: CommandSpec = {
  usage: '[OPTIONS] CONTAINER [ps OPTIONS]',
  arguments: { minimum: 1 },
  flags: [nodeFlag],
  optionsFirst: true,
  completes: 'container',
  async run({ args, context, client }) {
    const [reference = '', ...psOptions] = args;
    const query = psOptions.length === 0 ? {} : { ps_args: psOptions.join(' ') };
    const answer = await (await client()).call<Processes>('GET', `/containers/${segment(reference)}/top`, { query });
    const rows = [answer.Titles ?? [], ...(answer.Processes ?? [])].map((cells) => cells.join('\t'));
    context.stdout.write(`${alignTabs(rows.join('\n'), { minimumWidth: 20 })}\n`);
    return undefined;
  },
};
