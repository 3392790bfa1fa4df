// `images`: of this engine, of another node's, or of all nodes'. One row per name that an image has.
import type { CommandSpec } from '../command.ts';
import { ago } from '../format/duration.ts';
import { type ListFormat, rawForm, renderList, shortId } from '../format/list.ts';
import { humanSize } from '../format/size.ts';
import { allNodesFlag, nodeColumn, nodeFlag, type OnNode } from '../node-flags.ts';
import { filterFlag, filterQuery, filtersOf, formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';

export interface Image extends OnNode {
  readonly Id: string;
  readonly RepoTags: readonly string[] | null;
  readonly RepoDigests: readonly string[] | null;
  readonly Created: number;
  readonly Size: number;
  readonly SharedSize?: number;
  readonly Containers?: number;
}

/** One line: an image by one of its names. */
export interface Row {
  readonly image: Image;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

const NONE = '<none>';

export const command: CommandSpec = {
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  arguments: { minimum: 0, maximum: 1 },
  flags: [
    { name: 'all', short: 'a', description: 'Show all images (default hides intermediate images)' },
    allNodesFlag,
    { name: 'digests', description: 'Show digests' },
    filterFlag(),
    listFormatFlag,
    { name: 'no-trunc', description: "Don't truncate output" },
    nodeFlag,
    { name: 'quiet', short: 'q', description: 'Only show image IDs' },
    jsonFlag,
  ],
  async run(invocation) {
    const { flags, args, context } = invocation;
    const filters = { ...filtersOf(invocation), ...(args[0] === undefined ? {} : { reference: [args[0]] }) };
    const query = { ...filterQuery(filters), ...(flags.bool('all') ? { all: 1 } : {}) };
    const images = await (await invocation.client()).call<Image[]>('GET', '/images/json', { query });
    const format = formatOf(invocation);
    const withDigests = flags.bool('digests') || format.includes('.Digest');
    const table = imageFormat({
      noTrunc: flags.bool('no-trunc'),
      withDigests: flags.bool('digests'),
      withNode: flags.bool('all-nodes'),
      nowMs: context.clock.now(),
    });
    const rows = images.flatMap((image) => rowsOf(image, withDigests));
    context.stdout.write(renderList(rows, table, { format, quiet: flags.bool('quiet') }));
    return undefined;
  },
};

/** As docker's: tags, each with its repository's digests if these are wanted; repositories that have only digests after them. */
function rowsOf(image: Image, withDigests: boolean): readonly Row[] {
  const tags = (image.RepoTags ?? []).filter((name) => name !== `${NONE}:${NONE}`).map((name) => splitAt(name, name.lastIndexOf(':')));
  const digests = (image.RepoDigests ?? []).filter((name) => name !== `${NONE}@${NONE}`).map((name) => splitAt(name, name.indexOf('@')));
  const digestsOf = (repository: string) => (withDigests ? digests.filter(([of]) => of === repository).map(([, digest]) => digest) : []);
  const tagged = tags.flatMap(([repository, tag]) => {
    const known = digestsOf(repository);
    return (known.length === 0 ? [NONE] : known).map((digest): Row => ({ image, repository, tag, digest }));
  });
  const untagged = digests.filter(([repository]) => !tags.some(([other]) => other === repository));
  const others = withDigests ? untagged : untagged.filter(([repository], index) => untagged.findIndex(([other]) => other === repository) === index);
  const rows = [...tagged, ...others.map(([repository, digest]): Row => ({ image, repository, tag: NONE, digest }))];
  return rows.length > 0 ? rows : [{ image, repository: NONE, tag: NONE, digest: NONE }];
}

function splitAt(name: string, index: number): readonly [string, string] {
  return index < 0 ? [name, NONE] : [name.slice(0, index), name.slice(index + 1)];
}

export interface Shown {
  readonly noTrunc: boolean;
  readonly withDigests: boolean;
  readonly withNode: boolean;
  readonly nowMs: number;
}

export function imageFormat({ noTrunc, withDigests, withNode, nowMs }: Shown): ListFormat<Row> {
  const size = (bytes: number | undefined) => (bytes === undefined || bytes < 0 ? 'N/A' : humanSize(bytes));
  const digests = withDigests ? '\\t{{.Digest}}' : '';
  return {
    defaultFormat: `table {{.Repository}}\\t{{.Tag}}${digests}\\t{{.ID}}\\t{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\\t{{.Size}}${withNode ? '\\t{{.Node}}' : ''}`,
    quietFormat: '{{.ID}}',
    raw: {
      full: rawForm({
        repository: 'Repository',
        tag: 'Tag',
        ...(withDigests ? { digest: 'Digest' } : {}),
        image_id: 'ID',
        created_at: 'CreatedAt',
        virtual_size: 'Size',
      }),
      quiet: 'image_id: {{.ID}}',
    },
    typeName: '*formatter.imageContext',
    columns: {
      ID: { header: 'IMAGE ID', value: ({ image }) => (noTrunc ? image.Id : shortId(image.Id)) },
      Repository: { header: 'REPOSITORY', value: ({ repository }) => repository },
      Tag: { header: 'TAG', value: ({ tag }) => tag },
      Digest: { header: 'DIGEST', value: ({ digest }) => digest },
      CreatedSince: { header: 'CREATED', value: ({ image }) => (image.Created <= 0 ? '' : ago(new Date(image.Created * 1000).toISOString(), nowMs)) },
      CreatedAt: {
        header: 'CREATED AT',
        value: ({ image }) => `${new Date(image.Created * 1000).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`,
      },
      Size: { header: 'SIZE', value: ({ image }) => humanSize(image.Size, 3) },
      Containers: { header: 'CONTAINERS', value: ({ image }) => ((image.Containers ?? -1) < 0 ? 'N/A' : String(image.Containers)) },
      VirtualSize: { header: 'SIZE', value: ({ image }) => humanSize(image.Size) },
      SharedSize: { header: 'SHARED SIZE', value: ({ image }) => size(image.SharedSize) },
      UniqueSize: {
        header: 'UNIQUE SIZE',
        value: ({ image }) => ((image.SharedSize ?? -1) < 0 ? 'N/A' : humanSize(image.Size - (image.SharedSize ?? 0))),
      },
      ...(withNode ? { Node: { header: nodeColumn.header, value: ({ image }) => nodeColumn.value(image) } } : {}),
    },
  };
}
