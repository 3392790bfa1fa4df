// `system df`: what images, containers, volumes and the build cache take on the disk of an engine, or of all nodes'.
import type { CommandSpec } from '../command.ts';
import { type ListFormat, rawForm, renderList } from '../format/list.ts';
import { humanSize } from '../format/size.ts';
import { allNodesFlag, nodeColumn, nodeFlag, type OnNode } from '../node-flags.ts';
import type { Listing } from './df-verbose.ts';
import { formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';

interface DiskUsage {
  readonly LayersSize?: number;
  readonly Images?: readonly ImageUsage[] | null;
  readonly Containers?: readonly ContainerUsage[] | null;
  readonly Volumes?: readonly VolumeUsage[] | null;
  readonly BuildCache?: readonly CacheUsage[] | null;
}

interface ImageUsage extends OnNode {
  readonly Containers: number;
  readonly Size: number;
  readonly SharedSize: number;
}

interface ContainerUsage extends OnNode {
  readonly State: string;
  readonly SizeRw?: number;
}

interface VolumeUsage extends OnNode {
  readonly UsageData?: { readonly RefCount: number; readonly Size: number } | null;
}

interface CacheUsage extends OnNode {
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly Size: number;
}

interface Row extends OnNode {
  readonly type: string;
  readonly total: number;
  readonly active: number;
  readonly size: number;
  readonly reclaimable: number;
  /** Build caches have no share. */
  readonly withShare: boolean;
}

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [allNodesFlag, listFormatFlag, nodeFlag, { name: 'verbose', short: 'v', description: 'Show detailed information on space usage' }, jsonFlag],
  async run(invocation) {
    const { flags, context } = invocation;
    const usage = await (await invocation.client()).call<DiskUsage>('GET', '/system/df');
    const withNode = flags.bool('all-nodes');
    if (flags.bool('verbose')) {
      const { verboseText } = await import('./df-verbose.ts');
      const { Images, Containers, Volumes, BuildCache } = usage as { [Kind in keyof DiskUsage]?: unknown };
      const listing = { images: Images ?? [], containers: ofOwn(Containers), volumes: Volumes ?? [], caches: BuildCache ?? [] } as Listing;
      context.stdout.write(verboseText(listing, { format: formatOf(invocation), withNode, nowMs: context.clock.now() }));
      return undefined;
    }
    const rows = withNode ? nodesOf(usage).flatMap((node) => rowsOf(ofNode(usage, node)).map((row) => ({ ...row, Node: node }))) : rowsOf(usage);
    context.stdout.write(renderList(rows, usageFormat(withNode), { format: formatOf(invocation) }));
    return undefined;
  },
};

/** What a container takes beside its image: docker says nothing of that here. */
function ofOwn(containers: unknown): unknown {
  return ((containers ?? []) as readonly object[]).map((container) => ({ ...container, SizeRootFs: 0 }));
}

type NodeRef = NonNullable<OnNode['Node']>;

function nodesOf({ Images, Containers, Volumes, BuildCache }: DiskUsage): readonly NodeRef[] {
  const items: readonly OnNode[] = [...(Images ?? []), ...(Containers ?? []), ...(Volumes ?? []), ...(BuildCache ?? [])];
  const nodes = new Map(items.flatMap(({ Node }) => (Node === undefined ? [] : [[Node.ID, Node] as const])));
  return [...nodes.values()].toSorted((a, b) => (a.Name < b.Name ? -1 : 1));
}

/** Layers that images of a node share are known of the whole answer only: each image counts with what is its own, and the shared part once. */
function ofNode(usage: DiskUsage, { ID }: NodeRef): DiskUsage {
  const of = <T extends OnNode>(items: readonly T[] | null | undefined) => (items ?? []).filter(({ Node }) => Node?.ID === ID);
  return { Images: of(usage.Images), Containers: of(usage.Containers), Volumes: of(usage.Volumes), BuildCache: of(usage.BuildCache) };
}

function rowsOf({ LayersSize, Images, Containers, Volumes, BuildCache }: DiskUsage): readonly Row[] {
  const images = Images ?? [];
  const own = ({ Size, SharedSize }: ImageUsage) => Size - Math.max(0, SharedSize);
  const shared = Math.max(0, ...images.map(({ SharedSize }) => SharedSize));
  const layers = LayersSize ?? sum(images.map(own)) + shared;
  const used = images.filter((image) => image.Containers > 0);
  const containers = Containers ?? [];
  const volumes = Volumes ?? [];
  const caches = BuildCache ?? [];
  const volumeSize = ({ UsageData }: VolumeUsage) => Math.max(0, UsageData?.Size ?? 0);
  const isRunning = ({ State }: ContainerUsage) => ['running', 'paused', 'restarting'].includes(State);
  const isUsed = ({ UsageData }: VolumeUsage) => (UsageData?.RefCount ?? 0) > 0;
  return [
    {
      type: 'Images',
      total: images.length,
      active: used.length,
      size: layers,
      reclaimable: layers - sum(used.filter(({ Size }) => Size >= 0).map(own)),
      withShare: true,
    },
    {
      type: 'Containers',
      total: containers.length,
      active: containers.filter(isRunning).length,
      size: sum(containers.map(({ SizeRw = 0 }) => SizeRw)),
      reclaimable: sum(containers.filter((one) => !isRunning(one)).map(({ SizeRw = 0 }) => SizeRw)),
      withShare: true,
    },
    {
      type: 'Local Volumes',
      total: volumes.length,
      active: volumes.filter(isUsed).length,
      size: sum(volumes.map(volumeSize)),
      reclaimable: sum(volumes.filter((one) => !isUsed(one)).map(volumeSize)),
      withShare: true,
    },
    {
      type: 'Build Cache',
      total: caches.length,
      active: caches.filter(({ InUse }) => InUse).length,
      size: sum(caches.filter(({ Shared }) => !Shared).map(({ Size }) => Size)),
      reclaimable: sum(caches.filter(({ InUse, Shared }) => !InUse && !Shared).map(({ Size }) => Size)),
      withShare: false,
    },
  ];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function usageFormat(withNode: boolean): ListFormat<Row> {
  return {
    defaultFormat: `table ${withNode ? '{{.Node}}\\t' : ''}{{.Type}}\\t{{.TotalCount}}\\t{{.Active}}\\t{{.Size}}\\t{{.Reclaimable}}`,
    quietFormat: '{{.Type}}',
    raw: { full: rawForm({ type: 'Type', total: 'TotalCount', active: 'Active', size: 'Size', reclaimable: 'Reclaimable' }), quiet: 'type: {{.Type}}' },
    typeName: '*formatter.diskUsageContext',
    columns: {
      Type: { header: 'TYPE', value: ({ type }) => type },
      TotalCount: { header: 'TOTAL', value: ({ total }) => String(total) },
      Active: { header: 'ACTIVE', value: ({ active }) => String(active) },
      Size: { header: 'SIZE', value: ({ size }) => humanSize(size) },
      Reclaimable: {
        header: 'RECLAIMABLE',
        value: ({ size, reclaimable, withShare }) => `${humanSize(reclaimable)}${withShare && size > 0 ? ` (${Math.trunc((reclaimable * 100) / size)}%)` : ''}`,
      },
      ...(withNode ? { Node: nodeColumn } : {}),
    },
  };
}
