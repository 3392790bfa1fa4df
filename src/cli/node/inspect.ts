// `node inspect`.
import type { Node } from '#docker-api/node.ts';
import type { CommandSpec } from '../command.ts';
import { inspect } from '../format/inspect.ts';
import { segment } from '../shared/each.ts';
import { inspectFormatFlag, jsonFlag, prettyFlag } from '../shared/options.ts';
import { inspectPretty, wantsPretty, withJson } from '../shared/pretty.ts';
import { nodeShape } from '../shared/shapes.ts';
import { prettyNode } from './pretty.ts';
import { nodeReference } from './reference.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] self|NODE [NODE...]',
  arguments: { minimum: 1 },
  flags: [inspectFormatFlag, prettyFlag, jsonFlag],
  completes: 'node',
  async run(invocation) {
    const client = await invocation.client();
    const fetch = async (reference: string) => client.text('GET', `/nodes/${segment(await nodeReference(client, reference))}`);
    if (wantsPretty(invocation)) return inspectPretty(invocation, fetch, (text) => prettyNode(JSON.parse(text) as Node));
    return inspect(withJson(invocation), { references: invocation.args, fetch, shape: nodeShape });
  },
};
