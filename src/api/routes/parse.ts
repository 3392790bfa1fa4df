// How the Engine API reads queries and headers: filters, booleans, versions. Go's parsing, with its messages.
import type { Filters } from '#control/control.ts';
import { AppError } from '#lib/errors.ts';

/** The `filters` query in either form, `{"name":{"a":true}}` or `{"name":["a"]}`. Throws AppError `invalidArgument` when it is neither. */
export function parseFilters(query: URLSearchParams): Filters {
  const text = query.get('filters');
  return text ? readFilters(text) : {};
}

/** The filters, if all of their keys are `accepted`. Docker looks at the keys later than at the form: after it knows that it is a manager. */
export function onlyKeys(filters: Filters, accepted: readonly string[]): Filters {
  for (const key of Object.keys(filters)) if (!accepted.includes(key)) throw new AppError('invalidArgument', `invalid filter '${key}'`);
  return filters;
}

function readFilters(text: string): Filters {
  const value = parseJson(text);
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw malformedFilters();
  return Object.fromEntries(Object.entries(value).map(([key, values]) => [key, readFilterValues(values)]));
}

function readFilterValues(values: unknown): readonly string[] {
  if (values === null) return [];
  if (Array.isArray(values)) {
    if (!values.every((item) => typeof item === 'string')) throw malformedFilters();
    return values;
  }
  if (typeof values !== 'object' || values === undefined) throw malformedFilters();
  if (!Object.values(values).every((flag) => typeof flag === 'boolean')) throw malformedFilters();
  return Object.keys(values);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformedFilters();
  }
}

function malformedFilters(): AppError {
  return new AppError('invalidArgument', 'invalid filter');
}

const falseWords = ['', '0', 'no', 'false', 'none'];

/** Most booleans: whatever is not a known word for false is true. */
export function flag(query: URLSearchParams, name: string): boolean {
  return !falseWords.includes((query.get(name) ?? '').trim().toLowerCase());
}

const strictTrue = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const strictFalse = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

/** The few booleans that are read by Go's ParseBool; undefined when the text is none of its words. */
export function parseBool(text: string): boolean | undefined {
  if (strictTrue.includes(text)) return true;
  return strictFalse.includes(text) ? false : undefined;
}

/** A strict boolean whose absence means false; `invalid value for status: maybe: strconv.ParseBool: …`. */
export function strictFlag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  if (!text) return false;
  const value = parseBool(text);
  if (value === undefined) {
    throw new AppError('invalidArgument', `invalid value for ${name}: ${text}: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return value;
}

/** The `version` that an update must carry; `what` names the object in the message: `invalid service version 'abc': …`. */
export function objectVersion(query: URLSearchParams, what: string): number {
  const text = query.get('version') ?? '';
  if (/^\d+$/.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER) return Number(text);
  // Numbers that are too large for us but not for Go are no version of ours either: they fail as "out of sequence" there.
  if (/^\d{1,19}$/.test(text)) return Number.MAX_SAFE_INTEGER;
  const reason = /^\d+$/.test(text) ? 'value out of range' : 'invalid syntax';
  throw new AppError('invalidArgument', `invalid ${what} version '${text}': strconv.ParseUint: parsing ${JSON.stringify(text)}: ${reason}`);
}

/** The credentials of `X-Registry-Auth` (base64url of JSON) as they came; undefined when absent, empty or unreadable, as Docker treats them. */
export function registryAuthOf(header: string | readonly string[] | undefined): string | undefined {
  const value = typeof header === 'string' ? header : header?.[0];
  if (!value) return undefined;
  try {
    const credentials: unknown = JSON.parse(Buffer.from(value, 'base64url').toString('utf8'));
    return typeof credentials === 'object' && credentials !== null && Object.keys(credentials).length > 0 ? value : undefined;
  } catch {
    return undefined;
  }
}
