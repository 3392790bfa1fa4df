// The short forms of a service's ports, volumes, secrets, configs, dependencies, networks, hosts and files of variables, and their long ones.
import { type ComposeNode, isNull, list, map, scalar, textAt, textOf } from '../yaml/node.ts';
import { absolutePath, bytes, filePath, keyOfText, options, pairs, words } from './forms.ts';
import { parsePorts } from './ports.ts';
import { boolean, type CheckContext, either, type Expand, flag, integer, type ListShape, listOf, mapOf, number, object, oneOf, string, text } from './shape.ts';
import { parseVolume } from './volumes.ts';

const octalMode = {
  ...integer,
  expand: ((node) =>
    node.kind === 'scalar' && typeof node.value === 'string' && /^0?[0-7]{3,4}$/.test(node.value) && node.value.startsWith('0')
      ? scalar(Number.parseInt(node.value, 8), node.mark)
      : node) satisfies Expand,
};

/** A published port: a number, or a range that leaves the choice. */
const published = {
  ...text,
  finish: ((node) => (node.kind === 'scalar' && /^[0-9]+$/.test(textOf(node)) ? scalar(Number(textOf(node)), node.mark) : node)) satisfies Expand,
};

const port = object({
  name: string,
  mode: string,
  host_ip: string,
  target: integer,
  published,
  protocol: string,
  app_protocol: string,
});

export const ports: ListShape = listOf(port, {
  expandItem(node, path, { report }) {
    if (node.kind !== 'scalar' || node.value === null) return [node];
    const parsed = parsePorts(textOf(node));
    if (parsed === undefined) {
      report(node.mark, `${path} Does not match format 'ports'`);
      return [];
    }
    return parsed.map((one) =>
      map(
        Object.entries(one).map(([key, value]) => [key, scalar(value, node.mark)]),
        node.mark,
      ),
    );
  },
  keyOf: (node) => [textAt(node, 'host_ip') ?? '', textAt(node, 'published') ?? '', textAt(node, 'target') ?? '', textAt(node, 'protocol') ?? 'tcp'].join(' '),
});

const volume = object(
  {
    type: oneOf('bind', 'volume', 'tmpfs', 'cluster', 'npipe', 'image'),
    source: string,
    target: string,
    read_only: flag,
    consistency: string,
    bind: object({ propagation: string, create_host_path: boolean, recursive: oneOf('enabled', 'disabled', 'writable', 'readonly'), selinux: oneOf('z', 'Z') }),
    volume: object({ nocopy: flag, subpath: string, labels: pairs }),
    tmpfs: object({ size: { ...bytes, finish: (node, path, context) => sizeAsNumber(bytes.finish?.(node, path, context)) }, mode: octalMode }),
    image: object({ subpath: string }),
  },
  { required: ['type'], finish: absoluteBind },
);

function sizeAsNumber(node: ComposeNode | undefined): ComposeNode | undefined {
  return node?.kind === 'scalar' ? scalar(Number(node.value), node.mark) : node;
}

function absoluteBind(node: ComposeNode, _path: string, context: CheckContext): ComposeNode {
  const source = textAt(node, 'source');
  if (node.kind !== 'map' || textAt(node, 'type') !== 'bind' || !source || (!context.interpolated && source.includes('$'))) return node;
  const entries = new Map(node.entries);
  const entry = entries.get('source');
  if (entry) entries.set('source', { ...entry, value: scalar(absolutePath(source, context.directory, context.home), entry.value.mark) });
  return { ...node, entries };
}

export const volumes: ListShape = listOf(volume, {
  expandItem(node, path, { report }) {
    if (node.kind !== 'scalar') return [node];
    const parsed = typeof node.value === 'string' ? parseVolume(node.value) : { problem: 'must be a string' };
    if ('problem' in parsed) {
      report(node.mark, `${path} ${parsed.problem}`);
      return [];
    }
    return [fromPlain(parsed, node)];
  },
  keyOf: (node) => textAt(node, 'target') ?? keyOfText(node),
});

type Simple = string | number | boolean | { readonly [key: string]: Simple | undefined };

function fromPlain(value: Simple, at: ComposeNode): ComposeNode {
  if (typeof value !== 'object') return scalar(value, at.mark);
  return map(
    Object.entries(value).map(([key, item]) => [key, item === undefined ? undefined : fromPlain(item, at)]),
    at.mark,
  );
}

