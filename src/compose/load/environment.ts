// A service's environment, labels and seccomp profile with their files read in, and variables that are only named taken from the caller's environment.
import { type ComposeNode, composeError, map, type MapEntry, type MapNode, type Mark, scalar, textAt, textOf, valueAt, withEntry } from '../yaml/node.ts';
import { absolutePath } from '../schema/forms.ts';
import { readText, readVariables, type Scope, type Session, shownPath } from './session.ts';
import { escapeTemplate, type Lookup } from './template.ts';

/**
 * The services with `environment` and `labels` complete, and seccomp profiles read in. The keys `env_file` and `label_file` stay; they are not printed.
 */
export function resolveFiles(session: Session, services: MapNode, { lookup, directory }: Scope): MapNode {
  const entries = new Map<string, MapEntry>();
  for (const [name, { mark, value }] of services.entries) {
    entries.set(name, {
      mark,
      value: value.kind === 'map' ? withEnvironment(session, withLabels(session, withProfiles(session, value, directory), lookup), lookup) : value,
    });
  }
  return { ...services, entries };
}

/** Without interpolation the text will be read as a template again. */
function written(session: Session, value: string): string {
  return session.interpolate ? value : escapeTemplate(value);
}

function withEnvironment(session: Session, service: MapNode, lookup: Lookup): MapNode {
  const files = valueAt(service, 'env_file');
  const own = valueAt(service, 'environment');
  const values = new Map<string, ComposeNode>();
  for (const file of files?.kind === 'list' ? files.items : []) {
    const path = textAt(file, 'path') ?? '';
    // Later files see the variables of earlier ones.
    const scope: Lookup = (name) => lookup(name) ?? known(values, name);
    const format = textAt(file, 'format');
    if (format !== undefined && format !== 'raw')
      throw composeError(valueAt(file, 'format')?.mark, `unsupported env_file format ${JSON.stringify(format)} (there is "raw")`);
    const variables = readVariables(session, path, scope, { format, from: file.mark });
    if (variables === undefined && textAt(file, 'required') !== 'false')
      throw composeError(file.mark, `open ${shownPath(session, path)}: no such file or directory`);
    for (const [name, value] of variables ?? []) {
      const found = value ?? lookup(name);
      if (found !== undefined) values.set(name, scalar(written(session, found), file.mark));
    }
  }
  for (const [name, { value }] of own?.kind === 'map' ? own.entries : []) {
    const isOnlyNamed = value.kind === 'scalar' && value.value === null && session.interpolate;
    const found = isOnlyNamed ? lookup(name) : undefined;
    values.set(name, found === undefined ? value : scalar(found, value.mark));
  }
  return values.size === 0 ? service : withEntry(service, 'environment', map(values, own?.mark ?? service.mark));
}

function known(values: ReadonlyMap<string, ComposeNode>, name: string): string | undefined {
  const value = values.get(name);
  return value?.kind === 'scalar' ? textOf(value) : undefined;
}

function withLabels(session: Session, service: MapNode, lookup: Lookup): MapNode {
  const files = valueAt(service, 'label_file');
  if (files?.kind !== 'list') return service;
  const labels = new Map<string, ComposeNode>();
  for (const file of files.items) {
    const path = file.kind === 'scalar' ? textOf(file) : '';
    const variables = readVariables(session, path, lookup, { from: file.mark });
    if (variables === undefined) throw composeError(file.mark, `open ${shownPath(session, path)}: no such file or directory`);
    for (const [name, value] of variables) labels.set(name, scalar(written(session, value ?? ''), file.mark));
  }
  const own = valueAt(service, 'labels');
  for (const [name, { value }] of own?.kind === 'map' ? own.entries : []) labels.set(name, value);
  return withEntry(service, 'labels', map(labels, own?.mark ?? files.mark));
}

const SECCOMP_FILE = /^seccomp[:=](?!unconfined$|\{)(.+)$/;

/** Nodes do not have the file: its text goes along, as with `docker run`. */
function withProfiles(session: Session, service: MapNode, directory: string): MapNode {
  const options = valueAt(service, 'security_opt');
  if (options?.kind !== 'list') return service;
  const items = options.items.map((item) => {
    const file = item.kind === 'scalar' ? SECCOMP_FILE.exec(textOf(item))?.[1] : undefined;
    if (file === undefined || (!session.interpolate && file.includes('$'))) return item;
    const path = absolutePath(file, directory, session.home);
    const text = readText(session, path, shownPath(session, path));
    if (text === undefined) throw composeError(item.mark, `opening seccomp profile (${shownPath(session, path)}) failed: no such file or directory`);
    return scalar(`seccomp:${written(session, compactJson(text, item.mark, file))}`, item.mark);
  });
  return withEntry(service, 'security_opt', { ...options, items });
}

function compactJson(text: string, mark: Mark, file: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    throw composeError(mark, `compacting json for seccomp profile (${file}) failed: it is not JSON`);
  }
}
