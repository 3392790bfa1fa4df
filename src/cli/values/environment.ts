// `--env` and `--env-file`.
import { readFileSync } from 'node:fs';
import { AppError } from '#lib/errors.ts';
import { fileError } from '../shared/file-error.ts';

export function parseEnvironment(text: string): string {
  if (text === '' || text.startsWith('=')) throw new Error(`invalid environment variable: ${text}`);
  return text;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** `NAME` alone takes the caller's value; it stays as it is when there is none. */
export function withValue(variable: string, environment: Environment): string {
  if (variable.includes('=')) return variable;
  const value = environment[variable];
  return value === undefined ? variable : `${variable}=${value}`;
}

/** Lines of files, then the variables given by themselves; a later one of the same name replaces an earlier one. */
export function environmentOf(files: readonly string[], variables: readonly string[], environment: Environment): string[] {
  const all = [...files.flatMap((file) => readEnvironmentFile(file, environment)), ...variables.map((variable) => withValue(variable, environment))];
  const result: string[] = [];
  for (const variable of all) {
    const name = variable.split('=')[0] ?? '';
    const known = result.findIndex((other) => other.startsWith(`${name}=`));
    if (known >= 0 && result[known] !== variable) result.splice(known, 1);
    if (known < 0 || result[known] !== variable) result.push(variable);
  }
  return result;
}

function readEnvironmentFile(file: string, environment: Environment): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw fileError('open', file, cause);
  }
  return text.split('\n').flatMap((line) => {
    const content = line.replace(/^\s+/, '').replace(/\r$/, '');
    if (content === '' || content.startsWith('#')) return [];
    const equals = content.indexOf('=');
    const name = (equals < 0 ? content : content.slice(0, equals)).trimEnd();
    if (/\s/.test(name)) throw new AppError('invalidArgument', `invalid env file (${file}): variable '${name}' contains whitespaces`);
    if (name === '') throw new AppError('invalidArgument', `invalid env file (${file}): no variable name on line '${content}'`);
    if (equals >= 0) return [`${name}=${content.slice(equals + 1)}`];
    return environment[name] === undefined ? [] : [`${name}=${environment[name]}`];
  });
}
