// Checks a tree against a shape, and writes it in its long, typed form. Complaints are in the words of Docker's own schema check, after the place.
import { nearestWord } from '#lib/nearest.ts';
import { type ComposeNode, isNull, list, type MapEntry, type MapNode, type ScalarNode, scalar, textOf, withTag } from '../yaml/node.ts';
import type { CheckContext, EitherShape, ListShape, MapShape, ObjectShape, ScalarShape, Shape } from './shape.ts';

/** The value in canonical form, or undefined when a mistake in it was reported. A value tagged `!reset` is not looked at. */
export function check(node: ComposeNode, shape: Shape, path: string, context: CheckContext): ComposeNode | undefined {
  if (node.tag === 'reset') return node;
  if (isTemplate(node, context) && takesText(shape)) return node;
  const long = shape.expand ? shape.expand(node, path, context) : node;
  if (long === undefined) return undefined;
  const checked = checkForm(long, shape, path, context);
  const finished = checked === undefined || shape.finish === undefined ? checked : shape.finish(checked, path, context);
  return finished && withTag(finished, node.tag);
}

/** Whether the value still holds a `$` that nobody replaced, so that nothing can be said of its form. */
export function isTemplate(node: ComposeNode, { interpolated }: CheckContext): boolean {
  return !interpolated && node.kind === 'scalar' && typeof node.value === 'string' && node.value.includes('$');
}

/** Whether a text can stand here, be it for something longer. */
function takesText(shape: Shape): boolean {
  return shape.expand !== undefined || (shape.kind !== 'object' && shape.kind !== 'map' && shape.kind !== 'list');
}

export function joinPath(path: string, key: string | number): string {
  return path === '' ? String(key) : `${path}.${key}`;
}

function checkForm(node: ComposeNode, shape: Shape, path: string, context: CheckContext): ComposeNode | undefined {
  switch (shape.kind) {
    case 'any':
      return node;
    case 'object':
      return checkObject(node, shape, path, context);
    case 'map':
      return checkMap(node, shape, path, context);
    case 'list':
      return checkList(node, shape, path, context);
    case 'either':
      return checkEither(node, shape, path, context);
    default:
      return checkScalar(node, shape, path, context);
  }
}

function complain(node: ComposeNode, path: string, problem: string, { report }: CheckContext): undefined {
  report(node.mark, `${path === '' ? '(root)' : path} ${problem}`);
  return undefined;
}

function checkObject(node: ComposeNode, shape: ObjectShape, path: string, context: CheckContext): ComposeNode | undefined {
  if (isNull(node) && shape.nullable) return { kind: 'map', mark: node.mark, entries: new Map() };
  if (node.kind !== 'map') return complain(node, path, 'must be a mapping', context);
  const entries = new Map<string, MapEntry>();
  for (const [key, { mark, value }] of node.entries) {
    const known = Object.hasOwn(shape.keys, key) ? shape.keys[key] : undefined;
    if (known === undefined) {
      if (shape.extensions && key.startsWith('x-')) entries.set(key, { mark, value });
      else context.report(mark, unknownKey(path, key, Object.keys(shape.keys)));
      continue;
    }
    // What is taken away needs no value, and `check` looks at none.
    if (value.tag === 'reset') {
      entries.set(key, { mark, value });
      continue;
    }
    if (isNull(value) && known.kind === 'list' && known.nullable === true) continue;
    // A key without a value says nothing, except where null means something.
    if (isNull(value) && !takesNull(known)) {
      if (known.kind === 'object' || known.kind === 'map' || known.kind === 'list')
        complain(value, joinPath(path, key), `must be a ${known.kind === 'list' ? 'list' : 'mapping'}`, context);
      continue;
    }
    const checked = check(value, known, joinPath(path, key), context);
    if (checked !== undefined) entries.set(key, { mark, value: checked });
  }
  for (const key of shape.required ?? []) if (isMissing(node.entries.get(key)?.value)) context.report(node.mark, `${path} ${key} is required`);
  return { ...node, entries };
}

function isMissing(value: ComposeNode | undefined): boolean {
  return value === undefined || (value.kind === 'scalar' && (value.value === null || value.value === ''));
}

function takesNull(shape: Shape): boolean {
  if (shape.kind === 'any') return true;
  if (shape.kind === 'object') return shape.nullable === true;
  if (shape.kind === 'either') return shape.of.some(takesNull);
  return shape.expand !== undefined || ('accepts' in shape && (shape.accepts?.includes('null') ?? false));
}

function unknownKey(path: string, key: string, known: readonly string[]): string {
  const near = nearestWord(key, known);
  return `${path === '' ? '(root)' : path} Additional property ${key} is not allowed${near === undefined ? '' : ` (did you mean ${JSON.stringify(near)}?)`}`;
}

function checkMap(node: ComposeNode, shape: MapShape, path: string, context: CheckContext): MapNode | undefined {
  if (node.kind !== 'map') return complain(node, path, 'must be a mapping', context);
  const entries = new Map<string, MapEntry>();
  for (const [key, { mark, value }] of node.entries) {
    if (shape.extensions && key.startsWith('x-')) entries.set(key, { mark, value });
    else if (shape.keyPattern && !shape.keyPattern.test(key)) context.report(mark, `${path} Additional property ${key} is not allowed`);
    else {
      const checked = check(value, shape.of, joinPath(path, key), context);
      if (checked !== undefined) entries.set(key, { mark, value: checked });
    }
  }
  return { ...node, entries };
}

