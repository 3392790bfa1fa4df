// `stack history`, `show`, `rollback` and `export`.
import { exportStack, printProject } from '#compose/index.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { ago } from '../format/duration.ts';
import { type ListFormat, renderList } from '../format/list.ts';
import { formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';
import { carryOut, planFor } from './deploy.ts';
import { deployFlags } from './flags.ts';
import { NAMESPACE_LABEL, readObjects } from './objects.ts';
import { chooseRevision, readRevisions, type Revision } from './revisions.ts';

function historyFormat(nowMs: number): ListFormat<Revision> {
  return {
    defaultFormat: 'table {{.Revision}}\\t{{.Deployed}}\\t{{.Action}}\\t{{.Changes}}',
    quietFormat: '{{.Revision}}',
    columns: {
      Revision: { header: 'REVISION', value: ({ number }) => String(number) },
      Deployed: { header: 'DEPLOYED', value: ({ deployedAt }) => ago(deployedAt, nowMs) },
      DeployedAt: { header: 'DEPLOYED AT', value: ({ deployedAt }) => deployedAt },
      Action: { header: 'ACTION', value: ({ action }) => action },
      Changes: { header: 'CHANGES', value: ({ summary }) => summary },
    },
  };
}

export const history: CommandSpec = {
  usage: '[OPTIONS] STACK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [listFormatFlag, { name: 'quiet', short: 'q', description: 'Only display revision numbers' }, jsonFlag],
  completes: 'stack',
  async run(invocation) {
    const { flags, args, context } = invocation;
    const known = await readRevisions(await invocation.client(), args[0] ?? '');
    if (known.length === 0) throw new AppError('notFound', `nothing found in stack: ${args[0]}`);
    const rows = known.map(({ revision }) => revision).toReversed();
    context.stdout.write(renderList(rows, historyFormat(context.clock.now()), { format: formatOf(invocation), quiet: flags.bool('quiet') }));
    return undefined;
  },
};

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new AppError('invalidArgument', `invalid revision ${JSON.stringify(text)}: it is a number of \`stack history\``);
  return Number(text);
}

export const show: CommandSpec = {
  usage: 'STACK [REVISION]',
  arguments: { minimum: 1, maximum: 2 },
  flags: [],
  completes: 'stack',
  async run({ args, context, client }) {
    const [stack = '', number] = args;
    const known = await readRevisions(await client(), stack);
    const last = known.at(-1)?.revision.number;
    context.stdout.write(chooseRevision(known, stack, numberOf(number) ?? last).source);
    return undefined;
  },
};

export const rollback: CommandSpec = {
  usage: '[OPTIONS] STACK [REVISION]',
  arguments: { minimum: 1, maximum: 2 },
  flags: deployFlags.filter(({ name }) => ['detach', 'quiet', 'timeout', 'with-registry-auth', 'prune'].includes(name)),
  completes: 'stack',
  async run(invocation) {
    const [name = '', number] = invocation.args;
    const revision = chooseRevision(await readRevisions(await invocation.client(), name), name, numberOf(number));
    invocation.context.stdout.write(`Rolling back stack ${name} to revision ${revision.number}\n`);
    const replan = () => planFor(invocation, revision.stack);
    return carryOut(invocation, {
      ...(await replan()),
      replan,
      stack: revision.stack,
      source: revision.source,
      resolveImage: 'never',
      action: `rollback to ${revision.number}`,
    });
  },
};

export const exportCommand: CommandSpec = {
  usage: '[OPTIONS] STACK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [{ name: 'format', type: 'string', description: 'Format of the output ("yaml", "json")', default: '"yaml"', choices: ['yaml', 'json'] }, jsonFlag],
  completes: 'stack',
  async run(invocation) {
    const { args, context } = invocation;
    const [name = ''] = args;
    const objects = await readObjects(await invocation.client(), await context.loadConverters());
    if (!objects.services.some(({ spec }) => spec.labels[NAMESPACE_LABEL] === name)) throw new AppError('notFound', `nothing found in stack: ${name}`);
    context.stdout.write(printProject(exportStack(name, objects), { format: formatOf(invocation) === 'json' ? 'json' : 'yaml' }));
    return undefined;
  },
};
