// `$VARIABLE` in text: the Compose Specification's interpolation. Every form, nested where a default, an error or a replacement is given. A dollar that
// begins none of them (`$(date)`, `^x$`) is a dollar, as Compose has it.

export type Lookup = (name: string) => string | undefined;

export interface TemplateContext {
  readonly lookup: Lookup;
  /** Told of each variable that is not set and has no default. */
  readonly onUnset: (name: string) => void;
}

/** The text is no template, or a variable that is required has no value. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

const NAME = /[_a-zA-Z][_a-zA-Z0-9]*/y;
const OPERATOR = /:?[-?+]/y;
/** Defaults within defaults; more than this is no Compose file. */
const MAX_DEPTH = 50;

/** The text with its variables replaced. Throws TemplateError. */
export function substitute(template: string, context: TemplateContext): string {
  return substituteUntil(template, 0, context, { inBraces: false, depth: 0 }).text;
}

/** The text with each `$` doubled, so that substituting gives it back. */
export function escapeTemplate(text: string): string {
  return text.replaceAll('$', '$$$$');
}

interface Position {
  readonly inBraces: boolean;
  readonly depth: number;
}

/** Substitutes from `start` to the end, or, in braces, to the brace that closes; `end` is the index after it. */
function substituteUntil(template: string, start: number, context: TemplateContext, { inBraces, depth }: Position): { text: string; end: number } {
  if (depth > MAX_DEPTH) throw invalid(template);
  let text = '';
  let at = start;
  while (at < template.length) {
    const character = template[at];
    if (inBraces && character === '}') return { text, end: at + 1 };
    if (character !== '$') {
      text += character;
      at += 1;
    } else if (template[at + 1] === '$') {
      text += '$';
      at += 2;
    } else {
      const found = template[at + 1] === '{' ? braced(template, at + 2, context, depth) : named(template, at + 1, context);
      text += found.text;
      at = found.end;
    }
  }
  if (inBraces) throw invalid(template);
  return { text, end: at };
}

function named(template: string, start: number, context: TemplateContext): { text: string; end: number } {
  const name = matchAt(NAME, template, start);
  return name === undefined ? { text: '$', end: start } : { text: valueOf(name, context), end: start + name.length };
}

function braced(template: string, start: number, context: TemplateContext, depth: number): { text: string; end: number } {
  const name = matchAt(NAME, template, start);
  if (name === undefined) throw invalid(template);
  const afterName = start + name.length;
  if (template[afterName] === '}') return { text: valueOf(name, context), end: afterName + 1 };
  const operator = matchAt(OPERATOR, template, afterName);
  if (operator === undefined) throw invalid(template);
  const value = context.lookup(name);
  const counts = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
  const isAlternative = operator.endsWith('+');
  // What is not used must not warn of its variables, nor fail.
  const isUsed = isAlternative ? counts : !counts;
  const inner = isUsed ? context : { ...context, onUnset: () => {} };
  const word = wordAt(template, afterName + operator.length, inner, { depth, isUsed });
  if (isAlternative) return { text: counts ? word.text : '', end: word.end };
  if (counts) return { text: value ?? '', end: word.end };
  if (operator.endsWith('?')) throw new TemplateError(`required variable ${name} is missing a value: ${word.text}`);
  return word;
}

/** The text after an operator, to its closing brace. Where it is not used, only the end is looked for. */
function wordAt(
  template: string,
  start: number,
  context: TemplateContext,
  how: { readonly depth: number; readonly isUsed: boolean },
): { text: string; end: number } {
  if (how.isUsed) return substituteUntil(template, start, context, { inBraces: true, depth: how.depth + 1 });
  let open = 1;
  for (let at = start; at < template.length; at += 1) {
    if (template[at] === '$' && template[at + 1] === '$') at += 1;
    else if (template[at] === '$' && template[at + 1] === '{') {
      open += 1;
      at += 1;
    } else if (template[at] === '}') {
      open -= 1;
      if (open === 0) return { text: '', end: at + 1 };
    }
  }
  throw invalid(template);
}

function valueOf(name: string, { lookup, onUnset }: TemplateContext): string {
  const value = lookup(name);
  if (value === undefined) onUnset(name);
  return value ?? '';
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function invalid(template: string): TemplateError {
  return new TemplateError(template);
}
