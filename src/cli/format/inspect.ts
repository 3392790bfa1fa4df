// `inspect`: objects as an indented JSON array, or through the user's template. Each object is asked for by itself; what is not found is said at the end.
import { type AppError, errorMessage } from '#lib/errors.ts';
import type { Shape } from '#docker-api/shape.ts';
import { ExitError, type Invocation } from '../command.ts';
import { indentJson } from './raw-json.ts';
import { compileFormat, runFormat, templateValue } from './template.ts';

export interface InspectOptions {
  readonly references: readonly string[];
  /** JSON text of one object; rejects with what users are told. */
  readonly fetch: (reference: string) => Promise<string>;
  readonly shape?: Shape;
  /** Go's name of what cannot be found, for messages. */
  readonly explain?: (reference: string, error: AppError) => string;
}

/** Rejects with ExitError(1) after printing everything that could be had, when something could not. */
export async function inspect({ flags, context }: Invocation, { references, fetch, shape, explain }: InspectOptions): Promise<undefined> {
  const format = flags.text('format');
  const template = format === '' || format === 'json' ? undefined : compileFormat(format);
  const found: string[] = [];
  const failures: string[] = [];
  for (const reference of references) {
    try {
      found.push((await fetch(reference)).trim());
    } catch (error) {
      failures.push(explain?.(reference, error as AppError) ?? errorMessage(error));
    }
  }
  if (template !== undefined) {
    // Like docker, an empty line stands for an empty result.
    let text = '';
    try {
      text = found.map((object) => runFormat(template, templateValue(JSON.parse(object), shape))).join('\n');
    } finally {
      context.stdout.write(`${text}\n`);
    }
  } else if (format === 'json') context.stdout.write(found.length === 0 ? '[]\n' : `[${found.map(compact).join(',')}]\n`);
  else context.stdout.write(found.length === 0 ? '[]\n' : `${indentJson(`[${found.join(',')}]`)}\n`);
  if (failures.length === 0) return undefined;
  context.stderr.write(`${failures.join('\n')}\n`);
  throw new ExitError(1);
}

function compact(text: string): string {
  return text.trim();
}
