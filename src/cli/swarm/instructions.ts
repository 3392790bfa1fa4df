// What users are told to do next.
import type { Client } from '#client/client.ts';
import type { Node } from '#docker-api/node.ts';
import { segment } from '../shared/each.ts';

/** The join command, with the address that this manager told the swarm. */
export async function joinInstructions(client: Client, role: 'worker' | 'manager', token: string, programName: string): Promise<string> {
  const { Swarm } = await client.call<{ Swarm: { NodeID: string } }>('GET', '/info');
  const node = await client.call<Node>('GET', `/nodes/${segment(Swarm.NodeID)}`);
  if (node.ManagerStatus === undefined) return '';
  return `To add a ${role} to this swarm, run the following command:\n\n    ${programName} swarm join --token ${token} ${node.ManagerStatus.Addr ?? ''}\n\n`;
}

export function unlockInstructions(key: string, programName: string): string {
  return `To unlock a swarm manager after it restarts, run the \`${programName} swarm unlock\`
command and provide the following key:

    ${key}

Remember to store this key in a password manager, since without it you
will not be able to restart the manager.
`;
}
