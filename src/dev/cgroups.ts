// The cgroup folders that an engine leaves when it is killed together with its containers. Works on cgroup v1 (a tree for each controller) and v2.
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

/** Removes the trees under these names ("a" or "a/b") in every hierarchy. A folder that still has processes stays; returns whether none did. */
export function removeCgroups(names: readonly string[]): boolean {
  return hierarchies().every((hierarchy) => names.map((name) => removeTree(join(hierarchy, name))).every(Boolean));
}

/** Names at the top of any hierarchy that begin so. */
export function cgroupsBeginningWith(prefix: string): readonly string[] {
  const found = hierarchies().flatMap((hierarchy) => readdirSync(hierarchy).filter((name) => name.startsWith(prefix)));
  return [...new Set(found)];
}

function hierarchies(): readonly string[] {
  if (!existsSync(ROOT)) return [];
  const folders = readdirSync(ROOT, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [ROOT, ...folders.map(({ name }) => join(ROOT, name)).filter((path) => existsSync(join(path, 'cgroup.procs')))];
}

function removeTree(path: string): boolean {
  if (!existsSync(path)) return true;
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeTree(join(path, entry.name));
  try {
    rmdirSync(path);
    return true;
  } catch {
    return !existsSync(path);
  }
}