/** A secret without a target is at /run/secrets/<source>, a config at /<source>: that is where two of them meet. */
function fileReferences(root: string): ListShape {
  return listOf(object({ source: string, target: string, uid: text, gid: text, mode: octalMode }), {
    expandItem: (node) => [node.kind === 'scalar' && typeof node.value === 'string' ? map([['source', node]], node.mark) : node],
    keyOf: (node) => {
      const target = textAt(node, 'target') ?? textAt(node, 'source') ?? keyOfText(node);
      return target.startsWith('/') ? target : `${root}/${target}`;
    },
  });
}

export const secrets = fileReferences('/run/secrets');
export const configs = fileReferences('');

/** A list of names as a map of what each name has by default. */
function namesAsMap(value: (name: ComposeNode) => ComposeNode): Expand {
  return (node, path, { report }) => {
    if (node.kind !== 'list') return node;
    const named = node.items.flatMap((item, index): (readonly [string, ComposeNode])[] => {
      if (item.kind === 'scalar' && typeof item.value === 'string') return [[item.value, value(item)]];
      report(item.mark, `${path}.${index} must be a string`);
      return [];
    });
    return map(named, node.mark);
  };
}

const started = (name: ComposeNode) =>
  map(
    [
      ['condition', scalar('service_started', name.mark)],
      ['required', scalar(true, name.mark)],
    ],
    name.mark,
  );

export const dependsOn = mapOf(
  object(
    { condition: oneOf('service_started', 'service_healthy', 'service_completed_successfully'), restart: boolean, required: boolean },
    {
      nullable: true,
      finish: (node) => (node.kind === 'map' ? { ...node, entries: new Map([...(started(node) as typeof node).entries, ...node.entries]) } : node),
    },
  ),
  { expand: namesAsMap(started) },
);

const attachment = object({
  aliases: words,
  driver_opts: options,
  interface_name: string,
  ipv4_address: string,
  ipv6_address: string,
  link_local_ips: words,
  mac_address: string,
  priority: number,
  gw_priority: number,
});

export const networks = mapOf(either('must be a mapping', attachment, { kind: 'string', accepts: ['null'], says: 'must be a mapping', finish: onlyNull }), {
  expand: namesAsMap((name) => scalar(null, name.mark)),
});

function onlyNull(node: ComposeNode, path: string, { report }: CheckContext): ComposeNode | undefined {
  if (isNull(node)) return node;
  report(node.mark, `${path} must be a mapping`);
  return undefined;
}

/** "host:address" or "host=address", or a map of host to address or addresses. */
export const extraHosts: ListShape = {
  ...words,
  expand(node, path, { report }) {
    if (node.kind !== 'map') return node;
    const lines = [...node.entries].flatMap(([host, { value }]) => {
      const addresses = value.kind === 'list' ? value.items : [value];
      return addresses.flatMap((address) => {
        if (address.kind === 'scalar' && address.value !== null) return [scalar(`${host}:${textOf(address)}`, value.mark)];
        report(value.mark, `${path}.${host} must be a string`);
        return [];
      });
    });
    return list(
      lines.sort((a, b) => (String(a.value) < String(b.value) ? -1 : 1)),
      node.mark,
    );
  },
  expandItem(node) {
    const match = node.kind === 'scalar' && typeof node.value === 'string' ? /^([^:=]+)=(.*)$/.exec(node.value) : null;
    return [match ? scalar(`${match[1]}:${(match[2] ?? '').replace(/^\[(.*)\]$/, '$1')}`, node.mark) : node];
  },
};

export const envFile: ListShape = listOf(object({ path: filePath, required: boolean, format: string }, { required: ['path'], extensions: false }), {
  expand: (node) => (node.kind === 'scalar' && node.value !== null ? list([node], node.mark) : node),
  expandItem: (node) => [node.kind === 'scalar' && typeof node.value === 'string' ? map([['path', node]], node.mark) : node],
});

export const labelFile: ListShape = listOf(filePath, { expand: (node) => (node.kind === 'scalar' && node.value !== null ? list([node], node.mark) : node) });

export const ulimits = mapOf(either('must be a integer', integer, object({ soft: integer, hard: integer }, { required: ['soft', 'hard'], merge: 'replace' })));
