// A service's volumes and tmpfs → mounts.
import type { Mount } from '#domain/spec.ts';
import type { Service, ServiceVolume, Volume } from '../project.ts';
import { parseBytes } from '#lib/bytes.ts';
import { compact, type ConvertContext, mistakeAt, nonEmpty, nonZero, scoped, stackLabels, unsupported } from './common.ts';

type MountDetails = Omit<Mount, 'type' | 'target' | 'readOnly' | 'consistency'>;

export function convertMounts(context: ConvertContext, key: string, { volumes = [], tmpfs = [] }: Service): readonly Mount[] {
  return [
    ...volumes.map((volume, index) => convertVolume(context, key, volume, `services.${key}.volumes.${index}`)),
    ...tmpfs.map((text) => tmpfsMount(context, key, text)),
  ];
}

function convertVolume(context: ConvertContext, key: string, volume: ServiceVolume, path: string): Mount {
  const fail = (message: string) => mistakeAt(context, path, message);
  const { type } = volume;
  if (type !== 'volume' && type !== 'bind' && type !== 'tmpfs' && type !== 'npipe' && type !== 'cluster' && type !== 'image') {
    throw fail(`service ${key}: volume type must be volume, bind, tmpfs, npipe, or cluster`);
  }
  if (volume.target === undefined) throw fail(`service ${key}: invalid mount config for type ${JSON.stringify(type)}: field Target must not be empty`);
  const foreign = (['bind', 'volume', 'tmpfs', 'image'] as const).find((kind) => kind !== type && nonEmpty(volume[kind]) !== undefined);
  // Docker's CLI passes over volume options of a bind; only what cannot be meant is refused.
  if (foreign !== undefined && foreign !== 'volume' && type !== 'npipe') throw fail(`service ${key}: ${foreign} options are incompatible with type ${type}`);
  return compact<Mount>({
    type,
    target: volume.target,
    readOnly: volume.read_only || undefined,
    consistency: volume.consistency,
    ...detailsOf(context, key, volume, fail),
  });
}

function detailsOf(context: ConvertContext, key: string, volume: ServiceVolume, fail: (message: string) => Error): MountDetails {
  switch (volume.type) {
    case 'volume':
      return namedVolume(context, volume, fail);
    case 'bind':
    case 'npipe':
      if (!volume.source) throw fail(`invalid mount config for type ${JSON.stringify(volume.type)}: field Source must not be empty`);
      if (volume.bind?.selinux !== undefined) unsupported(context, key, 'volumes.bind.selinux');
      return compact<MountDetails>({ source: volume.source, bind: bindOptions(volume.bind) });
    case 'tmpfs':
      if (volume.source) throw fail('invalid tmpfs source, source must be empty');
      return compact<MountDetails>({
        tmpfs: volume.tmpfs && compact<NonNullable<Mount['tmpfs']>>({ sizeBytes: nonZero(volume.tmpfs.size), mode: nonZero(volume.tmpfs.mode) }),
      });
    case 'cluster':
      if (!volume.source) throw fail('invalid cluster source, source cannot be empty');
      return { source: clusterSource(context, volume.source) };
    default:
      if (!volume.source) throw fail('invalid image source, source cannot be empty');
      return compact<MountDetails>({ source: volume.source, image: volume.image?.subpath === undefined ? undefined : { subpath: volume.image.subpath } });
  }
}

/** A group of cluster volumes is named as it is, a volume as the stack's. */
function clusterSource({ stack, loaded }: ConvertContext, source: string): string {
  const declared = loaded.project.volumes?.[source];
  if (source.startsWith('group:') || declared === undefined) return source;
  return volumeName(stack, source, declared);
}

export function volumeName(stack: string, key: string, volume: Volume): string {
  return volume.name ?? scoped(stack, key);
}

function namedVolume({ stack, loaded }: ConvertContext, { source, volume }: ServiceVolume, fail: (message: string) => Error): MountDetails {
  if (!source) return {};
  const volumes = loaded.project.volumes ?? {};
  const declared = Object.hasOwn(volumes, source) ? volumes[source] : undefined;
  if (declared === undefined) throw fail(`undefined volume ${JSON.stringify(source)}`);
  const own = { noCopy: volume?.nocopy || undefined, subpath: volume?.subpath };
  const name = volumeName(stack, source, declared);
  if (declared.external) return { source: name, volume: compact<NonNullable<Mount['volume']>>({ ...own, labels: nonEmpty(volume?.labels) }) };
  const hasDriver = declared.driver !== undefined || nonEmpty(declared.driver_opts) !== undefined;
  return {
    source: name,
    volume: compact<NonNullable<Mount['volume']>>({
      ...own,
      labels: stackLabels(stack, { ...declared.labels, ...volume?.labels }),
      driver: hasDriver ? compact({ name: declared.driver, options: nonEmpty(declared.driver_opts) }) : undefined,
    }),
  };
}

/** Where anything is said, the propagation that holds is said too, as the API keeps it. */
function bindOptions(bind: ServiceVolume['bind']): Mount['bind'] {
  if (bind === undefined) return undefined;
  const flags = compact<NonNullable<Mount['bind']>>({
    nonRecursive: bind.recursive === 'disabled' || undefined,
    createMountpoint: bind.create_host_path || undefined,
    readOnlyNonRecursive: bind.recursive === 'writable' || undefined,
    readOnlyForceRecursive: bind.recursive === 'readonly' || undefined,
  });
  if (bind.propagation === undefined && nonEmpty(flags) === undefined) return undefined;
  return { propagation: bind.propagation ?? 'rprivate', ...flags };
}

/** "/run:size=64m,mode=1777,noexec" */
function tmpfsMount(context: ConvertContext, key: string, text: string): Mount {
  const colon = text.indexOf(':');
  const target = colon < 0 ? text : text.slice(0, colon);
  const words = colon < 0 ? [] : text.slice(colon + 1).split(',');
  let sizeBytes: number | undefined;
  let mode: number | undefined;
  let readOnly: true | undefined;
  const others: (readonly string[])[] = [];
  for (const word of words) {
    const [name = '', value] = word.split('=');
    const size = name === 'size' && value !== undefined ? parseBytes(value) : undefined;
    if (size && 'problem' in size) throw mistakeAt(context, `services.${key}.tmpfs`, `service ${key}: tmpfs ${text}: ${size.problem}`);
    if (size) sizeBytes = size.bytes;
    else if (name === 'mode' && /^[0-7]+$/.test(value ?? '')) mode = Number.parseInt(value ?? '', 8);
    else if (name === 'ro') readOnly = true;
    else if (name !== 'rw' && name !== '') others.push(value === undefined ? [name] : [name, value]);
  }
  const tmpfs = compact<NonNullable<Mount['tmpfs']>>({ sizeBytes: nonZero(sizeBytes), mode: nonZero(mode), options: nonEmpty(others) });
  return compact<Mount>({ type: 'tmpfs', target, readOnly, tmpfs: nonEmpty(tmpfs) });
}
