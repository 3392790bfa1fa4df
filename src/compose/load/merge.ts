// Merging of checked trees by the Compose Specification's rules: maps by key, lists appended, some values replaced, and `!reset` and `!override`.
// Both sides are in their long form, so that "80:80" and {target: 80, published: 80} are seen to be the same port.
import { uniqueBy } from '../schema/check.ts';
import type { Shape } from '../schema/shape.ts';
import { type ComposeNode, isNull, type MapEntry, type MapNode, textAt, withTag } from '../yaml/node.ts';

/**
 * `over` on top of `base`. Tags stay on what they were written at, so that a merged result can be merged onto something else (a service that extends
 * another, in the second of two files); `stripTags` takes them off at the end.
 */
export function mergeNodes(base: ComposeNode, over: ComposeNode, shape: Shape | undefined): ComposeNode {
  if (over.tag !== undefined || base.tag === 'reset') return over;
  const merged = mergeUntagged(base, over, shape);
  return withTag(merged, base.tag);
}

function mergeUntagged(base: ComposeNode, over: ComposeNode, shape: Shape | undefined): ComposeNode {
  if (shape?.kind === 'either')
    return mergeUntagged(
      base,
      over,
      shape.of.find((one) => one.kind === over.kind || (over.kind === 'map' && one.kind === 'object')),
    );
  if (shape?.merge === 'replace') return over;
  if (base.kind === 'map' && over.kind === 'map') return shape?.merge === 'logging' ? mergeLogging(base, over, shape) : mergeMaps(base, over, shape);
  if (base.kind === 'list' && over.kind === 'list') {
    const items = [...base.items, ...over.items];
    return { ...over, items: shape?.kind === 'list' && shape.keyOf ? uniqueBy(items, shape.keyOf) : items };
  }
  // A key that is only named takes nothing away from a mapping: `networks: {front: }`.
  return isNull(over) && base.kind === 'map' ? base : over;
}

function mergeMaps(base: MapNode, over: MapNode, shape: Shape | undefined): MapNode {
  const entries = new Map<string, MapEntry>(base.entries);
  for (const [key, entry] of over.entries) {
    const known = base.entries.get(key);
    const value = known === undefined || key.startsWith('x-') ? entry.value : mergeNodes(known.value, entry.value, shapeOf(shape, key));
    entries.set(key, { mark: entry.mark, value });
  }
  return { ...base, entries };
}

/** Options are those of one driver: with another driver they all go. */
function mergeLogging(base: MapNode, over: MapNode, shape: Shape): MapNode {
  const before = textAt(base, 'driver');
  const after = textAt(over, 'driver');
  const isSame = before === undefined || after === undefined || before === after;
  return isSame ? mergeMaps(base, over, shape) : over;
}

function shapeOf(shape: Shape | undefined, key: string): Shape | undefined {
  if (shape?.kind === 'object') return Object.hasOwn(shape.keys, key) ? shape.keys[key] : undefined;
  return shape?.kind === 'map' ? shape.of : undefined;
}

/** The tree without tags, and without what is tagged `!reset`. */
export function stripTags(node: ComposeNode): ComposeNode | undefined {
  if (node.tag === 'reset') return undefined;
  const { tag: _tag, ...bare } = node;
  if (bare.kind === 'scalar') return bare;
  if (bare.kind === 'list') return { ...bare, items: bare.items.flatMap((item) => stripTags(item) ?? []) };
  const entries = new Map<string, MapEntry>();
  for (const [key, { mark, value }] of bare.entries) {
    const stripped = stripTags(value);
    if (stripped !== undefined) entries.set(key, { mark, value: stripped });
  }
  return { ...bare, entries };
}
