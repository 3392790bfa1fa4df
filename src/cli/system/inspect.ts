// `inspect`: whatever has the name, asked for kind by kind in docker's order.
import { AppError } from '#lib/errors.ts';
import type { StructShape } from '#docker-api/shape.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { nodeFlag } from '../node-flags.ts';
import { inspect } from '../format/inspect.ts';
import { segment } from '../shared/each.ts';
import { inspectFormatFlag, jsonFlag } from '../shared/options.ts';
import { withJson } from '../shared/pretty.ts';
import { configShape, networkShape, nodeShape, secretShape, serviceShape, taskShape, volumeShape } from '../shared/shapes.ts';

interface Kind {
  readonly name: string;
  readonly path: (reference: string) => string;
  readonly shape?: StructShape;
}

const kinds: readonly Kind[] = [
  { name: 'container', path: (reference) => `/containers/${reference}/json` },
  { name: 'image', path: (reference) => `/images/${reference}/json` },
  { name: 'network', path: (reference) => `/networks/${reference}`, shape: networkShape },
  { name: 'volume', path: (reference) => `/volumes/${reference}`, shape: volumeShape },
  { name: 'service', path: (reference) => `/services/${reference}`, shape: serviceShape },
  { name: 'task', path: (reference) => `/tasks/${reference}`, shape: taskShape },
  { name: 'node', path: (reference) => `/nodes/${reference}`, shape: nodeShape },
  { name: 'plugin', path: (reference) => `/plugins/${reference}/json` },
  { name: 'secret', path: (reference) => `/secrets/${reference}`, shape: secretShape },
  { name: 'config', path: (reference) => `/configs/${reference}`, shape: configShape },
];

/** `container inspect`: the same, of nothing else. */
export const containerCommand: CommandSpec = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  arguments: { minimum: 1 },
  flags: [inspectFormatFlag, nodeFlag, { name: 'size', short: 's', description: 'Display total file sizes' }, jsonFlag],
  completes: 'container',
  run: (invocation) => inspectAny(invocation, 'container'),
};

export const command: CommandSpec = {
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  arguments: { minimum: 1 },
  flags: [
    inspectFormatFlag,
    nodeFlag,
    { name: 'size', short: 's', description: 'Display total file sizes if the type is container' },
    { name: 'type', type: 'string', description: 'Only inspect objects of the given type', choices: kinds.map(({ name }) => name) },
    jsonFlag,
  ],
  completes: 'container',
  run: (invocation) => inspectAny(invocation, invocation.flags.text('type')),
};

async function inspectAny(invocation: Invocation, type: string): Promise<undefined> {
  const { flags, args } = invocation;
  const asked = type === '' ? kinds : kinds.filter(({ name }) => name === type);
  if (asked.length === 0)
    throw new AppError(
      'invalidArgument',
      `unknown type: ${JSON.stringify(type)}: must be one of ${kinds
        .map(({ name }) => JSON.stringify(name))
        .sort()
        .join(', ')}`,
    );
  const client = await invocation.client();
  const fetch = async (reference: string): Promise<string> => {
    for (const { name, path } of asked) {
      try {
        return await client.text('GET', path(segment(reference)), {
          query: name === 'service' ? { insertDefaults: true } : name === 'container' && flags.bool('size') ? { size: 1 } : {},
        });
      } catch (error) {
        // No swarm and no such plugin mean the same here: it is not that.
        const isMissing =
          error instanceof AppError && (error.code === 'notFound' || error.code === 'unavailable' || (asked.length > 1 && error.code === 'invalidArgument'));
        if (!isMissing || asked.length === 1 || /Cannot connect|error during connect|permission denied/.test(error.message)) throw error;
      }
    }
    throw new AppError('notFound', `Error: No such ${type === '' ? 'object' : type}: ${reference}`);
  };
  const shape = asked.length === 1 ? asked[0]?.shape : undefined;
  return inspect(withJson(invocation), { references: args, fetch, ...(shape === undefined ? {} : { shape }) });
}
