// `--mount`: comma-separated keys.
import { resolve } from 'node:path';
import type { Mount } from '#docker-api/service-spec.ts';
import { parseBoolean } from './basic.ts';
import { cutField, parseCsv } from './csv.ts';
import { parseBytes } from '../format/size.ts';

/** What a mount is while its fields are read. */
interface Draft {
  type: string;
  source: string;
  target: string;
  readOnly: boolean;
  consistency: string;
  bind?: Record<string, unknown>;
  volume?: { NoCopy?: boolean; Labels: Record<string, string>; Subpath?: string; DriverConfig: { Name?: string; Options?: Record<string, string> } };
  image?: Record<string, unknown>;
  tmpfs?: Record<string, unknown>;
}

type Setter = (draft: Draft, value: string, key: string) => void;

const lowerCase = (value: string) => value.toLowerCase();

function checked<T>(parse: (text: string) => T, key: string, value: string): T {
  try {
    return parse(value);
  } catch {
    throw new Error(`invalid value for ${key}: ${value}`);
  }
}

function volumeOf(draft: Draft) {
  return (draft.volume ??= { Labels: {}, DriverConfig: {} });
}

function setPair(target: Record<string, string>, value: string): void {
  const [key, text = ''] = cutField(value);
  if (key !== '') target[key] = text;
}

const setters: Readonly<Record<string, Setter>> = {
  type: (draft, value) => void (draft.type = lowerCase(value)),
  source: (draft, value) => void (draft.source = value === '.' || value.startsWith('./') ? resolve(value) : value),
  target: (draft, value) => void (draft.target = value),
  readonly: (draft, value, key) => void (draft.readOnly = checked(parseBoolean, key, value)),
  consistency: (draft, value) => void (draft.consistency = lowerCase(value)),
  'bind-propagation': (draft, value) => void (draft.bind = { ...draft.bind, Propagation: lowerCase(value) }),
  'bind-nonrecursive': (draft, value, key) => void (draft.bind = { ...draft.bind, NonRecursive: checked(parseBoolean, key, value) }),
  'bind-recursive': (draft, value, key) => void (draft.bind = { ...draft.bind, ...recursion(value, key) }),
  'volume-subpath': (draft, value) => void (volumeOf(draft).Subpath = value),
  'volume-nocopy': (draft, value, key) => void (volumeOf(draft).NoCopy = checked(parseBoolean, key, value)),
  'volume-label': (draft, value) => setPair(volumeOf(draft).Labels, value),
  'volume-driver': (draft, value) => void (volumeOf(draft).DriverConfig.Name = value),
  'volume-opt': (draft, value) => setPair((volumeOf(draft).DriverConfig.Options ??= {}), value),
  'image-subpath': (draft, value) => void (draft.image = { Subpath: value }),
  'tmpfs-size': (draft, value, key) => void (draft.tmpfs = { ...draft.tmpfs, SizeBytes: checked(parseBytes, key, value) }),
  'tmpfs-mode': (draft, value, key) => void (draft.tmpfs = { ...draft.tmpfs, Mode: checked(parseOctal, key, value) }),
};

const aliases: Readonly<Record<string, string>> = { src: 'source', dst: 'target', destination: 'target', ro: 'readonly' };
const switches = new Set(['readonly', 'volume-nocopy', 'bind-nonrecursive']);

function recursion(value: string, key: string): Record<string, boolean> {
  const kinds: Readonly<Record<string, Record<string, boolean>>> = {
    enabled: {},
    disabled: { NonRecursive: true },
    writable: { ReadOnlyNonRecursive: true },
    readonly: { ReadOnlyForceRecursive: true },
  };
  const kind = Object.hasOwn(kinds, value) ? kinds[value] : undefined;
  if (kind === undefined) throw new Error(`invalid value for ${key}: ${value} (must be "enabled", "disabled", "writable", or "readonly")`);
  return kind;
}

function parseOctal(text: string): number {
  if (!/^[0-7]+$/.test(text)) throw new Error('invalid syntax');
  return Number.parseInt(text, 8);
}

export function parseMount(text: string): Mount {
  const draft: Draft = { type: 'volume', source: '', target: '', readOnly: false, consistency: '' };
  for (const field of parseCsv(text)) {
    const [given, value] = cutField(field);
    const key = Object.hasOwn(aliases, given) ? (aliases[given] ?? given) : given;
    if (value === undefined && !switches.has(key)) throw new Error(`invalid field '${field}' must be a key=value pair`);
    const set = Object.hasOwn(setters, key) ? setters[key] : undefined;
    if (set === undefined) throw new Error(`unexpected key '${given}' in '${field}'`);
    set(draft, value ?? 'true', given);
  }
  return finished(draft);
}

function finished({ type, source, target, readOnly, consistency, bind, volume, image, tmpfs }: Draft): Mount {
  if (type === '') throw new Error('type is required');
  if (target === '') throw new Error('target is required');
  const mixed = Object.entries({ volume, image, bind, tmpfs }).find(([kind, options]) => options !== undefined && kind !== type);
  if (mixed !== undefined) throw new Error(`cannot mix '${mixed[0]}-*' options with mount type '${type}'`);
  const { ReadOnlyNonRecursive, ReadOnlyForceRecursive, Propagation } = bind ?? {};
  if (ReadOnlyNonRecursive === true && !readOnly) throw new Error("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction");
  if (ReadOnlyForceRecursive === true) {
    if (!readOnly) throw new Error("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
    if (Propagation !== 'rprivate') throw new Error("option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction");
  }
  return {
    Type: type,
    ...(source === '' ? {} : { Source: source }),
    Target: target,
    ...(readOnly ? { ReadOnly: true } : {}),
    ...(consistency === '' ? {} : { Consistency: consistency }),
    ...(bind === undefined ? {} : { BindOptions: bind }),
    ...(volume === undefined ? {} : { VolumeOptions: volume }),
    ...(image === undefined ? {} : { ImageOptions: image }),
    ...(tmpfs === undefined ? {} : { TmpfsOptions: tmpfs }),
  };
}
