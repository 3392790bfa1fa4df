// `dev down`.
import { takeDown } from '#dev/cluster.ts';
import type { CommandSpec } from '../command.ts';
import { baseOf, nameFlag, nameOf } from './shared.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [nameFlag],
  async run(invocation) {
    const { context } = invocation;
    const base = baseOf(invocation);
    const name = nameOf(invocation);
    const say = (line: string) => void context.stderr.write(`${line}\n`);
    const was = await takeDown(name, { base, clock: context.clock, say });
    say(was ? `The cluster ${name} is gone.` : `There is no cluster ${name}.`);
    return undefined;
  },
};
