// Mounts of a container spec as the Engine API wants them. Pure. What the node's engine is too old for is refused with the reason.
import type { Mount } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';

/** `minorVersion`: the engine's API version, 41 for 1.41. Without those that `convertBinds` takes. */
export function convertMounts(mounts: readonly Mount[], minorVersion: number): readonly object[] {
  return mounts.filter((mount) => !isBind(mount, minorVersion)).map((mount) => convertMount(mount, minorVersion));
}

/** An engine that does not know `CreateMountpoint` makes the folder on the node for a bind in the old form, "source:target:options". Undefined: none. */
export function convertBinds(mounts: readonly Mount[], minorVersion: number): readonly string[] | undefined {
  const binds = mounts.filter((mount) => isBind(mount, minorVersion));
  return binds.length === 0 ? undefined : binds.map(bindText);
}

function bindText(mount: Mount): string {
  assertPaths(mount);
  const { source = '', target, readOnly, bind } = mount;
  const options = [...(readOnly ? ['ro'] : []), ...(bind?.propagation ? [bind.propagation] : [])].join(',');
  return `${source}:${target}${options === '' ? '' : `:${options}`}`;
}

function isBind({ type, source = '', target, bind }: Mount, minorVersion: number): boolean {
  return type === 'bind' && bind?.createMountpoint === true && minorVersion < 42 && !bind.nonRecursive && !`${source}${target}`.includes(':');
}

function convertMount(mount: Mount, minorVersion: number): object {
  const need = (minimum: number, what: string) => {
    if (minorVersion < minimum)
      throw new AppError('invalidArgument', `${what} needs Engine API 1.${minimum}; the engine of this node speaks 1.${minorVersion}`);
  };
  const { type, source, target, readOnly, consistency, bind, volume, tmpfs, image } = mount;
  assertPaths(mount);
  if (type === 'cluster') throw new AppError('unimplemented', `mount ${target}: cluster volumes are not available on this node`);
  if (type === 'image') need(48, 'a mount of type "image"');
  if (bind?.createMountpoint) need(42, 'bind-create-src');
  if (bind?.readOnlyNonRecursive || bind?.readOnlyForceRecursive) need(44, 'bind-recursive');
  if (volume?.subpath) need(45, 'volume-subpath');
  if (tmpfs?.options?.length) need(46, 'tmpfs options');
  return defined({
    Type: type,
    Source: source,
    Target: target,
    ReadOnly: readOnly,
    Consistency: consistency,
    BindOptions:
      bind &&
      defined({
        Propagation: bind.propagation,
        NonRecursive: bind.nonRecursive,
        CreateMountpoint: bind.createMountpoint,
        ReadOnlyNonRecursive: bind.readOnlyNonRecursive,
        ReadOnlyForceRecursive: bind.readOnlyForceRecursive,
      }),
    VolumeOptions:
      volume &&
      defined({
        NoCopy: volume.noCopy,
        Labels: volume.labels,
        Subpath: volume.subpath || undefined,
        DriverConfig: volume.driver && defined({ Name: volume.driver.name, Options: volume.driver.options }),
      }),
    ImageOptions: image?.subpath ? { Subpath: image.subpath } : undefined,
    TmpfsOptions: tmpfs && defined({ SizeBytes: tmpfs.sizeBytes, Mode: tmpfs.mode, Options: tmpfs.options?.length ? tmpfs.options : undefined }),
  });
}

/** In Docker's words, before the engine sees it: an engine would take a volume for a bind, and the other way round (moby, executor/container/validate.go). */
function assertPaths({ type, source = '', target }: Mount): void {
  const refuse = (message: string) => {
    throw new AppError('invalidArgument', message);
  };
  if (!target.startsWith('/')) refuse(`invalid mount target, must be an absolute path: ${target}`);
  if (type === 'bind' && !source.startsWith('/')) refuse(`invalid bind mount source, must be an absolute path: ${source}`);
  if (type === 'volume' && source.startsWith('/')) refuse(`invalid volume mount source, must not be an absolute path: ${source}`);
  if (type === 'tmpfs' && source !== '') refuse('invalid tmpfs source, source must be empty');
}

/** Without the fields that are undefined. */
export function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Partial<T>;
}
