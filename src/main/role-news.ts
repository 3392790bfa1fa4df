// Tells a node over its session that the managers want it to have another role than its certificate says.
import type { NodeRole } from '#domain/spec.ts';
import type { ManagerConnection, SessionMessage } from '#protocol/messages.ts';
import type { Store } from '#store/store.ts';

export interface RoleNews {
  readonly store: Store;
  readonly nodeId: string;
  /** Of the node's certificate. */
  readonly role: NodeRole;
}

/** The connection, with the news of the role between the messages of its sessions. */
export function withRoleNews(connection: ManagerConnection, news: RoleNews): ManagerConnection {
  return { ...connection, openSession: (description, signal) => mixed(connection.openSession(description, signal), news) };
}

async function* mixed(messages: AsyncIterable<SessionMessage>, { store, nodeId, role }: RoleNews): AsyncGenerator<SessionMessage> {
  const source = messages[Symbol.asyncIterator]();
  let wake = Promise.withResolvers<undefined>();
  const unwatch = store.watch((_revision, events) => {
    if (events.some(({ object }) => object.kind === 'node' && object.id === nodeId)) wake.resolve(undefined);
  });
  let told: NodeRole = role;
  let next: Promise<IteratorResult<SessionMessage>> | undefined;
  let isOpen = false;
  try {
    for (;;) {
      const wanted = store.view.get('node', nodeId)?.spec.role;
      if (isOpen && wanted !== undefined && wanted !== told) {
        told = wanted;
        yield { kind: 'role', role: wanted };
      }
      next ??= source.next();
      // Swallowed here only: the race below is where it counts.
      next.catch(() => {});
      const result = await Promise.race([next, wake.promise]);
      if (result === undefined) {
        wake = Promise.withResolvers();
        continue;
      }
      next = undefined;
      if (result.done === true) return;
      isOpen = true;
      yield result.value;
    }
  } finally {
    unwatch();
    await source.return?.();
  }
}
