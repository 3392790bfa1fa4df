// Go's fmt.Sprintf for the values that templates have.
import { quote } from './quote.ts';
import { isStruct, printed, type TemplateValue, typeNameOf } from './values.ts';

const VERB_PATTERN = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(.)/gsu;
/** Go itself refuses wider fields. */
const MAX_WIDTH = 1_000_000;

interface Verb {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly letter: string;
}

export function format(pattern: string, values: readonly TemplateValue[]): string {
  let at = 0;
  const text = pattern.replace(VERB_PATTERN, (all: string, flags: string, widthText: string | undefined, precisionText: string | undefined, letter: string) => {
    if (letter === '%') return '%';
    const width = widthText === '*' ? Number(values[at++]) : Number(widthText ?? 0);
    const precision = precisionText === '*' ? Number(values[at++]) : precisionText === undefined ? (all.includes('.') ? 0 : undefined) : Number(precisionText);
    if (width > MAX_WIDTH || (precision ?? 0) > MAX_WIDTH) return `%!(BADWIDTH)${letter}`;
    if (at >= values.length) return `%!${letter}(MISSING)`;
    return formatValue({ flags, width, precision, letter }, values[at++]);
  });
  const rest = values.slice(at).map((value) => `${typeNameOf(value)}=${printed(value)}`);
  const withoutVerb = /%[-+# 0\d.*]*$/.test(pattern.replaceAll('%%', '')) ? text.replace(/%[-+# 0\d.*]*$/, '%!(NOVERB)') : text;
  return rest.length === 0 ? withoutVerb : `${withoutVerb}%!(EXTRA ${rest.join(', ')})`;
}

function formatValue(verb: Verb, value: TemplateValue): string {
  const body = verbText(verb, value);
  if (body === undefined) return `%!${verb.letter}(${value === undefined ? '<nil>' : `${typeNameOf(value)}=${printed(value)}`})`;
  const missing = Math.max(0, verb.width - Array.from(body).length);
  if (verb.flags.includes('-')) return body + ' '.repeat(missing);
  if (!verb.flags.includes('0') || typeof value !== 'number') return ' '.repeat(missing) + body;
  const sign = /^[+-]/.exec(body)?.[0] ?? '';
  return sign + '0'.repeat(missing) + body.slice(sign.length);
}

function verbText(verb: Verb, value: TemplateValue): string | undefined {
  switch (verb.letter) {
    case 'v':
      return value === undefined ? '<nil>' : typeof value === 'number' ? signed(verb, value, printed(value)) : printed(value);
    case 's':
      return typeof value === 'number' || typeof value === 'boolean' || value === undefined ? undefined : truncated(verb, asText(value));
    case 'q':
      if (typeof value === 'number') return `'${String.fromCodePoint(Math.max(0, Math.min(0x10ffff, Math.trunc(value))))}'`;
      return typeof value === 'string' ? quote(truncated(verb, value)) : undefined;
    case 't':
      return typeof value === 'boolean' ? String(value) : undefined;
    case 'T':
      return typeNameOf(value);
    case 'x':
    case 'X':
      return hexadecimal(verb, value);
    default:
      return numberText(verb, value);
  }
}

function asText(value: TemplateValue): string {
  return isStruct(value) && value.plain !== undefined ? value.plain : printed(value);
}

function numberText(verb: Verb, value: TemplateValue): string | undefined {
  if (typeof value !== 'number') return undefined;
  const isInteger = Number.isInteger(value);
  switch (verb.letter) {
    case 'd':
      return isInteger ? signed(verb, value, String(value)) : undefined;
    case 'b':
      return isInteger ? signed(verb, value, value.toString(2)) : undefined;
    case 'o':
      return isInteger ? signed(verb, value, value.toString(8)) : undefined;
    case 'c':
      return isInteger && value >= 0 && value <= 0x10ffff ? String.fromCodePoint(value) : undefined;
    case 'f':
    case 'F':
      return signed(verb, value, value.toFixed(Math.min(100, verb.precision ?? 6)));
    case 'e':
      return signed(verb, value, value.toExponential(Math.min(100, verb.precision ?? 6)).replace(/e([+-])(\d)$/, 'e$10$2'));
    case 'g':
      return signed(
        verb,
        value,
        verb.precision === undefined ? printed(value) : printed(Number(value.toPrecision(Math.min(100, Math.max(1, verb.precision))))),
      );
    default:
      return undefined;
  }
}

function hexadecimal(verb: Verb, value: TemplateValue): string | undefined {
  const text =
    typeof value === 'string' ? Buffer.from(value).toString('hex') : typeof value === 'number' && Number.isInteger(value) ? value.toString(16) : undefined;
  return verb.letter === 'X' ? text?.toUpperCase() : text;
}

function truncated(verb: Verb, text: string): string {
  return verb.precision === undefined ? text : Array.from(text).slice(0, verb.precision).join('');
}

function signed(verb: Verb, value: number, text: string): string {
  if (value < 0) return text;
  return verb.flags.includes('+') ? `+${text}` : verb.flags.includes(' ') ? ` ${text}` : text;
}
