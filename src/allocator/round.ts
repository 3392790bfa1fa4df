// One decision of the allocator: the view, and on top of it what the decision has taken so far. Nothing here outlives the decision: what is taken by
// whom is read from the store's claims, so nothing can leak.
import type { Network } from '#domain/objects.ts';
import type { Change, View } from '#domain/view.ts';
import { familyOf } from '#lib/ip.ts';
import { type AddressBook, createAddressBook } from './address-book.ts';

export interface Round {
  readonly view: View;
  readonly now: number;
  readonly changes: Change[];
  /** Ingress port claims that this round gave out. */
  readonly takenPorts: Set<string>;
  /** A network as this round has left it. */
  network(id: string): Network | undefined;
  networks(): readonly Network[];
  changeNetwork(network: Network): void;
  /** Undefined for networks without such addresses of ours: not allocated yet, or local to each node, or without IPv6. */
  addresses(networkId: string, family?: 4 | 6): AddressBook | undefined;
  /** The changes of everything but networks, and one change for each network that has changed. */
  allChanges(): readonly Change[];
}

export function createRound(view: View, now: number): Round {
  const changed = new Map<string, Network>();
  const books = { 4: new Map<string, AddressBook | undefined>(), 6: new Map<string, AddressBook | undefined>() };
  const changes: Change[] = [];
  const network = (id: string) => changed.get(id) ?? view.get('network', id);

  /** Where the search for addresses has got to is kept with the network, so that a freed address is not given away at once. */
  function withCursor(id: string, family: 4 | 6, book: AddressBook | undefined): void {
    const current = network(id);
    const field = family === 4 ? 'cursor' : 'cursor6';
    if (book?.cursor === undefined || current?.state === undefined || current.state[field] === book.cursor) return;
    changed.set(id, { ...current, state: { ...current.state, [field]: book.cursor } });
  }

  return {
    view,
    now,
    changes,
    takenPorts: new Set(),
    network,
    networks: () => [...view.list('network')].map((stored) => changed.get(stored.id) ?? stored),
    changeNetwork(next) {
      changed.set(next.id, next);
      books[4].delete(next.id);
      books[6].delete(next.id);
    },
    addresses(networkId, family = 4) {
      let book = books[family].get(networkId);
      if (book === undefined) {
        const owner = network(networkId);
        const state = owner?.state;
        const has = state?.pools.some(({ subnet }) => familyOf(subnet) === family);
        book = owner !== undefined && state !== undefined && has ? createAddressBook(owner, state, view, family) : undefined;
        books[family].set(networkId, book);
      }
      return book;
    },
    allChanges() {
      for (const family of [4, 6] as const) for (const [id, book] of books[family]) withCursor(id, family, book);
      return [...changes, ...[...changed.values()].map((object): Change => ({ action: 'update', object }))];
    },
  };
}
