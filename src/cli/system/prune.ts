// `system prune`, and the prune of each kind that has a command of its own.
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { humanSize } from '../format/size.ts';
import { allNodesFlag, nodeFlag } from '../node-flags.ts';
import { confirm, forceFlag, pruneCommand, pruneFilterFlag, pruneFilters, type PruneKind, pruneOf } from '../shared/prune.ts';

export const containers = pruneCommand({
  kind: 'containers',
  example: 'until=<timestamp>',
  warning: () => 'This will remove all stopped containers.',
});

export const networks = pruneCommand({
  kind: 'networks',
  example: 'until=<timestamp>',
  warning: () => 'This will remove all custom networks not used by at least one container.',
  withoutSpace: true,
});

export const volumes = pruneCommand({
  kind: 'volumes',
  example: 'label=<label>',
  flags: [{ name: 'all', short: 'a', description: 'Remove all unused volumes, not just anonymous ones' }],
  warning: ({ flags }) => `This will remove ${flags.bool('all') ? 'all' : 'anonymous'} local volumes not used by at least one container.`,
  more: ({ flags }): Record<string, string[]> => (flags.bool('all') ? { all: ['true'] } : {}),
});

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [
    { name: 'all', short: 'a', description: 'Remove all unused images not just dangling ones' },
    allNodesFlag,
    pruneFilterFlag('label=<key>=<value>'),
    forceFlag,
    nodeFlag,
    { name: 'volumes', description: 'Prune anonymous volumes' },
  ],
  async run(invocation) {
    const { flags, context } = invocation;
    const filters = pruneFilters(invocation);
    if (flags.bool('volumes') && filters['until'] !== undefined)
      throw new AppError('invalidArgument', 'ERROR: The "until" filter is not supported with "--volumes"');
    if (!(await confirm(invocation, warningOf(invocation, filters)))) return undefined;
    const client = await invocation.client();
    const kinds: readonly PruneKind[] = ['containers', 'networks', ...(flags.bool('volumes') ? (['volumes'] as const) : []), 'images', 'build'];
    let bytes = 0;
    for (const kind of kinds) {
      const more: Record<string, string[]> =
        kind === 'images' ? { dangling: [String(!flags.bool('all'))] } : kind === 'build' && flags.bool('all') ? { all: ['1'] } : {};
      const pruned = await pruneOf(client, kind, { ...filters, ...more });
      bytes += pruned.bytes;
      context.stdout.write(pruned.text);
    }
    context.stdout.write(`Total reclaimed space: ${humanSize(bytes)}\n`);
    return undefined;
  },
};

function warningOf({ flags }: Invocation, filters: Readonly<Record<string, readonly string[]>>): string {
  const all = flags.bool('all');
  const warnings = [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(flags.bool('volumes') ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
    all ? 'all build cache' : 'unused build cache',
  ];
  const shown = Object.entries(filters).flatMap(([name, values]) => values.map((value) => `  - ${name}=${value}\n`));
  const filtered = shown.length === 0 ? '' : `\n  Items to be pruned will be filtered with:\n${shown.toSorted().join('')}`;
  return `WARNING! This will remove:\n${warnings.map((warning) => `  - ${warning}\n`).join('')}${filtered}`;
}
