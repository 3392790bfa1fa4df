// Removing what nobody uses: containers, networks, volumes, images and the build cache, of this engine, of another node's, or of all nodes'. Each kind by its own command,
// or several by `system prune`. Nothing is removed before the user has said yes.
import type { Client } from '#client/client.ts';
import type { CommandSpec, FlagSpec, Invocation } from '../command.ts';
import { humanSize } from '../format/size.ts';
import { allNodesFlag, nodeFlag } from '../node-flags.ts';
import { filterFlag, filterQuery, filtersOf } from './options.ts';
import { askLine } from './prompt.ts';

type Filters = Readonly<Record<string, readonly string[]>>;

interface Pruned {
  /** What was removed, as it is printed; empty for nothing. */
  readonly text: string;
  readonly bytes: number;
}

export type PruneKind = 'containers' | 'networks' | 'volumes' | 'images' | 'build';

interface Answer {
  readonly ContainersDeleted?: readonly string[] | null;
  readonly NetworksDeleted?: readonly string[] | null;
  readonly VolumesDeleted?: readonly string[] | null;
  readonly ImagesDeleted?: readonly { readonly Untagged?: string; readonly Deleted?: string }[] | null;
  readonly CachesDeleted?: readonly string[] | null;
  readonly SpaceReclaimed?: number;
}

const titles: Readonly<Record<PruneKind, string>> = {
  containers: 'Deleted Containers',
  networks: 'Deleted Networks',
  volumes: 'Deleted Volumes',
  images: 'Deleted Images',
  build: 'Deleted build cache objects',
};

export async function pruneOf(client: Client, kind: PruneKind, filters: Filters): Promise<Pruned> {
  const answer = (await client.call<Answer>('POST', `/${kind}/prune`, { query: filterQuery(filters) })) ?? {};
  const images = (answer.ImagesDeleted ?? []).map(({ Untagged, Deleted }) => (Untagged === undefined ? `deleted: ${Deleted}` : `untagged: ${Untagged}`));
  const names = [answer.ContainersDeleted, answer.NetworksDeleted, answer.VolumesDeleted, images, answer.CachesDeleted].flatMap((list) => list ?? []);
  return { text: names.length === 0 ? '' : `${titles[kind]}:\n${names.join('\n')}\n\n`, bytes: answer.SpaceReclaimed ?? 0 };
}

/** Whether the user says yes; `--force` says so beforehand. Anything else is a no, which is no failure. */
export async function confirm({ flags, context }: Invocation, warning: string): Promise<boolean> {
  if (flags.bool('force')) return true;
  const answer = await askLine(context, `${warning}\nAre you sure you want to continue? [y/N] `);
  return answer.toLowerCase() === 'y';
}

export const forceFlag: FlagSpec = { name: 'force', short: 'f', description: 'Do not prompt for confirmation' };

export function pruneFilterFlag(example: string): FlagSpec {
  const { short: _short, ...flag } = filterFlag(`Provide filter values (e.g. "${example}")`);
  return flag;
}

/** Filters of the command, and those of `pruneFilters` in the user's configuration. */
export function pruneFilters(invocation: Invocation): Filters {
  const filters: Record<string, string[]> = { ...filtersOf(invocation) };
  for (const configured of invocation.config.values.pruneFilters ?? []) {
    const equals = configured.indexOf('=');
    if (equals > 0) filters[configured.slice(0, equals)] = [...(filters[configured.slice(0, equals)] ?? []), configured.slice(equals + 1)];
  }
  return filters;
}

interface OneKind {
  readonly kind: PruneKind;
  readonly example: string;
  readonly warning: (invocation: Invocation) => string;
  readonly flags?: readonly FlagSpec[];
  readonly more?: (invocation: Invocation) => Filters;
  /** Networks take no space. */
  readonly withoutSpace?: boolean;
}

export function pruneCommand({ kind, example, warning, flags = [], more, withoutSpace }: OneKind): CommandSpec {
  return {
    usage: '[OPTIONS]',
    arguments: { minimum: 0, maximum: 0 },
    flags: [...flags, allNodesFlag, pruneFilterFlag(example), forceFlag, nodeFlag],
    async run(invocation) {
      if (!(await confirm(invocation, `WARNING! ${warning(invocation)}`))) return undefined;
      const { text, bytes } = await pruneOf(await invocation.client(), kind, { ...pruneFilters(invocation), ...more?.(invocation) });
      invocation.context.stdout.write(text + (withoutSpace ? '' : `Total reclaimed space: ${humanSize(bytes)}\n`));
      return undefined;
    },
  };
}
