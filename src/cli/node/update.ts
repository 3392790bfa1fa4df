// `node update`, and the change of a node's spec that other verbs share.
import type { Client } from '#client/client.ts';
import type { Node, NodeSpec } from '#docker-api/node.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { forEach, segment } from '../shared/each.ts';
import { mapOf } from '../shared/options.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] NODE',
  arguments: { minimum: 1, maximum: 1 },
  flags: [
    { name: 'availability', type: 'string', description: 'Availability of the node ("active", "pause", "drain")', choices: ['active', 'pause', 'drain'] },
    { name: 'label-add', type: 'list', description: 'Add or update a node label ("key=value")' },
    { name: 'label-rm', type: 'list', description: 'Remove a node label if exists' },
    { name: 'role', type: 'string', description: 'Role of the node ("worker", "manager")', choices: ['worker', 'manager'] },
  ],
  completes: 'node',
  async run(invocation) {
    const { flags, args } = invocation;
    const client = await invocation.client();
    return forEach(invocation, args, async (reference) => {
      await changeNode(client, reference, (node) => {
        const labels = { ...node.Spec.Labels };
        for (const key of flags.texts('label-rm')) {
          if (!Object.hasOwn(labels, key)) throw new AppError('notFound', `key ${key} doesn't exist in node's labels`);
        }
        Object.assign(labels, mapOf(flags.texts('label-add')));
        for (const key of flags.texts('label-rm')) delete labels[key];
        return {
          ...node.Spec,
          Labels: labels,
          ...(flags.has('role') ? { Role: flags.text('role') } : {}),
          ...(flags.has('availability') ? { Availability: flags.text('availability') } : {}),
        };
      });
      return reference;
    });
  },
};

/** Reads the node, changes its spec, writes it. `change` returns undefined to leave it. */
export async function changeNode(client: Client, reference: string, change: (node: Node) => NodeSpec | undefined): Promise<Node> {
  const node = await client.call<Node>('GET', `/nodes/${segment(reference)}`);
  const spec = change(node);
  if (spec !== undefined) await client.call('POST', `/nodes/${segment(node.ID)}/update`, { query: { version: node.Version.Index ?? 0 }, body: spec });
  return node;
}
