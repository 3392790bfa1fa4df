// Compose files → a project. The order: variables, files (parse, replace variables, check, extend, include, merge), then environment files, profiles, order.
import type { Project } from '../project.ts';
import { absolutePath } from '../schema/forms.ts';
import type { ComposeWarning } from '../stack.ts';
import { composeError, type MapNode, withEntry } from '../yaml/node.ts';
import { refuseCycles, selectProfiles } from './dependencies.ts';
import { resolveFiles } from './environment.ts';
import { loadFiles } from './files.ts';
import { stripTags } from './merge.ts';
import { type ComposeReader, directoryOf, type Scope, type Session, variablesOf } from './session.ts';
import type { Lookup } from './template.ts';
import { type Marks, toProject } from './tidy.ts';

export interface LoadOptions {
  /** As the user gave them, relative to `workingDirectory`; "-" is the standard input. Later files win. */
  readonly files: readonly string[];
  /** Absolute. */
  readonly workingDirectory: string;
  readonly reader: ComposeReader;
  /** The caller's environment variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Files of variables; default: `.env` beside the first file, if it is there. The environment wins over them. */
  readonly envFiles?: readonly string[];
  /** Services with profiles are left out unless one of theirs is named here (`*`: all) or in COMPOSE_PROFILES. */
  readonly profiles?: readonly string[];
  /** False: `$…` stays as it is. Such a project can be printed, not converted. */
  readonly interpolate?: boolean;
}

export interface LoadedProject {
  readonly project: Project;
  /** Where values were written, by path ("services.web.ports.0"). */
  readonly marks: Marks;
  readonly warnings: readonly ComposeWarning[];
  /** What the relative paths of the first file are relative to. */
  readonly directory: string;
  readonly interpolated: boolean;
  /** What a variable means, with `.env` and `--env-file`: for secrets and configs of `environment:`. */
  readonly variable: Lookup;
}

/** Throws AppError with file, line and column of each mistake. */
export function loadProject(options: LoadOptions): LoadedProject {
  const { files, workingDirectory, environment } = options;
  if (files.length === 0) throw composeError(undefined, 'Specify a Compose file (with --compose-file)');
  const own: Lookup = (name) => (Object.hasOwn(environment, name) ? environment[name] : undefined);
  const warnings = new Map<string, ComposeWarning>();
  const session: Session = {
    reader: options.reader,
    interpolate: options.interpolate ?? true,
    home: own('HOME'),
    workingDirectory,
    warn: (warning) => warnings.set(`${warning.kind} ${warning.service ?? ''} ${warning.message}`, warning),
  };
  const paths = files.map((file) => (file === '-' ? '-' : absolutePath(file, workingDirectory, undefined)));
  const directory = paths[0] === undefined || paths[0] === '-' ? workingDirectory : directoryOf(paths[0]);
  const envFiles = options.envFiles?.map((file) => absolutePath(file, workingDirectory, session.home));
  const lookup = variablesOf(session, own, directory, envFiles);
  const merged = stripTags(loadFiles(session, { paths, scope: { directory, lookup }, includedFrom: [] })) as MapNode;
  const complete = completeServices(session, merged, { scope: { lookup, directory }, profiles: activeProfiles(options.profiles, lookup) });
  return { ...toProject(complete), warnings: [...warnings.values()], directory, interpolated: session.interpolate, variable: lookup };
}

/** Where none is named, the empty name is: `profiles: ['', x]` means x, or when nothing else is said. */
function activeProfiles(given: readonly string[] | undefined, lookup: Lookup): ReadonlySet<string> {
  const fromEnvironment = (lookup('COMPOSE_PROFILES') ?? '').split(',').map((profile) => profile.trim());
  const named = [...(given ?? []), ...fromEnvironment].filter((profile) => profile !== '');
  return new Set(named.length === 0 ? [''] : named);
}

function completeServices(session: Session, root: MapNode, { scope, profiles }: { readonly scope: Scope; readonly profiles: ReadonlySet<string> }): MapNode {
  const services = root.entries.get('services')?.value;
  if (services?.kind !== 'map') return root;
  const selected = selectProfiles(services, profiles);
  refuseCycles(selected);
  return withEntry(root, 'services', resolveFiles(session, selected, scope));
}