function checkList(node: ComposeNode, shape: ListShape, path: string, context: CheckContext): ComposeNode | undefined {
  if (node.kind !== 'list') return complain(node, path, 'must be a list', context);
  const items = node.items.flatMap((item, index) => {
    const itemPath = joinPath(path, index);
    if (isTemplate(item, context)) return [item];
    const expanded = shape.expandItem ? shape.expandItem(item, itemPath, context) : [item];
    return expanded.flatMap((one) => check(one, shape.of, itemPath, context) ?? []);
  });
  return withTag(list(shape.keyOf ? uniqueBy(items, shape.keyOf) : items, node.mark), node.tag);
}

/** Later items take the place of earlier ones with the same key. */
export function uniqueBy(items: readonly ComposeNode[], keyOf: (node: ComposeNode) => string): readonly ComposeNode[] {
  const byKey = new Map<string, ComposeNode>();
  for (const item of items) byKey.set(keyOf(item), item);
  return [...byKey.values()];
}

function checkEither(node: ComposeNode, shape: EitherShape, path: string, context: CheckContext): ComposeNode | undefined {
  const fitting = shape.of.find((candidate) => fits(node, candidate));
  return fitting === undefined ? complain(node, path, shape.says, context) : check(node, fitting, path, context);
}

function fits(node: ComposeNode, shape: Shape): boolean {
  if (shape.kind === 'any') return true;
  if (shape.kind === 'object' || shape.kind === 'map') return node.kind === 'map' || (isNull(node) && shape.kind === 'object' && shape.nullable === true);
  if (shape.kind === 'list') return node.kind === 'list';
  if (shape.kind === 'either') return shape.of.some((one) => fits(node, one));
  if (node.kind !== 'scalar') return false;
  if (node.value === null) return shape.accepts?.includes('null') ?? false;
  if (shape.kind === 'string')
    return typeof node.value === 'string' || (typeof node.value !== 'object' && (shape.accepts?.includes(typeof node.value as 'number') ?? false));
  return typeof node.value === 'string' || typeof node.value === (shape.kind === 'boolean' ? 'boolean' : 'number');
}

function checkScalar(node: ComposeNode, shape: ScalarShape, path: string, context: CheckContext): ComposeNode | undefined {
  if (node.kind !== 'scalar') return complain(node, path, shape.says ?? `must be a ${shape.kind}`, context);
  if (node.value === null && shape.accepts?.includes('null')) return node;
  switch (shape.kind) {
    case 'string':
      return checkText(node, shape, path, context);
    case 'boolean':
      return typeof node.value === 'string'
        ? castBoolean(node, path, context)
        : typeof node.value === 'boolean'
          ? node
          : complain(node, path, 'must be a boolean', context);
    default:
      return checkNumber(node, shape, path, context);
  }
}

function checkText(node: ScalarNode, shape: ScalarShape, path: string, context: CheckContext): ComposeNode | undefined {
  const type = typeof node.value;
  const isTaken = type === 'string' || ((type === 'number' || type === 'boolean') && (shape.accepts?.includes(type) ?? false));
  if (!isTaken) return complain(node, path, shape.says ?? 'must be a string', context);
  const value = textOf(node);
  if (shape.oneOf && !shape.oneOf.includes(value)) {
    return complain(node, path, `must be one of the following: ${shape.oneOf.map((word) => JSON.stringify(word)).join(', ')}`, context);
  }
  return scalar(value, node.mark);
}

const BOOLEANS: Readonly<Record<string, boolean>> = { true: true, yes: true, y: true, on: true, false: false, no: false, n: false, off: false };

function castBoolean(node: ScalarNode, path: string, { report }: CheckContext): ComposeNode | undefined {
  const word = String(node.value).toLowerCase();
  const value = Object.hasOwn(BOOLEANS, word) ? BOOLEANS[word] : undefined;
  if (value !== undefined) return scalar(value, node.mark);
  report(node.mark, `error while interpolating ${path}: failed to cast to expected type: invalid boolean: ${String(node.value)}`);
  return undefined;
}

function checkNumber(node: ScalarNode, shape: ScalarShape, path: string, context: CheckContext): ComposeNode | undefined {
  const isInteger = shape.kind === 'integer';
  if (typeof node.value === 'number') {
    return isInteger && !Number.isInteger(node.value) ? complain(node, path, 'must be a integer', context) : scalar(node.value, node.mark);
  }
  if (typeof node.value !== 'string') return complain(node, path, `must be a ${shape.kind}`, context);
  const pattern = isInteger ? /^[-+]?[0-9]+$/ : /^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$/;
  if (pattern.test(node.value)) return scalar(Number(node.value), node.mark);
  const parser = isInteger ? 'strconv.Atoi' : 'strconv.ParseFloat';
  context.report(
    node.mark,
    `error while interpolating ${path}: failed to cast to expected type: ${parser}: parsing ${JSON.stringify(node.value)}: invalid syntax`,
  );
  return undefined;
}
