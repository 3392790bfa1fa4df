// What a node hears over its session besides its assignments: that the managers want it to have another role than its certificate says, and where managers are
// now. A session may last for months, and a node that knew only the managers of its beginning could find none when those are gone.
import { isDeepStrictEqual } from 'node:util';
import type { NodeRole } from '#domain/spec.ts';
import type { StoreEvent, View } from '#domain/view.ts';
import type { ManagerConnection, SessionMessage } from '#protocol/messages.ts';
import type { Store } from '#store/store.ts';

export interface News {
  readonly store: Store;
  readonly nodeId: string;
  /** Of the node's certificate. */
  readonly role: NodeRole;
}

/** The connection, with the news between the messages of its sessions. */
export function withNews(connection: ManagerConnection, news: News): ManagerConnection {
  return { ...connection, openSession: (description, signal) => mixed(connection.openSession(description, signal), news) };
}

async function* mixed(messages: AsyncIterable<SessionMessage>, { store, nodeId, role }: News): AsyncGenerator<SessionMessage> {
  const source = messages[Symbol.asyncIterator]();
  let wake = Promise.withResolvers<undefined>();
  const unwatch = store.watch((_revision, events) => {
    if (events.some((event) => event.object.kind === 'node' && (event.object.id === nodeId || concernsManagers(event)))) wake.resolve(undefined);
  });
  const told: Told = { role, managers: managersIn(store.view) };
  let next: Promise<IteratorResult<SessionMessage>> | undefined;
  let isOpen = false;
  try {
    for (;;) {
      if (isOpen) yield* unsaid(store.view, nodeId, told);
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

/** Most changes of nodes do not, and are many. */
function concernsManagers(event: StoreEvent): boolean {
  const isManager = (object: StoreEvent['object']) => object.kind === 'node' && object.manager !== undefined;
  return isManager(event.object) || (event.action === 'update' && isManager(event.previous));
}

type Managers = Extract<SessionMessage, { kind: 'managers' }>['managers'];

/** What the node was told last. */
interface Told {
  role: NodeRole;
  managers: Managers;
}

function* unsaid(view: View, nodeId: string, told: Told): Generator<SessionMessage> {
  const managers = managersIn(view);
  if (managers.length > 0 && !isDeepStrictEqual(managers, told.managers)) {
    told.managers = managers;
    yield { kind: 'managers', managers };
  }
  const role = view.get('node', nodeId)?.spec.role;
  if (role === undefined || role === told.role) return;
  told.role = role;
  yield { kind: 'role', role };
}

/** By id: who leads is no news. */
function managersIn(view: View): Managers {
  return [...view.list('node')]
    .flatMap(({ id, manager }) => (manager === undefined ? [] : [{ nodeId: id, address: manager.address }]))
    .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}
