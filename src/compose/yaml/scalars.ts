// What a plain YAML word means, as yaml.v3 (the parser of Docker's tools) decides: YAML 1.2, plus octal numbers with a leading zero, and dates.
import type { Mark, ScalarNode } from './node.ts';

const NULLS = new Set(['', '~', 'null', 'Null', 'NULL']);
const TRUE = new Set(['true', 'True', 'TRUE']);
const FALSE = new Set(['false', 'False', 'FALSE']);
const INTEGER = /^[-+]?(?:0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$/;
const SPECIAL_FLOAT = /^(?:([-+]?)\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const DATE = /^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}$/;

/** A plain (unquoted) scalar's value. */
export function resolvePlain(source: string, mark: Mark): ScalarNode {
  const made = (value: ScalarNode['value'], text?: string): ScalarNode => ({ kind: 'scalar', mark, value, ...(text === undefined ? {} : { text }) });
  if (NULLS.has(source)) return made(null);
  if (TRUE.has(source)) return made(true);
  if (FALSE.has(source)) return made(false);
  if (INTEGER.test(source)) {
    const value = integerOf(source);
    if (value !== undefined) return made(Number(value), value.toString());
  }
  if (FLOAT.test(source)) {
    const value = Number(source.replaceAll('_', ''));
    return made(value, goFloat(value));
  }
  if (SPECIAL_FLOAT.test(source)) return made(source, /nan/i.test(source) ? 'NaN' : `${source.startsWith('-') ? '-' : '+'}Inf`);
  if (DATE.test(source)) return made(goDate(source));
  return made(source);
}

/** Undefined when the digits do not fit the base ("089"): yaml.v3 reads such a word as a float. */
function integerOf(source: string): bigint | undefined {
  const negative = source.startsWith('-');
  const digits = source.replace(/^[-+]/, '').replaceAll('_', '');
  const octal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
  if (/^0[0-9]*[89]/.test(octal) || /^0[box]?$/.test(octal.replace(/^0$/, '1'))) return undefined;
  const value = BigInt(octal);
  return negative ? -value : value;
}

/** Go's %v of a float64: the shortest digits that mean it, with an exponent below 1e-4 and from 1e6 on ("1e+06"). */
export function goFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : `${value < 0 ? '-' : '+'}Inf`;
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e6)) return value.toExponential().replace(/e([-+])(\d)$/, 'e$10$2');
  return String(value);
}

function goDate(source: string): string {
  const [year = '', month = '', day = ''] = source.split('-');
  return `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')} 00:00:00 +0000 UTC`;
}
