// From etcd's news to the writes that the store's listeners are told of. The book remembers at which revision of etcd each object was last written, and who
// holds which claim, as of what was told last.
import type { WatchEvent } from '#etcd/messages.ts';
import type { StoredWrite } from '../backend.ts';
import { type Holder, type Keys, parseHolder, parseObject } from './keys.ts';
import type { Snapshot } from './snapshot.ts';

export interface RevisionBook {
  reset(snapshot: Snapshot): void;
  /** The revision that must be etcd's if the object's version is `version`. */
  modRevisionOf(key: string, version: number, base: number): number;
  readonly objects: Map<string, { readonly modRevision: number; readonly version: number }>;
  readonly claims: Map<string, Holder>;
}

export function createRevisionBook(): RevisionBook {
  const objects = new Map<string, { readonly modRevision: number; readonly version: number }>();
  const claims = new Map<string, Holder>();
  return {
    objects,
    claims,
    reset(snapshot) {
      objects.clear();
      claims.clear();
      for (const { key, modRevision, object } of snapshot.objects) objects.set(key, { modRevision, version: object.version });
      for (const [claim, holder] of snapshot.claims) claims.set(claim, holder);
    },
    modRevisionOf(key, version, base) {
      const known = objects.get(key);
      // Versions up to the base come from the engine before etcd; their objects carry them in their JSON.
      if (known !== undefined && known.version !== 0) return known.version === version ? known.modRevision : NEVER;
      return version - base;
    },
  };
}

/** No key has it: etcd's first write is revision 2. */
const NEVER = 1;

interface MutableWrite extends StoredWrite {
  readonly addClaims: string[];
  readonly removeClaims: string[];
}

/** All events of one revision as the writes of one commit. */
export function writesOfEvents(events: readonly WatchEvent[], keys: Keys, book: RevisionBook): readonly StoredWrite[] {
  const writes = new Map<string, MutableWrite>();
  for (const event of events) {
    if (!event.key.startsWith(keys.objects)) continue;
    const path = event.key.slice(keys.objects.length);
    if (event.isDelete) {
      book.objects.delete(event.key);
      writes.set(path, { ...parseHolder(path), expectedVersion: 0, addClaims: [], removeClaims: [] });
    } else {
      const object = parseObject(event.key, event.value);
      book.objects.set(event.key, { modRevision: event.modRevision, version: object.version });
      writes.set(path, { kind: object.kind, id: object.id, object, expectedVersion: 0, addClaims: [], removeClaims: [] });
    }
  }
  const [first] = writes.values();
  for (const event of events) {
    if (first === undefined || !event.key.startsWith(keys.claims)) continue;
    const claim = event.key.slice(keys.claims.length);
    if (event.isDelete) {
      book.claims.delete(claim);
      // Claims are given up before any is taken, so it does not matter with which write.
      first.removeClaims.push(claim);
    } else {
      book.claims.set(claim, parseHolder(event.value));
      writes.get(event.value)?.addClaims.push(claim);
    }
  }
  return [...writes.values()];
}

export interface Commit {
  /** etcd's. */
  readonly revision: number;
  readonly writes: readonly StoredWrite[];
}

/** What changed between what was told last and a new reading of everything: each object at the revision of its last write, removals last. */
export function commitsOfReload(snapshot: Snapshot, keys: Keys, book: RevisionBook): readonly Commit[] {
  const changes: { readonly revision: number; readonly write: MutableWrite }[] = [];
  const stored = new Set<string>();
  const claimsOfHolder = Map.groupBy(snapshot.claims, ([, { kind, id }]) => keys.object(kind, id));
  for (const { key, object, modRevision } of snapshot.objects) {
    stored.add(key);
    if (book.objects.get(key)?.modRevision === modRevision) continue;
    const addClaims = (claimsOfHolder.get(key) ?? []).map(([claim]) => claim);
    changes.push({ revision: modRevision, write: { kind: object.kind, id: object.id, object, expectedVersion: 0, addClaims, removeClaims: [] } });
  }
  changes.sort((a, b) => a.revision - b.revision);
  for (const key of book.objects.keys()) {
    if (stored.has(key)) continue;
    const write = { ...parseHolder(key.slice(keys.objects.length)), expectedVersion: 0, addClaims: [], removeClaims: [] };
    changes.push({ revision: snapshot.revision, write });
  }
  for (const claim of book.claims.keys()) if (!snapshot.claims.has(claim)) changes.at(-1)?.write.removeClaims.push(claim);
  return [...Map.groupBy(changes, ({ revision }) => revision)].map(([revision, group]) => ({ revision, writes: group.map(({ write }) => write) }));
}
