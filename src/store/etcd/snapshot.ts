// Everything that the store keeps in etcd, read at one revision, and how a store that was kept elsewhere is brought there.
import type { StoreObject } from '#domain/objects.ts';
import { claimsOf } from '#domain/claims.ts';
import type { EtcdClient } from '#etcd/client.ts';
import type { KeyValue, Operation } from '#etcd/messages.ts';
import type { ObjectKey } from '../backend.ts';
import { isIntact, writeChecked } from '../checked-json.ts';
import { DEFAULT_PREFIX, type Holder, holderText, keysUnder, type Meta, parseHolder, parseMeta, parseObject } from './keys.ts';

export interface Snapshot {
  /** etcd's. */
  readonly revision: number;
  readonly meta: Meta;
  readonly objects: readonly { readonly key: string; readonly object: StoreObject; readonly modRevision: number }[];
  readonly claims: ReadonlyMap<string, Holder>;
}

/** Keys of one request: a few megabytes. */
const PAGE = 2_000;
/** Nobody waits for these. */
const CHECK_PAGE = 200;

export async function readSnapshot(client: EtcdClient, prefix = DEFAULT_PREFIX): Promise<Snapshot> {
  const keys = keysUnder(prefix);
  const items: KeyValue[] = [];
  let revision = 0;
  for (let key = prefix; ; ) {
    const page = await client.range({ key, prefix, limit: PAGE, revision });
    revision ||= page.revision;
    items.push(...page.items);
    const last = page.items.at(-1);
    if (!page.more || last === undefined) break;
    key = `${last.key}\0`;
  }
  const objects = items
    .filter(({ key }) => key.startsWith(keys.objects))
    .map(({ key, value, modRevision }) => ({ key, object: parseObject(key, value), modRevision }));
  const claims = items.filter(({ key }) => key.startsWith(keys.claims)).map(({ key, value }) => [key.slice(keys.claims.length), parseHolder(value)] as const);
  const meta = parseMeta(items.find(({ key }) => key === keys.meta)?.value);
  return { revision, meta, objects, claims: new Map(claims) };
}

/** Objects of the local member that are not as they were written. */
export async function* damagedObjects(client: EtcdClient, prefix: string, signal: AbortSignal): AsyncGenerator<ObjectKey> {
  const { objects } = keysUnder(prefix);
  for (let key = objects; !signal.aborted; ) {
    const page = await client.range({ key, prefix: objects, limit: CHECK_PAGE });
    for (const { key: found, value } of page.items) if (!isIntact(value)) yield parseHolder(found.slice(objects.length));
    const last = page.items.at(-1);
    if (!page.more || last === undefined) return;
    key = `${last.key}\0`;
  }
}

/**
 * Fills an empty etcd, which nobody else uses yet, with a store's contents as of `revision`. Objects keep their versions, in their JSON; revisions go on from
 * `revision`.
 */
export async function fillEtcd(client: EtcdClient, revision: number, objects: readonly StoreObject[], prefix = DEFAULT_PREFIX): Promise<void> {
  const keys = keysUnder(prefix);
  const operations: Operation[] = objects.flatMap((object) => [
    { key: keys.object(object.kind, object.id), value: writeChecked(object) },
    ...claimsOf(object).map((claim) => ({ key: keys.claim(claim), value: holderText(object) })),
  ]);
  for (let start = 0; start < operations.length; start += PAGE) await client.txn({ compare: [], success: operations.slice(start, start + PAGE) });
  const meta: Meta = { format: 1, base: revision };
  await client.txn({ compare: [], success: [{ key: keys.meta, value: JSON.stringify(meta) }] });
}
