// `system df -v`: every image, container, volume and piece of the build cache with what it takes, in the tables of their own lists.
import { containerFormat } from '../container/ps.ts';
import type { Container } from '../container/ps.ts';
import { imageFormat } from '../image/ls.ts';
import type { Image, Row as ImageRow } from '../image/ls.ts';
import { ago, goTime } from '../format/duration.ts';
import { type ListFormat, renderList, rowValue, shortId } from '../format/list.ts';
import { humanSize } from '../format/size.ts';
import { compileFormat, runFormat, withJsonText } from '../format/template.ts';
import { nodeColumn, type OnNode } from '../node-flags.ts';
import { type Volume, volumeFormat } from '../volume/ls.ts';
import { struct, type TemplateValue } from '#lib/go-template.ts';

export interface CacheItem extends OnNode {
  readonly ID: string;
  readonly Parent?: string;
  readonly Type: string;
  readonly Description?: string;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly Size: number;
  readonly CreatedAt: string;
  readonly LastUsedAt?: string | null;
  readonly UsageCount: number;
}

export interface Listing {
  readonly images: readonly Image[];
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
  readonly caches: readonly CacheItem[];
}

interface Asked {
  readonly format: string;
  readonly withNode: boolean;
  readonly nowMs: number;
}

export function verboseText(listing: Listing, asked: Asked): string {
  const { format, withNode } = asked;
  const isTable = format === '' || format.startsWith('table');
  const shown = { noTrunc: !isTable, withNode: false, nowMs: asked.nowMs };
  const images = imageFormat({ ...shown, withDigests: true });
  const containers = containerFormat({ ...shown, withSize: true });
  const caches = cacheFormat(shown);
  const rows = listing.images.map(imageRow);
  if (!isTable && format !== 'raw') {
    const value = listingValue({ ...listing, images: rows }, { images, containers, caches });
    return runFormat(compileFormat(format === 'json' ? '{{json .}}' : format), value);
  }
  if (format === 'raw') {
    const typed = <Row>(type: string, noun: ListFormat<Row>) => ({
      ...noun,
      ...(noun.raw === undefined ? {} : { raw: { ...noun.raw, full: `type: ${type}\n${noun.raw.full}` } }),
    });
    return (
      renderList(rows, typed('Image', images), { format }) +
      renderList(listing.containers, typed('Container', containers), { format }) +
      renderList(listing.volumes, typed('Volume', volumeFormat), { format })
    );
  }
  const table = <Row>(items: readonly Row[], noun: ListFormat<Row>, columns: string, column?: ListFormat<Row>['columns'][string]) =>
    renderList(
      items,
      {
        ...noun,
        defaultFormat: `table ${columns}${withNode ? '\\t{{.Node}}' : ''}`,
        ...(withNode && column !== undefined ? { columns: { ...noun.columns, Node: column } } : {}),
      },
      { format: '' },
    );
  const cacheSize = listing.caches.filter(({ Shared }) => !Shared).reduce((total, { Size }) => total + Size, 0);
  return `Images space usage:

${table(rows, images, IMAGE_COLUMNS, { header: nodeColumn.header, value: ({ image }) => nodeColumn.value(image) })}
Containers space usage:

${table(listing.containers, containers, CONTAINER_COLUMNS, nodeColumn)}
Local Volumes space usage:

${table(listing.volumes, volumeFormat, '{{.Name}}\\t{{.Links}}\\t{{.Size}}', nodeColumn)}
Build cache usage: ${humanSize(cacheSize)}

${table(listing.caches, caches, CACHE_COLUMNS, nodeColumn)}`;
}

const IMAGE_COLUMNS = '{{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}\\t{{.SharedSize}}\\t{{.UniqueSize}}\\t{{.Containers}}';
const CONTAINER_COLUMNS = '{{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.LocalVolumes}}\\t{{.Size}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Names}}';
const CACHE_COLUMNS = '{{.ID}}\\t{{.CacheType}}\\t{{.Size}}\\t{{.CreatedSince}}\\t{{.LastUsedSince}}\\t{{.UsageCount}}\\t{{.Shared}}';

const NONE = '<none>';

/** One row per image, by its first name. */
function imageRow(image: Image): ImageRow {
  const name = image.RepoTags?.[0] ?? '';
  const colon = name.lastIndexOf(':');
  if (colon > 0) return { image, repository: name.slice(0, colon), tag: name.slice(colon + 1), digest: '' };
  return { image, repository: image.RepoDigests?.[0]?.split('@')[0] ?? NONE, tag: NONE, digest: '' };
}

interface Formats {
  readonly images: ListFormat<ImageRow>;
  readonly containers: ListFormat<Container>;
  readonly caches: ListFormat<CacheItem>;
}

/** What a template sees: the four lists. Their `json` is docker's. */
function listingValue(
  { images: imageRows, containers: containerRows, volumes, caches: cacheRows }: Omit<Listing, 'images'> & { readonly images: readonly ImageRow[] },
  { images, containers, caches }: Formats,
): TemplateValue {
  const lists: Record<string, TemplateValue[]> = {
    Images: imageRows.map((row) => rowValue(row, images)),
    Containers: containerRows.map((row) => rowValue(row, containers)),
    Volumes: volumes.map((row) => rowValue(row, volumeFormat)),
    BuildCache: cacheRows.map((row) => rowValue(row, caches)),
  };
  const json = compileFormat('{{json .}}');
  const texts = Object.entries(lists).map(([name, list]) => `${JSON.stringify(name)}:[${list.map((item) => runFormat(json, item)).join(',')}]`);
  return withJsonText(struct('formatter.diskUsageContext', lists), `{${texts.join(',')}}`);
}

function cacheFormat({ noTrunc, nowMs }: { readonly noTrunc: boolean; readonly nowMs: number }): ListFormat<CacheItem> {
  const since = (moment: string | null | undefined) => (moment ? ago(moment, nowMs) : '');
  return {
    defaultFormat: `table ${CACHE_COLUMNS}`,
    quietFormat: '{{.ID}}',
    typeName: '*formatter.buildCacheContext',
    columns: {
      ID: { header: 'CACHE ID', value: ({ ID, InUse }) => `${noTrunc ? ID : shortId(ID)}${InUse ? '*' : ''}` },
      Parent: { header: 'PARENT', value: ({ Parent = '' }) => (noTrunc ? Parent : shortId(Parent)) },
      CacheType: { header: 'CACHE TYPE', value: ({ Type }) => Type },
      Description: { header: 'DESCRIPTION', value: ({ Description = '' }) => Description },
      InUse: { header: 'IN USE', value: ({ InUse }) => String(InUse) },
      Shared: { header: 'SHARED', value: ({ Shared }) => String(Shared) },
      Size: { header: 'SIZE', value: ({ Size }) => humanSize(Size, 3) },
      CreatedAt: { header: 'CREATED AT', value: ({ CreatedAt }) => goTime(CreatedAt) },
      CreatedSince: { header: 'CREATED', value: ({ CreatedAt }) => since(CreatedAt) },
      LastUsedAt: { header: 'LAST USED AT', value: ({ LastUsedAt }) => (LastUsedAt ? goTime(LastUsedAt) : '') },
      LastUsedSince: { header: 'LAST USED', value: ({ LastUsedAt }) => since(LastUsedAt) },
      UsageCount: { header: 'USAGE', value: ({ UsageCount }) => String(UsageCount) },
    },
  };
}
