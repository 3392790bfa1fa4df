// `node promote` and `node demote`.
import type { CommandSpec } from '../command.ts';
import { forEach } from '../shared/each.ts';
import { changeNode } from './update.ts';

function roleCommand(role: 'manager' | 'worker', done: (reference: string) => string): CommandSpec {
  return {
    usage: 'NODE [NODE...]',
    arguments: { minimum: 1 },
    flags: [],
    completes: 'node',
    async run(invocation) {
      const client = await invocation.client();
      return forEach(invocation, invocation.args, async (reference) => {
        let line = done(reference);
        await changeNode(client, reference, (node) => {
          if (node.Spec.Role !== role) return { ...node.Spec, Role: role };
          line = `Node ${node.ID} is already a ${role}.`;
          return undefined;
        });
        return line;
      });
    },
  };
}

export const promote = roleCommand('manager', (reference) => `Node ${reference} promoted to a manager in the swarm.`);
export const demote = roleCommand('worker', (reference) => `Manager ${reference} demoted in the swarm.`);
