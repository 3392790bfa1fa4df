// `context use` and `context rm`.
import { readContext, removeContext, listContexts } from '#client/contexts.ts';
import { AppError } from '#lib/errors.ts';
import { type CommandSpec, ExitError } from '../command.ts';
import type { DockerConfigFile } from '../docker-config.ts';

/** What DOCKER_HOST means for contexts. */
export function overridden(what: string): string {
  return `Warning: DOCKER_HOST environment variable overrides the active context. To use ${what}, either set the global --context flag, or unset DOCKER_HOST environment variable.\n`;
}

export const use: CommandSpec = {
  usage: 'CONTEXT',
  arguments: { minimum: 1, maximum: 1 },
  flags: [],
  completes: 'context',
  async run({ args, config, context }) {
    const [name = ''] = args;
    if (name !== 'default') readContext(config.folder, name);
    config.save((values) => withCurrent(values, name));
    context.stdout.write(`${name}\n`);
    if (name !== 'default' && context.environment['DOCKER_HOST']) context.stderr.write(overridden(JSON.stringify(name)));
    context.stderr.write(`Current context is now "${name}"\n`);
    return undefined;
  },
};

export const remove: CommandSpec = {
  usage: 'CONTEXT [CONTEXT...]',
  arguments: { minimum: 1 },
  flags: [{ name: 'force', short: 'f', description: 'Force the removal of a context in use' }],
  completes: 'context',
  async run({ args, flags, config, context }) {
    const failures: string[] = [];
    for (const name of args) {
      const problem = problemOf(name, { folder: config.folder, current: config.values.currentContext, force: flags.bool('force') });
      if (problem !== undefined) {
        failures.push(problem);
        continue;
      }
      removeContext(config.folder, name);
      if (config.values.currentContext === name) config.save((values) => withCurrent(values, 'default'));
      context.stdout.write(`${name}\n`);
    }
    if (failures.length === 0) return undefined;
    context.stderr.write(`${failures.join('\n')}\n`);
    throw new ExitError(1);
  },
};

function problemOf(name: string, { folder, current, force }: { folder: string; current: string | undefined; force: boolean }): string | undefined {
  if (name === 'default') return 'context "default" cannot be removed';
  if (!force && !listContexts(folder).some((known) => known.Name === name)) return `context "${name}" does not exist`;
  return name === current && !force ? `context "${name}" is in use, set -f flag to force remove` : undefined;
}

function withCurrent({ currentContext: _old, ...values }: DockerConfigFile, name: string): DockerConfigFile {
  if (name === '') throw new AppError('invalidArgument', 'context name cannot be empty');
  return name === 'default' ? values : { ...values, currentContext: name };
}
