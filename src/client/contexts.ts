// The contexts of this user: named ways to a daemon, as files that the docker CLI shares. Each lies under contexts/meta/<sha256 of its name>/meta.json, its
// TLS files under contexts/tls/<the same>/docker/. Which one is in use is in config.json, and not known here.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppError, errorMessage } from '#lib/errors.ts';

export interface DaemonContext {
  readonly Name: string;
  readonly Metadata: { readonly Description?: string };
  readonly Endpoints: { readonly docker?: { readonly Host?: string; readonly SkipTLSVerify: boolean } };
}

export const TLS_FILES = ['ca.pem', 'cert.pem', 'key.pem'] as const;
export type TlsFile = (typeof TLS_FILES)[number];

const NAME_PATTERN = /^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/;

export function checkContextName(name: string): void {
  if (name === '' || name === 'default')
    throw new AppError('invalidArgument', name === '' ? 'context name cannot be empty' : '"default" is a reserved context name');
  if (NAME_PATTERN.test(name)) return;
  throw new AppError('invalidArgument', `context name "${name}" is invalid, names are validated against regexp "${NAME_PATTERN.source}"`);
}

export function contextFolders(configFolder: string, name: string): { readonly metadata: string; readonly tls: string } {
  const id = createHash('sha256').update(name).digest('hex');
  return { metadata: join(configFolder, 'contexts', 'meta', id), tls: join(configFolder, 'contexts', 'tls', id) };
}

/** Throws AppError `notFound` in docker's words. */
export function readContext(configFolder: string, name: string): DaemonContext {
  const file = join(contextFolders(configFolder, name).metadata, 'meta.json');
  if (!existsSync(file)) throw new AppError('notFound', `context "${name}": context not found: open ${file}: no such file or directory`);
  return parse(file);
}

/** By name; a file that cannot be read is left out, so that one of them does not hide the others. */
export function listContexts(configFolder: string): readonly DaemonContext[] {
  const folder = join(configFolder, 'contexts', 'meta');
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).map((id) => join(folder, id, 'meta.json'));
  const found = files.filter(existsSync).flatMap((file) => {
    try {
      return [parse(file)];
    } catch {
      return [];
    }
  });
  return found.sort((a, b) => (a.Name < b.Name ? -1 : 1));
}

/** The names of the TLS files that a context has. */
export function tlsFilesOf(configFolder: string, name: string): readonly TlsFile[] {
  const { tls } = contextFolders(configFolder, name);
  return TLS_FILES.filter((file) => existsSync(join(tls, 'docker', file)));
}

/** What a context has of TLS files, those of other programs' endpoints too, by endpoint and name: `docker/ca.pem`. */
export function readTls(configFolder: string, name: string): ReadonlyMap<string, Uint8Array> {
  const { tls } = contextFolders(configFolder, name);
  if (!existsSync(tls)) return new Map();
  const paths = readdirSync(tls).flatMap((endpoint) => readdirSync(join(tls, endpoint)).map((file) => `${endpoint}/${file}`));
  return new Map(paths.toSorted().map((path) => [path, readFileSync(join(tls, path))]));
}

/** Takes the place of what is there under that name. `tls` is as readTls has it; keys are readable for their owner only. */
export function writeContext(configFolder: string, context: DaemonContext, tls: ReadonlyMap<string, Uint8Array>): void {
  const folders = contextFolders(configFolder, context.Name);
  removeContext(configFolder, context.Name);
  for (const [path, data] of tls) {
    mkdirSync(join(folders.tls, dirname(path)), { recursive: true, mode: 0o700 });
    writeFileSync(join(folders.tls, path), data, { mode: 0o600 });
  }
  mkdirSync(folders.metadata, { recursive: true, mode: 0o755 });
  writeFileSync(join(folders.metadata, 'meta.json'), JSON.stringify(context), { mode: 0o644 });
}

export function removeContext(configFolder: string, name: string): void {
  const { metadata, tls } = contextFolders(configFolder, name);
  for (const folder of [metadata, tls]) rmSync(folder, { recursive: true, force: true });
}

function parse(file: string): DaemonContext {
  try {
    const { Name, Metadata, Endpoints } = JSON.parse(readFileSync(file, 'utf8')) as Partial<DaemonContext>;
    return { Name: Name ?? '', Metadata: Metadata ?? {}, Endpoints: Endpoints ?? {} };
  } catch (error) {
    throw new AppError('invalidArgument', `cannot read ${file}: ${errorMessage(error)}`, { cause: error });
  }
}
