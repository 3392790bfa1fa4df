// Compose files from this machine's files and standard input.
import { readFileSync } from 'node:fs';
import { type ComposeReader, formatWarnings, type LoadedProject, loadProject, type ResolvedStack } from '#compose/index.ts';
import { AppError } from '#lib/errors.ts';
import type { FlagSpec, Invocation } from '../command.ts';
import { commaSeparated } from '../shared/options.ts';

export const composeFlags: readonly FlagSpec[] = [
  { name: 'compose-file', short: 'c', type: 'strings', description: 'Path to a Compose file, or "-" to read from stdin' },
  { name: 'env-file', type: 'strings', description: 'File of variables for the Compose files; default: .env beside the first of them' },
  { name: 'profile', type: 'strings', description: 'Profile of services to deploy too' },
];

export interface Loaded {
  readonly project: LoadedProject;
  readonly reader: ComposeReader;
}

/** Throws AppError with the place in the file. */
export function load({ flags, context }: Invocation, files: readonly string[], interpolate = true): Loaded {
  let stdin: Buffer | undefined;
  const reader: ComposeReader = {
    read(path) {
      if (path === '-') return (stdin ??= readFileSync(0));
      try {
        return readFileSync(path);
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? error.code : undefined;
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
        // Docker's words.
        if (code === 'EISDIR') throw new AppError('invalidArgument', `read ${path}: is a directory`, { cause: error });
        if (code === 'EACCES') throw new AppError('permissionDenied', `open ${path}: permission denied`, { cause: error });
        throw error;
      }
    },
  };
  const lists = (name: string) => commaSeparated(flags, name);
  const project = loadProject({
    files,
    workingDirectory: context.workingDirectory,
    reader,
    environment: context.environment,
    interpolate,
    ...(flags.has('env-file') ? { envFiles: lists('env-file') } : {}),
    ...(flags.has('profile') ? { profiles: lists('profile') } : {}),
  });
  return { project, reader };
}

/** Files of `-c`, each of which may name several with commas. */
export function composeFiles({ flags }: Invocation): readonly string[] {
  return flags.texts('compose-file').flatMap((text) => text.split(','));
}

export function warn({ context }: Invocation, { warnings }: Pick<ResolvedStack, 'warnings'>): void {
  context.stderr.write(formatWarnings(warnings));
}
