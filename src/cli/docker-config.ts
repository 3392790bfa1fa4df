// The docker CLI's configuration of this user (~/.docker/config.json): credentials, the context in use, default formats. Shared with docker, so what we
// do not know in it is kept.
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, errorMessage } from '#lib/errors.ts';

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
  /** Writes the file anew with the change; only its owner can read it. */
  save(change: (values: DockerConfigFile) => DockerConfigFile): void;
}

export function readDockerConfig(folder: string): DockerConfig {
  const file = join(folder, 'config.json');
  let values: DockerConfigFile = {};
  if (existsSync(file)) {
    try {
      values = JSON.parse(readFileSync(file, 'utf8')) as DockerConfigFile;
    } catch (error) {
      throw new AppError('invalidArgument', `cannot read ${file}: ${errorMessage(error)}`, { cause: error });
    }
  }
  return {
    folder,
    values,
    save(change) {
      values = change(values);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const temporary = `${file}.skep-${process.pid}`;
      writeFileSync(temporary, `${JSON.stringify(values, undefined, '\t')}\n`, { mode: 0o600 });
      chmodSync(temporary, 0o600);
      renameSync(temporary, file);
    },
  };
}
