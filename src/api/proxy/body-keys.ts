// Go reads the names of JSON fields whatever their case, and some clients rely on it. Bodies for the engine that we look into get the names that we look
// for; what we do not know stays as it came. The keys of maps (labels, names of networks) are data and stay too.
import { isObject, type JsonObject } from './json-object.ts';

export type Keys = { readonly fields: Readonly<Record<string, Keys | undefined>> } | { readonly entries: Keys } | { readonly items: Keys };

const fields = (...names: readonly string[]): Keys => ({ fields: Object.fromEntries(names.map((name) => [name, undefined])) });

const endpoint: Keys = {
  fields: {
    IPAMConfig: fields('IPv4Address', 'IPv6Address', 'LinkLocalIPs'),
    ...Object.fromEntries(['Links', 'Aliases', 'MacAddress', 'DriverOpts', 'GwPriority', 'NetworkID'].map((name) => [name, undefined])),
  },
};

const mount: Keys = {
  fields: { VolumeOptions: fields('Subpath'), BindOptions: fields('ReadOnlyForceRecursive', 'ReadOnlyNonRecursive'), TmpfsOptions: fields('Options') },
};

export const createKeys: Keys = {
  fields: {
    Labels: undefined,
    MacAddress: undefined,
    Healthcheck: fields('StartInterval'),
    HostConfig: {
      fields: { NetworkMode: undefined, Dns: undefined, Annotations: undefined, PortBindings: undefined, Mounts: { items: mount } },
    },
    NetworkingConfig: { fields: { EndpointsConfig: { entries: endpoint } } },
  },
};

export const connectKeys: Keys = { fields: { Container: undefined, Force: undefined, EndpointConfig: endpoint } };

/** The value itself when all names are right already. */
export function withKeys(value: unknown, keys: Keys): unknown {
  if ('items' in keys)
    return Array.isArray(value)
      ? sameOr(
          value,
          value.map((item) => withKeys(item, keys.items)),
        )
      : value;
  if (!isObject(value)) return value;
  if ('entries' in keys) return renamed(value, (name, inner) => [name, withKeys(inner, keys.entries)]);
  const folded = new Map(Object.keys(keys.fields).map((name) => [name.toLowerCase(), name]));
  return renamed(value, (name, inner) => {
    const known = folded.get(name.toLowerCase());
    if (known === undefined) return [name, inner];
    const shape = keys.fields[known];
    // Of two spellings the exact one counts, as it does nearly always in Go, where the later one does.
    return [name === known || !Object.hasOwn(value, known) ? known : name, shape === undefined ? inner : withKeys(inner, shape)];
  });
}

function renamed(object: JsonObject, change: (name: string, value: unknown) => readonly [string, unknown]): JsonObject {
  const before = Object.entries(object);
  const after = before.map(([name, value]) => change(name, value));
  return after.every(([name, value], index) => name === before[index]?.[0] && value === before[index]?.[1]) ? object : Object.fromEntries(after);
}

function sameOr(before: readonly unknown[], after: readonly unknown[]): readonly unknown[] {
  return after.every((item, index) => item === before[index]) ? before : after;
}
