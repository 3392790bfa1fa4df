// Several files as one tree: each with its includes and extensions, later ones merged over earlier ones.
import { absolutePath } from '../schema/forms.ts';
import { composeFile, SECTIONS } from '../schema/top-level.ts';
import { equalSpecs } from '#lib/equal.ts';
import { type ComposeNode, composeError, map, type MapEntry, type MapNode, type Mark, textAt, textOf, toPlain, valueAt } from '../yaml/node.ts';
import { resolveExtends } from './extends.ts';
import { mergeNodes } from './merge.ts';
import { directoryOf, readComposeFile, type Scope, type Session, shownPath, variablesOf } from './session.ts';

/** Files that include files that include files. */
const MAX_INCLUDE_DEPTH = 20;

export interface FileSet {
  /** Absolute, or "-". */
  readonly paths: readonly string[];
  readonly scope: Scope;
  /** The files that include these, outermost first, and where. */
  readonly includedFrom: readonly string[];
  readonly from?: Mark;
}

/** Throws AppError. */
export function loadFiles(session: Session, { paths, scope, includedFrom, from }: FileSet): MapNode {
  let merged: MapNode | undefined;
  for (const path of paths) {
    if (includedFrom.includes(path)) {
      const cycle = [...includedFrom.slice(includedFrom.indexOf(path)), path].map((one) => shownPath(session, one));
      throw composeError(from, `include cycle detected: ${cycle.join(' -> ')}`);
    }
    if (includedFrom.length > MAX_INCLUDE_DEPTH) throw composeError(from, `includes are nested deeper than ${MAX_INCLUDE_DEPTH} files`);
    const own = readComposeFile(session, path, scope, from);
    const extended = resolveExtends(session, { path, scope, tree: own, earlier: merged });
    const complete = withIncludes(session, extended, { scope, includedFrom: [...includedFrom, path] });
    merged = merged === undefined ? complete : (mergeNodes(merged, complete, composeFile) as MapNode);
  }
  return merged ?? map([], { file: '', line: 1, column: 1 });
}

/** The tree with what it includes; the `include` key is gone. A name that both have is a mistake unless both say the same. */
function withIncludes(session: Session, tree: MapNode, { scope, includedFrom }: Pick<FileSet, 'scope' | 'includedFrom'>): MapNode {
  const includes = tree.entries.get('include')?.value;
  const entries = new Map(tree.entries);
  entries.delete('include');
  let merged: MapNode = { ...tree, entries };
  for (const include of includes?.kind === 'list' ? includes.items : []) {
    merged = withIncluded(merged, loadIncluded(session, include, { scope, includedFrom }));
  }
  return merged;
}

function loadIncluded(session: Session, include: ComposeNode, { scope, includedFrom }: Pick<FileSet, 'scope' | 'includedFrom'>): MapNode {
  const paths = textsAt(include, 'path');
  const remote = paths.find((path) => /^[a-z+]+:\/\/|^git@|^oci:/.test(path));
  if (remote !== undefined) throw composeError(include.mark, `include ${JSON.stringify(remote)}: only files can be included, not remote resources`);
  const absolute = paths.map((path) => absolutePath(path, scope.directory, session.home));
  const projectDirectory = textAt(include, 'project_directory');
  const directory =
    projectDirectory === undefined ? directoryOf(absolute[0] ?? scope.directory) : absolutePath(projectDirectory, scope.directory, session.home);
  const envFiles =
    valueAt(include, 'env_file') === undefined ? undefined : textsAt(include, 'env_file').map((path) => absolutePath(path, scope.directory, session.home));
  const lookup = variablesOf(session, scope.lookup, directory, envFiles, include.mark);
  return loadFiles(session, { paths: absolute, scope: { directory, lookup }, includedFrom, from: include.mark });
}

function textsAt(node: ComposeNode, key: string): readonly string[] {
  const found = valueAt(node, key);
  return found?.kind === 'list' ? found.items.flatMap((item) => (item.kind === 'scalar' ? [textOf(item)] : [])) : [];
}

function withIncluded(tree: MapNode, included: MapNode): MapNode {
  const entries = new Map(tree.entries);
  for (const section of SECTIONS) {
    const added = included.entries.get(section);
    if (added?.value.kind !== 'map') continue;
    const own = entries.get(section);
    entries.set(section, { mark: own?.mark ?? added.mark, value: own?.value.kind === 'map' ? withResources(own.value, added.value, section) : added.value });
  }
  return { ...tree, entries };
}

function withResources(own: MapNode, added: MapNode, section: string): MapNode {
  const entries = new Map<string, MapEntry>(own.entries);
  for (const [name, entry] of added.entries) {
    const known = own.entries.get(name);
    if (known !== undefined && !equalSpecs(toPlain(known.value), toPlain(entry.value))) {
      throw composeError(known.mark, `${section}.${name} conflicts with imported resource (${entry.mark.file}:${entry.mark.line})`);
    }
    if (known === undefined) entries.set(name, entry);
  }
  return { ...own, entries };
}
