// `self` as the name of a node.
import type { Client } from '#client/client.ts';
import { AppError } from '#lib/errors.ts';

/** The id that `self` stands for; any other reference as it is. */
export async function nodeReference(client: Client, reference: string): Promise<string> {
  if (reference !== 'self') return reference;
  const { Swarm } = await client.call<{ Swarm: { NodeID: string } }>('GET', '/info');
  if (Swarm.NodeID !== '') return Swarm.NodeID;
  // Asking for the list gives the daemon's own reason.
  await client.call('GET', '/nodes');
  throw new AppError('notFound', 'node ID not found in /info');
}
