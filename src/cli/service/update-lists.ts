// Lists and maps of a spec with what `--X-add` adds and `--X-rm` removes. Each gives back what it was given when neither was used.
import type { ContainerSpec, Mount, PortConfig } from '#docker-api/service-spec.ts';
import { AppError } from '#lib/errors.ts';
import type { Flags } from '../flags.ts';
import { mapOf } from '../shared/options.ts';
import type { PublishedPorts } from '../values/port.ts';
import type { Ulimit } from '../values/service.ts';
import { capabilities, swarmHost } from './spec.ts';

const isTouched = (flags: Flags, name: string) => flags.has(`${name}-add`) || flags.has(`${name}-rm`);
const bytewise = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

export function present<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: T };
}

export function changedMap(map: Readonly<Record<string, string>> | undefined, flags: Flags, name: string): Readonly<Record<string, string>> | undefined {
  if (!isTouched(flags, name)) return map;
  const removed = new Set(flags.texts(`${name}-rm`));
  return Object.fromEntries(Object.entries({ ...map, ...mapOf(flags.texts(`${name}-add`)) }).filter(([key]) => !removed.has(key)));
}

/** Sorted, so that the same set is the same spec. */
export function changedList(list: readonly string[] | undefined, flags: Flags, name: string): readonly string[] | undefined {
  if (!isTouched(flags, name)) return list;
  const removed = flags.texts(`${name}-rm`);
  return [...new Set([...(list ?? []), ...flags.values<string>(`${name}-add`)])].filter((item) => !removed.includes(item)).sort(bytewise);
}

export function changedDns(config: ContainerSpec['DNSConfig'], flags: Flags): ContainerSpec['DNSConfig'] {
  if (!['dns', 'dns-search', 'dns-option'].some((name) => isTouched(flags, name))) return config;
  const sorted = (list: readonly string[] | undefined, name: string) => changedList(list, flags, name) ?? list;
  return {
    ...present('Nameservers', sorted(config?.Nameservers, 'dns')),
    ...present('Search', sorted(config?.Search, 'dns-search')),
    ...present('Options', sorted(config?.Options, 'dns-option')),
  };
}

/** `--host-rm` takes `name` or `name:address`. */
export function changedHosts(hosts: readonly string[] | undefined, flags: Flags): readonly string[] | undefined {
  if (!isTouched(flags, 'host')) return hosts;
  const removals = flags.texts('host-rm').map((text) => {
    const colon = text.indexOf(':');
    return colon < 0 ? { name: text, address: '' } : { name: text.slice(0, colon), address: text.slice(colon + 1) };
  });
  const kept = (hosts ?? []).filter((entry) => {
    const [address = '', name = ''] = entry.split(/\s+/);
    return !removals.some((removal) => removal.name === name && (removal.address === '' || removal.address === address));
  });
  return [...new Set([...kept, ...flags.values<string>('host-add').map(swarmHost)])].sort(bytewise);
}

export function changedMounts(mounts: readonly Mount[] | undefined, flags: Flags): readonly Mount[] | undefined {
  if (!isTouched(flags, 'mount')) return mounts;
  const byTarget = new Map<string, Mount>();
  for (const mount of flags.values<Mount>('mount-add')) {
    if (byTarget.has(mount.Target ?? '')) throw new AppError('invalidArgument', 'duplicate mount target');
    byTarget.set(mount.Target ?? '', mount);
  }
  for (const mount of mounts ?? []) if (!byTarget.has(mount.Target ?? '')) byTarget.set(mount.Target ?? '', mount);
  for (const target of flags.texts('mount-rm')) byTarget.delete(target);
  return [...byTarget.values()].sort((a, b) => bytewise(a.Source ?? '', b.Source ?? '') || bytewise(a.Target ?? '', b.Target ?? ''));
}

const portText = ({ PublishedPort = 0, TargetPort = 0, Protocol = '', PublishMode = '' }: PortConfig) =>
  `${PublishedPort}:${TargetPort}/${Protocol}/${PublishMode}`;

/** `--publish-rm` names the port inside, its protocol (tcp) and mode (ingress). */
export function changedPorts(ports: readonly PortConfig[], flags: Flags): readonly PortConfig[] {
  const removed = flags.values<PublishedPorts>('publish-rm').flatMap((published) => published.ports);
  const added = flags.values<PublishedPorts>('publish-add').flatMap((published) => published.ports);
  const isRemoved = (port: PortConfig) =>
    removed.some(
      (other) =>
        (port.Protocol || 'tcp') === (other.Protocol || 'tcp') &&
        port.TargetPort === other.TargetPort &&
        (port.PublishMode || 'ingress') === (other.PublishMode || 'ingress'),
    );
  const kept = ports.filter((port) => !isRemoved(port));
  const known = new Set(ports.map(portText));
  return [...kept, ...added.filter((port) => !known.has(portText(port)))].sort((a, b) => bytewise(portText(a), portText(b)));
}

export function changedUlimits(ulimits: ContainerSpec['Ulimits'], flags: Flags): ContainerSpec['Ulimits'] {
  if (!isTouched(flags, 'ulimit')) return ulimits;
  const byName = new Map((ulimits ?? []).map((ulimit) => [ulimit.Name ?? '', ulimit]));
  for (const name of flags.texts('ulimit-rm')) byName.delete(name);
  for (const ulimit of flags.values<Ulimit>('ulimit-add')) byName.set(ulimit.Name, ulimit);
  return [...byName.values()].sort((a, b) => bytewise(a.Name ?? '', b.Name ?? ''));
}

/** Dropping what was added takes back the adding, and the other way round; only a second time does it count by itself. RESET in a list empties it first. */
export function changedCapabilities(
  { CapabilityAdd = [], CapabilityDrop = [] }: ContainerSpec,
  flags: Flags,
): Pick<ContainerSpec, 'CapabilityAdd' | 'CapabilityDrop'> {
  if (!flags.has('cap-add') && !flags.has('cap-drop')) return {};
  const given = capabilities(flags.texts('cap-add'), flags.texts('cap-drop'));
  const added = new Set(given.add.includes('RESET') ? [] : CapabilityAdd);
  const dropped = new Set(given.drop.includes('RESET') ? [] : CapabilityDrop);
  for (const name of given.add) if (name !== 'RESET' && !dropped.delete(name)) added.add(name);
  for (const name of given.drop) if (name !== 'RESET' && !added.delete(name)) dropped.add(name);
  const list = (names: ReadonlySet<string>) => (names.has('ALL') ? ['ALL'] : [...names].sort(bytewise));
  return { CapabilityAdd: list(added), CapabilityDrop: list(dropped) };
}
