// Our description of a Compose file against the Compose Specification's own JSON schema: every key of one is in the other, and what the schema accepts loads.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { composeFile } from '#compose/schema/top-level.ts';
import type { Shape } from '#compose/schema/shape.ts';
import { readJson, skipWithoutSharedData } from './shared-lines.ts';

interface Schema {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly enum?: readonly string[];
}

/** Keys of the older formats that the specification has dropped and Docker's CLI knows. */
const ours: ReadonlySet<string> = new Set(['services.*.cgroupns_mode', 'services.*.volume_driver']);
/** Where a value may be anything for us, the schema's keys below are not looked at. */
const opaque = /^(models|services\.\*\.(models|provider|storage_opt))(\.|$)/;

describe('the Compose Specification', { skip: skipWithoutSharedData }, () => {
  const root = readJson<Schema>('compose-spec.json') ?? {};

  function resolve(schema: Schema): Schema {
    return schema.$ref === undefined ? schema : (root.definitions?.[schema.$ref.replace('#/definitions/', '')] ?? {});
  }

  /** All paths of keys that a schema knows; any name is "*". */
  function pathsOf(given: Schema, path: string, found = new Set<string>()): ReadonlySet<string> {
    const schema = resolve(given);
    if (opaque.test(path)) return found;
    for (const [key, below] of Object.entries(schema.properties ?? {})) {
      const inner = path === '' ? key : `${path}.${key}`;
      // `external: {name: …}` is written out as a name of its own.
      if (inner.endsWith('.external.name')) continue;
      found.add(inner);
      pathsOf(below, inner, found);
    }
    for (const [pattern, below] of Object.entries(schema.patternProperties ?? {})) if (pattern !== '^x-') pathsOf(below, `${path}.*`, found);
    for (const below of [...(schema.oneOf ?? []), ...(schema.items ? [schema.items] : [])]) pathsOf(below, path, found);
    return found;
  }

  function pathsOfShape(shape: Shape, path: string, found = new Set<string>()): ReadonlySet<string> {
    if (shape.kind === 'object') {
      for (const [key, below] of Object.entries(shape.keys)) {
        const inner = path === '' ? key : `${path}.${key}`;
        found.add(inner);
        if (!opaque.test(inner)) pathsOfShape(below, inner, found);
      }
    } else if (shape.kind === 'map') pathsOfShape(shape.of, `${path}.*`, found);
    else if (shape.kind === 'list') pathsOfShape(shape.of, path, found);
    else if (shape.kind === 'either') for (const one of shape.of) pathsOfShape(one, path, found);
    return found;
  }

  it('has no key that we do not know', () => {
    const known = pathsOfShape(composeFile, '');
    const wanted = pathsOf(root, '');
    assert.ok(wanted.size > 250, `${wanted.size} keys`);
    assert.deepEqual(
      [...wanted].filter((path) => !known.has(path) && !known.has(path.replaceAll('.*', ''))),
      [],
    );
  });

  it('knows every key of ours, apart from those of older formats', () => {
    const known = pathsOf(root, '');
    assert.deepEqual(
      [...pathsOfShape(composeFile, '')].filter((path) => !known.has(path) && !ours.has(path) && !opaque.test(path)),
      [],
    );
  });
});
