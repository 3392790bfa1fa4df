// Mounts: JSON ↔ domain.
import type { Mount as WireMount } from '#docker-api/service-spec.ts';
import type { Mount } from '#domain/spec.ts';
import { compact, invalid, nonEmpty, oneOf, optionalMap, quoted } from './common.ts';

const mountTypes = ['bind', 'volume', 'tmpfs', 'npipe', 'cluster', 'image'] as const;
const propagations = ['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave'];

/** Throws AppError `invalidArgument`. */
export function mountFromJson(wire: WireMount): Mount {
  const type = wire.Type ? oneOf(mountTypes, wire.Type.toLowerCase()) : 'bind';
  if (type === undefined) throw invalid(`invalid MountType: ${quoted(wire.Type ?? '')}`);
  const { VolumeOptions: volume, TmpfsOptions: tmpfs, ImageOptions: image } = wire;
  return compact<Mount>({
    type,
    source: nonEmpty(wire.Source),
    target: wire.Target ?? '',
    readOnly: nonEmpty(wire.ReadOnly),
    consistency: nonEmpty(wire.Consistency),
    bind: wire.BindOptions && bindFromJson(wire.BindOptions),
    volume:
      volume &&
      compact<NonNullable<Mount['volume']>>({
        noCopy: nonEmpty(volume.NoCopy),
        labels: nonEmpty(volume.Labels),
        subpath: nonEmpty(volume.Subpath),
        driver: volume.DriverConfig && compact({ name: nonEmpty(volume.DriverConfig.Name), options: nonEmpty(volume.DriverConfig.Options) }),
      }),
    image: image && compact({ subpath: nonEmpty(image.Subpath) }),
    tmpfs: tmpfs && compact({ sizeBytes: nonEmpty(tmpfs.SizeBytes), mode: nonEmpty(tmpfs.Mode), options: nonEmpty(tmpfs.Options) }),
  });
}

/** Options that say nothing count as absent; with any other option, the propagation that holds is said. */
function bindFromJson(wire: NonNullable<WireMount['BindOptions']>): Mount['bind'] {
  const propagation = wire.Propagation?.toLowerCase() ?? '';
  if (propagation !== '' && !propagations.includes(propagation)) throw invalid(`invalid MountPropagation: ${quoted(wire.Propagation ?? '')}`);
  const flags = compact<NonNullable<Mount['bind']>>({
    nonRecursive: nonEmpty(wire.NonRecursive),
    createMountpoint: nonEmpty(wire.CreateMountpoint),
    readOnlyNonRecursive: nonEmpty(wire.ReadOnlyNonRecursive),
    readOnlyForceRecursive: nonEmpty(wire.ReadOnlyForceRecursive),
  });
  if (propagation === '' && nonEmpty(flags) === undefined) return undefined;
  return { propagation: propagation || 'rprivate', ...flags };
}

export function mountToJson(mount: Mount): WireMount {
  const { bind, volume, image, tmpfs } = mount;
  return {
    Type: mount.type,
    Source: nonEmpty(mount.source),
    Target: nonEmpty(mount.target),
    ReadOnly: nonEmpty(mount.readOnly),
    Consistency: nonEmpty(mount.consistency),
    BindOptions: bind && {
      Propagation: nonEmpty(bind.propagation),
      NonRecursive: nonEmpty(bind.nonRecursive),
      CreateMountpoint: nonEmpty(bind.createMountpoint),
      ReadOnlyNonRecursive: nonEmpty(bind.readOnlyNonRecursive),
      ReadOnlyForceRecursive: nonEmpty(bind.readOnlyForceRecursive),
    },
    VolumeOptions: volume && {
      NoCopy: nonEmpty(volume.noCopy),
      Labels: optionalMap(volume.labels),
      Subpath: nonEmpty(volume.subpath),
      DriverConfig: volume.driver && { Name: nonEmpty(volume.driver.name), Options: optionalMap(volume.driver.options) },
    },
    ImageOptions: image && { Subpath: nonEmpty(image.subpath) },
    TmpfsOptions: tmpfs && { SizeBytes: nonEmpty(tmpfs.sizeBytes), Mode: nonEmpty(tmpfs.mode), Options: nonEmpty(tmpfs.options) },
  };
}
