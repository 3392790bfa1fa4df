// The docker CLI's configuration of this user (~/.docker/config.json): credentials, the context in use, default formats. Shared with docker, so what we
// do not know in it is kept.
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, errorMessage } from '#lib/errors.ts';
import { fileReason } from './shared/file-error.ts';

export interface StoredAuth {
  readonly auth?: string;
  readonly identitytoken?: string;
}

export interface DockerConfigFile {
  readonly auths?: Readonly<Record<string, StoredAuth>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly currentContext?: string;
  readonly servicesFormat?: string;
  readonly nodesFormat?: string;
  readonly tasksFormat?: string;
  readonly secretFormat?: string;
  readonly configFormat?: string;
  readonly networksFormat?: string;
  readonly volumesFormat?: string;
  readonly psFormat?: string;
  readonly serviceInspectFormat?: string;
  readonly statsFormat?: string;
  readonly imagesFormat?: string;
  readonly pruneFilters?: readonly string[];
}

export interface DockerConfig {
  readonly folder: string;
  readonly values: DockerConfigFile;
  /** What is wrong with the file; what can be read of it holds all the same, as with docker. */
  readonly problem?: string;
  /** Writes the file anew with the change; only its owner can read it. Throws where the file could not be read: what is in it would be lost. */
  save(change: (values: DockerConfigFile) => DockerConfigFile): void;
}

export function readDockerConfig(folder: string): DockerConfig {
  const file = join(folder, 'config.json');
  const { values: read, problem } = readValues(file);
  let values = read;
  return {
    folder,
    get values() {
      return values;
    },
    ...(problem === undefined ? {} : { problem: `Error parsing config file (${file}): ${problem}` }),
    save(change) {
      if (problem !== undefined) throw new AppError('failedPrecondition', `${file} is not changed, because it cannot be read: ${problem}`);
      values = change(values);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const temporary = `${file}.skep-${process.pid}`;
      writeFileSync(temporary, `${JSON.stringify(values, undefined, '\t')}\n`, { mode: 0o600 });
      chmodSync(temporary, 0o600);
      renameSync(temporary, file);
    },
  };
}

interface Read {
  readonly values: DockerConfigFile;
  readonly problem?: string;
}

function readValues(file: string): Read {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return isMissing ? { values: {} } : { values: {}, problem: `open ${file}: ${fileReason(error)}` };
  }
  if (text.trim() === '') return { values: {} };
  try {
    return checked(JSON.parse(text));
  } catch (error) {
    return { values: {}, problem: errorMessage(error) };
  }
}

/** What has another form than it must have is left out, and named. */
function checked(value: unknown): Read {
  if (!isObject(value)) return { values: {}, problem: 'it is no JSON object' };
  const wrong = Object.entries(value).filter(([key, item]) => item !== null && !(forms.get(key)?.(item) ?? true));
  const values = Object.fromEntries(Object.entries(value).filter(([key, item]) => item !== null && !wrong.some(([other]) => other === key)));
  return { values, ...(wrong.length === 0 ? {} : { problem: `${wrong.map(([key]) => key).join(', ')}: not of the right type` }) };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown) => typeof value === 'string';

const forms: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ...['credsStore', 'currentContext', 'serviceInspectFormat'].map((key) => [key, isText] as const),
  ...['services', 'nodes', 'tasks', 'secret', 'config', 'networks', 'volumes', 'ps', 'stats', 'images'].map((noun) => [`${noun}Format`, isText] as const),
  ['auths', (value) => isObject(value) && Object.values(value).every(isObject)],
  ['credHelpers', (value) => isObject(value) && Object.values(value).every(isText)],
  ['pruneFilters', (value) => Array.isArray(value) && value.every(isText)],
]);
