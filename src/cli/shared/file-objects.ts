// `ls`, `inspect` and `rm` of secrets and configs, which differ in little but their names.
import type { Config, Secret } from '#docker-api/secret-config.ts';
import type { StructShape } from '#docker-api/shape.ts';
import type { CommandSpec, CompletionKind } from '../command.ts';
import { ago, goTime } from '../format/duration.ts';
import { inspect } from '../format/inspect.ts';
import { byNaturalOrder, type ListFormat, renderList } from '../format/list.ts';
import { labelLines } from '../node/pretty.ts';
import { forEach, segment } from './each.ts';
import { filterFlag, filterQuery, filtersOf, formatOf, inspectFormatFlag, jsonFlag, listFormatFlag, prettyFlag } from './options.ts';
import { inspectPretty, wantsPretty, withJson } from './pretty.ts';

export interface FileNoun {
  readonly kind: 'secret' | 'config';
  readonly shape: StructShape;
}

type FileObject = Secret & Config;

export function lsCommand({ kind }: FileNoun): CommandSpec {
  return {
    usage: '[OPTIONS]',
    arguments: { minimum: 0, maximum: 0 },
    flags: [filterFlag(), listFormatFlag, { name: 'quiet', short: 'q', description: 'Only display IDs' }, jsonFlag],
    async run(invocation) {
      const { flags, context, config } = invocation;
      const client = await invocation.client();
      const objects = await client.call<FileObject[]>('GET', `/${kind}s`, { query: filterQuery(filtersOf(invocation)) });
      objects.sort((a, b) => byNaturalOrder(a.Spec.Name ?? '', b.Spec.Name ?? ''));
      const format = formatOf(invocation, config.values[`${kind}Format`]);
      context.stdout.write(renderList(objects, formatOfKind(kind, context.clock.now()), { format, quiet: flags.bool('quiet') }));
      return undefined;
    },
  };
}

function formatOfKind(kind: 'secret' | 'config', nowMs: number): ListFormat<FileObject> {
  const driver = { header: 'DRIVER', value: ({ Spec }: FileObject) => Spec.Driver?.Name ?? '' };
  return {
    defaultFormat: `table {{.ID}}\\t{{.Name}}\\t${kind === 'secret' ? '{{.Driver}}\\t' : ''}{{.CreatedAt}}\\t{{.UpdatedAt}}`,
    typeName: `*${kind}.${kind}Context`,
    quietFormat: '{{.ID}}',
    labels: ({ Spec }) => Spec.Labels ?? {},
    columns: {
      ID: { header: 'ID', value: ({ ID }) => ID },
      Name: { header: 'NAME', value: ({ Spec }) => Spec.Name ?? '' },
      ...(kind === 'secret' ? { Driver: driver } : {}),
      CreatedAt: { header: 'CREATED', value: ({ CreatedAt }) => ago(CreatedAt, nowMs) },
      UpdatedAt: { header: 'UPDATED', value: ({ UpdatedAt }) => ago(UpdatedAt, nowMs) },
      Labels: { header: 'LABELS', value: ({ Spec }) => labelsText(Spec.Labels) },
    },
  };
}

/** `a=1,b=2`. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined | null): string {
  return Object.entries(labels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}

export function inspectCommand({ kind, shape }: FileNoun): CommandSpec {
  return {
    usage: `[OPTIONS] ${kind.toUpperCase()} [${kind.toUpperCase()}...]`,
    arguments: { minimum: 1 },
    flags: [inspectFormatFlag, prettyFlag, jsonFlag],
    completes: kind satisfies CompletionKind,
    async run(invocation) {
      const client = await invocation.client();
      const fetch = (reference: string) => client.text('GET', `/${kind}s/${segment(reference)}`);
      if (wantsPretty(invocation)) return inspectPretty(invocation, fetch, (text) => pretty(kind, JSON.parse(text) as FileObject));
      return inspect(withJson(invocation), { references: invocation.args, fetch, shape });
    },
  };
}

function pretty(kind: 'secret' | 'config', { ID, Spec, CreatedAt, UpdatedAt }: FileObject): string {
  if (kind === 'secret')
    return [
      `ID:              ${ID}`,
      `Name:              ${Spec.Name ?? ''}`,
      ...labelLines('Labels', Spec.Labels),
      `Driver:            ${Spec.Driver?.Name ?? ''}`,
      `Created at:        ${goTime(CreatedAt).toLowerCase()}`,
      `Updated at:        ${goTime(UpdatedAt).toLowerCase()}`,
    ].join('\n');
  const lines = [`ID:\t\t\t${ID}`, `Name:\t\t\t${Spec.Name ?? ''}`, ...labelLines('Labels', Spec.Labels)];
  lines.push(`Created at:            \t${goTime(CreatedAt).toLowerCase()}`, `Updated at:            \t${goTime(UpdatedAt).toLowerCase()}`);
  lines.push('Data:', Buffer.from(Spec.Data ?? '', 'base64').toString());
  return lines.join('\n');
}

export function rmCommand({ kind }: FileNoun): CommandSpec {
  return {
    usage: `${kind.toUpperCase()} [${kind.toUpperCase()}...]`,
    arguments: { minimum: 1 },
    flags: [],
    completes: kind satisfies CompletionKind,
    async run(invocation) {
      const client = await invocation.client();
      return forEach(invocation, invocation.args, async (reference) => {
        await client.call('DELETE', `/${kind}s/${segment(reference)}`);
        return reference;
      });
    },
  };
}
