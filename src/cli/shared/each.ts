// Commands on several objects: each is tried, what worked is printed at once, what did not is said at the end.
import { errorMessage } from '#lib/errors.ts';
import { ExitError, type Invocation } from '../command.ts';

/** `work` resolves with the line to print, undefined for none. Rejects with ExitError(1) after everything was tried, if something failed. */
export async function forEach(
  { context }: Invocation,
  references: readonly string[],
  work: (reference: string) => Promise<string | undefined>,
): Promise<undefined> {
  const failures: string[] = [];
  for (const reference of references) {
    try {
      const line = await work(reference);
      if (line !== undefined) context.stdout.write(`${line}\n`);
    } catch (error) {
      failures.push(errorMessage(error));
    }
  }
  if (failures.length === 0) return undefined;
  context.stderr.write(`${failures.join('\n')}\n`);
  throw new ExitError(1);
}

/** A reference as part of a path. */
export function segment(reference: string): string {
  return encodeURIComponent(reference);
}
