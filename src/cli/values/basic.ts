// The simple kinds of option values and what is said when a value is none: in the words of Go's strconv and time packages, as docker prints them.
import { parseGoDuration } from '../format/duration.ts';
import { parseBytes } from '../format/size.ts';

/** Go's ParseBool. */
export function parseBoolean(text: string): boolean {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
}

function integer(goFunction: string, minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const pattern = minimum < 0 ? /^[+-]?(\d[\d_]*|0[xX][\da-fA-F]+|0[bB][01]+|0[oO][0-7]+)$/ : /^(\d[\d_]*|0[xX][\da-fA-F]+|0[bB][01]+|0[oO][0-7]+)$/;
    if (!pattern.test(text)) throw new Error(`strconv.${goFunction}: parsing ${JSON.stringify(text)}: invalid syntax`);
    const value = /^0\d/.test(text) ? Number.parseInt(text, 8) : Number(text.replaceAll('_', ''));
    if (value < minimum || value > maximum) throw new Error(`strconv.${goFunction}: parsing ${JSON.stringify(text)}: value out of range`);
    return value;
  };
}

export const parseUint64 = integer('ParseUint', 0, 2 ** 64 - 1);
export const parseUint32 = integer('ParseUint', 0, 2 ** 32 - 1);
export const parseInt64 = integer('ParseInt', -(2 ** 63), 2 ** 63 - 1);

/** As it is written: 32 bits would show it as 0.30000001192092896. */
function parseFloat32(text: string): number {
  if (text.trim() !== text || text === '' || Number.isNaN(Number(text))) throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** `1.5` CPUs as billionths; no more than nine digits after the point. */
export function parseNanoCpus(text: string): number {
  const match = /^(\d*)(?:\.(\d*))?$/.exec(text);
  if (match === null || text === '' || text === '.') throw new Error(`failed to parse ${text} as a rational number`);
  const [, whole = '', fraction = ''] = match;
  if (fraction.replace(/0+$/, '').length > 9) throw new Error('value is too precise');
  return Number(whole || 0) * 1e9 + Number((fraction + '000000000').slice(0, 9));
}

const identity = (text: string): string => text;

const parsers: Readonly<Record<string, (text: string) => unknown>> = {
  uint: parseUint64,
  uint32: parseUint32,
  int: parseInt64,
  float: parseFloat32,
  decimal: parseNanoCpus,
  bytes: parseBytes,
  duration: parseGoDuration,
};

/** By the type that help shows; whatever is not listed is text. */
export function valueParserOf(type: string | undefined): (text: string) => unknown {
  if (type === undefined) return parseBoolean;
  return parsers[type] ?? identity;
}
