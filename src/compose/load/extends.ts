// `extends`: a service that begins as a copy of another, of the same file, of one before it, or of some other file.
import { absolutePath } from '../schema/forms.ts';
import { service as serviceShape } from '../schema/service.ts';
import { composeError, type MapEntry, type MapNode, type Mark, textAt, valueAt, withEntry } from '../yaml/node.ts';
import { mergeNodes } from './merge.ts';
import { directoryOf, readComposeFile, type Scope, type Session, shownPath } from './session.ts';

export interface ExtendsInput {
  readonly path: string;
  readonly scope: Scope;
  readonly tree: MapNode;
  /** The files before this one, merged. */
  readonly earlier: MapNode | undefined;
}

interface Resolver {
  readonly session: Session;
  /** Files that were read to take a service from them, by path. */
  readonly others: Map<string, ExtendsInput>;
}

/** The tree with every service complete and no `extends` left. Throws AppError for services and files that are not there, and for circles. */
export function resolveExtends(session: Session, input: ExtendsInput): MapNode {
  const services = input.tree.entries.get('services')?.value;
  if (services?.kind !== 'map') return input.tree;
  const resolver: Resolver = { session, others: new Map([[input.path, input]]) };
  const entries = new Map<string, MapEntry>();
  for (const [name, { mark, value }] of services.entries) {
    entries.set(name, { mark, value: value.kind === 'map' ? resolveService(resolver, input, name, { node: value, chain: [] }) : value });
  }
  return withEntry(input.tree, 'services', { ...services, entries });
}

interface Step {
  readonly node: MapNode;
  /** The services that extend this one, outermost first. */
  readonly chain: readonly string[];
}

function resolveService(resolver: Resolver, input: ExtendsInput, name: string, { node, chain }: Step): MapNode {
  const wanted = valueAt(node, 'extends');
  const id = `${input.path}#${name}`;
  if (chain.includes(id)) {
    const circle = [...chain.slice(chain.indexOf(id)), id].map((one) => one.slice(one.indexOf('#') + 1));
    throw composeError(wanted?.mark ?? node.mark, `circular reference: service ${circle.join(' extends ')}`);
  }
  if (wanted === undefined || wanted.kind !== 'map') return node;
  const base = resolveBase(resolver, input, name, { extended: wanted, chain: [...chain, id] });
  const entries = new Map(node.entries);
  entries.delete('extends');
  return mergeNodes(base, { ...node, entries }, serviceShape) as MapNode;
}

function resolveBase(
  resolver: Resolver,
  input: ExtendsInput,
  name: string,
  { extended, chain }: { readonly extended: MapNode; readonly chain: readonly string[] },
): MapNode {
  const { session } = resolver;
  const file = textAt(extended, 'file');
  const serviceName = textAt(extended, 'service') ?? '';
  const source = file === undefined ? input : otherFile(resolver, input, absolutePath(file, input.scope.directory, session.home), extended.mark);
  const own = valueAt(source.tree, 'services', serviceName);
  if (own?.kind === 'map') return resolveService(resolver, source, serviceName, { node: own, chain });
  const earlier = file === undefined ? valueAt(input.earlier, 'services', serviceName) : undefined;
  if (earlier?.kind === 'map') return earlier;
  const shown = source.path === '-' ? '-' : shownPath(session, source.path);
  throw composeError(extended.mark, `cannot extend service ${JSON.stringify(name)} in ${shown}: service ${JSON.stringify(serviceName)} not found`);
}

/** Paths in another file are relative to that file; its variables are ours. */
function otherFile(resolver: Resolver, input: ExtendsInput, path: string, from: Mark): ExtendsInput {
  const known = resolver.others.get(path);
  if (known !== undefined) return known;
  const scope: Scope = { directory: directoryOf(path), lookup: input.scope.lookup };
  const read: ExtendsInput = { path, scope, tree: readComposeFile(resolver.session, path, scope, from), earlier: undefined };
  resolver.others.set(path, read);
  return read;
}
