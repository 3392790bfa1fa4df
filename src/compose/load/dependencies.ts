// Profiles, and what services say of each other: who is left out, who depends on whom, and that nobody waits for himself.
import { type ComposeNode, composeError, type MapEntry, type MapNode, textAt, textOf, valueAt, withEntry } from '../yaml/node.ts';

/** The services of the active profiles; those without profiles always. `*` is every profile. Throws AppError for a dependency on one left out. */
export function selectProfiles(services: MapNode, active: ReadonlySet<string>): MapNode {
  const isActive = (node: ComposeNode) => {
    const profiles = valueAt(node, 'profiles');
    if (profiles?.kind !== 'list' || profiles.items.length === 0 || active.has('*')) return true;
    return profiles.items.some((profile) => profile.kind === 'scalar' && active.has(textOf(profile)));
  };
  const kept = new Map([...services.entries].filter(([, { value }]) => isActive(value)));
  const entries = new Map<string, MapEntry>();
  for (const [name, { mark, value }] of kept) {
    entries.set(name, { mark, value: value.kind === 'map' ? withDependencies(name, value, services, kept) : value });
  }
  return { ...services, entries };
}

/** A dependency that is not required goes with the service that it names. */
function withDependencies(name: string, service: MapNode, all: MapNode, kept: ReadonlyMap<string, MapEntry>): MapNode {
  const dependencies = valueAt(service, 'depends_on');
  if (dependencies?.kind !== 'map') return service;
  const entries = new Map<string, MapEntry>();
  for (const [other, entry] of dependencies.entries) {
    if (kept.has(other)) entries.set(other, entry);
    else if (textAt(entry.value, 'required') !== 'false') {
      const why = all.entries.has(other) ? `service ${JSON.stringify(other)}, which is in no active profile` : `undefined service ${JSON.stringify(other)}`;
      throw composeError(entry.mark, `service ${JSON.stringify(name)} depends on ${why}`);
    }
  }
  return withEntry(service, 'depends_on', { ...dependencies, entries });
}

/** Throws AppError for services that wait for each other in a circle. */
export function refuseCycles(services: MapNode): void {
  const done = new Set<string>();
  const visit = (name: string, chain: readonly string[]): void => {
    if (done.has(name)) return;
    const dependencies = valueAt(services.entries.get(name)?.value, 'depends_on');
    if (chain.includes(name)) {
      const circle = [...chain.slice(chain.indexOf(name)), name];
      throw composeError(services.entries.get(name)?.mark, `dependency cycle detected: ${circle.join(' -> ')}`);
    }
    for (const other of dependencies?.kind === 'map' ? dependencies.entries.keys() : []) visit(other, [...chain, name]);
    done.add(name);
  };
  for (const name of services.entries.keys()) visit(name, []);
}
