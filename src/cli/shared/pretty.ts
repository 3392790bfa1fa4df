// `inspect --pretty`, and `inspect --json`.
import { errorMessage } from '#lib/errors.ts';
import { ExitError, type Invocation } from '../command.ts';
import type { Flags } from '../flags.ts';

/** `--pretty`, or `--format pretty`. */
export function wantsPretty({ flags }: Invocation): boolean {
  return flags.bool('pretty') || flags.text('format') === 'pretty';
}

/** Prints what `pretty` makes of each object, up to the first that cannot be had. */
export async function inspectPretty(
  { flags, args, context }: Invocation,
  fetch: (reference: string) => Promise<string>,
  pretty: (text: string) => string | Promise<string>,
): Promise<undefined> {
  if (flags.bool('pretty') && flags.has('format')) {
    context.stderr.write('--format is incompatible with human friendly format\n');
    throw new ExitError(1);
  }
  for (const reference of args) {
    try {
      context.stdout.write(`${await pretty(await fetch(reference))}\n`);
    } catch (error) {
      context.stderr.write(`${errorMessage(error)}\n`);
      throw new ExitError(1);
    }
  }
  return undefined;
}

/** `--json` as `--format json`. */
export function withJson(invocation: Invocation): Invocation {
  if (!invocation.flags.bool('json') || invocation.flags.has('format')) return invocation;
  const flags: Flags = {
    ...invocation.flags,
    has: (name) => name === 'format' || invocation.flags.has(name),
    text: (name) => (name === 'format' ? 'json' : invocation.flags.text(name)),
  };
  return { ...invocation, flags };
}
