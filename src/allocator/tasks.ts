// A task's attachments: one address on each overlay network, and the step from new to pending.
import type { NetworkAttachment, Service, Task } from '#domain/objects.ts';
import { networkProblem } from './endpoints.ts';
import type { Round } from './round.ts';

/** Enters the task's step to pending, or why it cannot be taken. `serviceProblem` is what its service waits for. */
export function allocateTask(round: Round, task: Task, service: Service | undefined, serviceProblem: string | undefined): void {
  const result = serviceProblem === undefined ? attachmentsFor(round, task, service) : { error: serviceProblem };
  if ('error' in result) {
    if (task.status.error === result.error) return;
    round.changes.push({ action: 'update', object: { ...task, status: { ...task.status, timestamp: round.now, error: result.error } } });
    return;
  }
  const status = { state: 'pending', timestamp: round.now, message: 'pending task scheduling' } as const;
  round.changes.push({ action: 'update', object: { ...task, networks: result.attachments, status } });
}

type Attachments = { readonly attachments: readonly NetworkAttachment[] } | { readonly error: string };

function attachmentsFor(round: Round, task: Task, service: Service | undefined): Attachments {
  const attachments: NetworkAttachment[] = [];
  const taken: { readonly networkId: string; readonly address: string }[] = [];
  for (const wanted of wantedAttachments(task, service)) {
    const result = addressFor(round, task, wanted);
    if ('error' in result) {
      for (const { networkId, address } of taken) round.addresses(networkId)?.giveBack(address);
      return result;
    }
    for (const address of result.addresses) taken.push({ networkId: wanted.networkId, address });
    attachments.push({ ...wanted, addresses: result.addresses });
  }
  return { attachments };
}

/** What whoever made the task has written already (attachments of plain containers), else what its spec says. */
function wantedAttachments(task: Task, service: Service | undefined): readonly NetworkAttachment[] {
  if (task.networks.length > 0) return task.networks;
  return (task.spec.networks ?? service?.spec.networks ?? []).map(({ target, aliases, driverOptions }) => ({
    networkId: target,
    addresses: [],
    aliases: aliases ?? [],
    ...(driverOptions === undefined ? {} : { driverOptions }),
  }));
}

function addressFor(
  round: Round,
  task: Task,
  { networkId, addresses }: NetworkAttachment,
): { readonly addresses: readonly string[] } | { readonly error: string } {
  const problem = networkProblem(round, networkId);
  if (problem !== undefined) return { error: problem };
  const book = round.addresses(networkId);
  // A network of the engine's own: each node gives its addresses itself.
  if (book === undefined) return { addresses: [] };
  const [wanted] = addresses;
  if (wanted !== undefined && wanted !== '') {
    const result = book.takeWanted(wanted, task.id);
    return 'error' in result ? result : { addresses: [result.address] };
  }
  const address = book.take();
  const network = round.network(networkId);
  return address === undefined
    ? { error: `no available IPv4 addresses on this network's address pools: ${network?.spec.name} (${networkId})` }
    : { addresses: [address] };
}
