// The form of a whole Compose file: its sections, and what is declared in each of them besides services.
import { map, scalar, textAt, withEntry, isNull, type ComposeNode } from '../yaml/node.ts';
import { filePath, options, pairs, wordOrWords } from './forms.ts';
import { service } from './service.ts';
import { anything, boolean, type CheckContext, either, type Expand, flag, listOf, mapOf, object, type ObjectShape, string } from './shape.ts';

export const NAME_PATTERN = /^[a-zA-Z0-9._-]+$/;
const sections = { keyPattern: NAME_PATTERN, extensions: true };

/** `external: {name: x}`, the old form, means `external: true` and `name: x`. */
function externalName(kind: string): Expand {
  return (node, path, context) => {
    const external = node.kind === 'map' ? node.entries.get('external')?.value : undefined;
    if (node.kind !== 'map' || external?.kind !== 'map') return node;
    return withExternalName(node, external, { kind, key: path.split('.').slice(1).join('.') }, context);
  };
}

function withExternalName(
  node: ComposeNode & { kind: 'map' },
  external: ComposeNode & { kind: 'map' },
  { kind, key }: { readonly kind: string; readonly key: string },
  { report, warn }: CheckContext,
): ComposeNode {
  const named = external.entries.get('name')?.value;
  const flagged = withEntry(node, 'external', scalar(true, external.mark));
  if (named === undefined) return flagged;
  if (node.entries.has('name')) {
    report(external.mark, `${kind} ${key}: ${kind}.external.name and ${kind}.name conflict; only use ${kind}.name`);
    return flagged;
  }
  warn(`${kind} ${key}: ${kind}.external.name is deprecated in favor of ${kind}.name`);
  return withEntry(flagged, 'name', named);
}

/** An external object without a name is called as its key is. */
const nameOfExternal: Expand = (node, path) => {
  if (node.kind !== 'map' || node.entries.has('name') || textAt(node, 'external') !== 'true') return node;
  return withEntry(node, 'name', scalar(path.split('.').slice(1).join('.'), node.mark));
};

const ipam = object({
  driver: string,
  config: listOf(object({ subnet: string, ip_range: string, gateway: string, aux_addresses: options })),
  options,
});

const network = object(
  {
    name: string,
    driver: string,
    driver_opts: options,
    ipam,
    external: flag,
    internal: flag,
    attachable: flag,
    enable_ipv4: boolean,
    enable_ipv6: flag,
    labels: pairs,
  },
  { nullable: true, expand: externalName('network'), finish: nameOfExternal },
);

const volume = object(
  { name: string, driver: string, driver_opts: options, external: flag, labels: pairs },
  { nullable: true, expand: externalName('volume'), finish: nameOfExternal },
);

function fileObject(kind: 'secret' | 'config'): ObjectShape {
  const common = { name: string, file: filePath, environment: string };
  const keys =
    kind === 'secret'
      ? { ...common, external: flag, labels: pairs, driver: string, driver_opts: options, template_driver: string }
      : { ...common, content: string, external: flag, labels: pairs, template_driver: string };
  return object(keys, { expand: externalName(kind), finish: nameOfExternal });
}

const include = listOf(object({ path: wordOrWords, env_file: wordOrWords, project_directory: string }, { required: ['path'], extensions: false }), {
  expandItem: (node) => [node.kind === 'scalar' && !isNull(node) ? map([['path', node]], node.mark) : node],
});

/** Docker says "must be a string" of `version: 3`; so do we not: any version will do. */
const version = { ...string, accepts: ['number'] as const };

export const composeFile: ObjectShape = object({
  version,
  name: string,
  include,
  services: mapOf(service, sections),
  networks: mapOf(network, sections),
  volumes: mapOf(volume, sections),
  secrets: mapOf(fileObject('secret'), sections),
  configs: mapOf(fileObject('config'), sections),
  models: mapOf(either('must be a mapping', object({ name: string, model: string, context_size: anything, runtime_flags: anything }))),
});

/** The sections that are merged by name, and whose values are templates. */
export const SECTIONS = ['services', 'networks', 'volumes', 'secrets', 'configs', 'models'] as const;
