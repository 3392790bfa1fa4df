// A merged tree as a project: keys in the order of the description, and without what says nothing.
import type { Project } from '../project.ts';
import type { ObjectShape, Shape } from '../schema/shape.ts';
import { composeFile } from '../schema/top-level.ts';
import { type ComposeNode, type Mark, toPlain } from '../yaml/node.ts';

/** Where each value was written: "services.web.ports.0" → its mark. */
export type Marks = ReadonlyMap<string, Mark>;

export function toProject(root: ComposeNode): { readonly project: Project; readonly marks: Marks } {
  const marks = new Map<string, Mark>();
  const plain = tidy(root, composeFile, '', marks);
  return { project: { services: {}, ...(plain as object) } as Project, marks };
}

function tidy(node: ComposeNode, shape: Shape | undefined, path: string, marks: Map<string, Mark>): unknown {
  marks.set(path, node.mark);
  const below = (key: string | number) => (path === '' ? String(key) : `${path}.${key}`);
  if (shape?.kind === 'either') return tidy(node, formOf(node, shape.of), path, marks);
  if (node.kind === 'list') return node.items.map((item, index) => tidy(item, shape?.kind === 'list' ? shape.of : undefined, below(index), marks));
  if (node.kind === 'scalar' || shape === undefined) return toPlain(node);
  if (shape.kind === 'map') {
    const keys = [...node.entries.keys()].sort((a, b) => (a < b ? -1 : 1));
    return fromEntries(
      keys.map((key) => [key, tidy(node.entries.get(key)?.value ?? node, key.startsWith('x-') && shape.extensions ? undefined : shape.of, below(key), marks)]),
    );
  }
  if (shape.kind !== 'object') return toPlain(node);
  return tidyObject(node, shape, below, marks);
}

function tidyObject(node: ComposeNode & { kind: 'map' }, shape: ObjectShape, below: (key: string) => string, marks: Map<string, Mark>): unknown {
  const known = Object.keys(shape.keys).filter((key) => node.entries.has(key));
  const others = [...node.entries.keys()].filter((key) => !Object.hasOwn(shape.keys, key));
  const pairs = [...known, ...others.sort()].flatMap((key): (readonly [string, unknown])[] => {
    const entry = node.entries.get(key);
    if (entry === undefined) return [];
    const keyShape = Object.hasOwn(shape.keys, key) ? shape.keys[key] : undefined;
    const value = tidy(entry.value, keyShape, below(key), marks);
    return keyShape !== undefined && saysNothing(value, keyShape) ? [] : [[key, value]];
  });
  return fromEntries(pairs);
}

function formOf(node: ComposeNode, shapes: readonly Shape[]): Shape | undefined {
  return shapes.find((shape) => (node.kind === 'map' ? shape.kind === 'object' || shape.kind === 'map' : node.kind === 'list' ? shape.kind === 'list' : true));
}

function saysNothing(value: unknown, shape: Shape): boolean {
  if (value === null || value === '') return true;
  if (value === false) return 'dropFalse' in shape && (shape.dropFalse ?? false);
  if (typeof value !== 'object' || shape.kind === 'any') return false;
  if (shape.kind === 'object' && shape.keepEmpty) return false;
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}

/** Also for a key called "__proto__". */
function fromEntries(pairs: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(pairs);
}
