// A task's attachments: an address of each family on each overlay network, and the step from new to pending.
import type { NetworkAttachment, Service, Task } from '#domain/objects.ts';
import { familyOf } from '#lib/ip.ts';
import { type AddressBook, ofFamily } from './address-book.ts';
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
    const result = addressesFor(round, task, wanted);
    if ('error' in result) {
      for (const { networkId, address } of taken) round.addresses(networkId, familyOf(address))?.giveBack(address);
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

/** One address of each family that the network has: the one that was asked for, or any. */
function addressesFor(
  round: Round,
  task: Task,
  { networkId, addresses }: NetworkAttachment,
): { readonly addresses: readonly string[] } | { readonly error: string } {
  const problem = networkProblem(round, networkId);
  if (problem !== undefined) return { error: problem };
  const given: string[] = [];
  for (const family of [4, 6] as const) {
    const book = round.addresses(networkId, family);
    const [wanted] = ofFamily(addresses, family);
    // A network of the engine's own: each node gives its addresses itself.
    if (book === undefined && round.addresses(networkId) === undefined) continue;
    const result = book === undefined ? withoutFamily(wanted) : addressOf(book, wanted, task, `${round.network(networkId)?.spec.name} (${networkId})`, family);
    if (result === undefined) continue;
    if ('error' in result) {
      for (const address of given) round.addresses(networkId, familyOf(address))?.giveBack(address);
      return result;
    }
    given.push(result.address);
  }
  return { addresses: given };
}

/** libnetwork's words for an address that the network has no pool for. */
function withoutFamily(wanted: string | undefined): { readonly error: string } | undefined {
  return wanted === undefined ? undefined : { error: 'Requested address is out of range' };
}

function addressOf(
  book: AddressBook,
  wanted: string | undefined,
  task: Task,
  network: string,
  family: 4 | 6,
): { readonly address: string } | { readonly error: string } {
  if (wanted !== undefined) return book.takeWanted(wanted, task.id);
  const address = book.take();
  return address === undefined ? { error: `no available IPv${family} addresses on this network's address pools: ${network}` } : { address };
}
