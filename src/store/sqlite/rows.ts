// The statements on the store's tables. Conditions are checked before anything is written, so that a refused commit needs no rollback
// and does not disturb others in the same transaction.
import type { DatabaseSync } from 'node:sqlite';
import type { ObjectKind, StoreObject } from '#domain/objects.ts';
import type { BackendResult, ObjectKey, StoredWrite } from '../backend.ts';
import { readChecked, writeChecked } from '../checked-json.ts';

export interface Rows {
  revision(): number;
  setRevision(revision: number): void;
  objects(): StoreObject[];
  /** Up to `limit` objects after the given one, in order of their keys. */
  page(after: ObjectKey, limit: number): readonly (ObjectKey & { readonly body: string })[];
  /** Why the writes may not happen, if so. */
  refusal(writes: readonly StoredWrite[]): BackendResult | undefined;
  write(writes: readonly StoredWrite[], revision: number): void;
}

export function createRows(database: DatabaseSync): Rows {
  const selectRevision = database.prepare("SELECT value FROM meta WHERE name = 'revision'");
  const updateRevision = database.prepare("UPDATE meta SET value = ? WHERE name = 'revision'");
  const selectObjects = database.prepare('SELECT version, body FROM object');
  const selectPage = database.prepare('SELECT kind, id, body FROM object WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT ?');
  const selectVersion = database.prepare('SELECT version FROM object WHERE kind = ? AND id = ?');
  const upsertObject = database.prepare(
    'INSERT INTO object (kind, id, version, body) VALUES (?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, body = excluded.body',
  );
  const deleteObject = database.prepare('DELETE FROM object WHERE kind = ? AND id = ?');
  const selectClaim = database.prepare('SELECT 1 FROM claim WHERE claim = ?');
  const insertClaim = database.prepare('INSERT INTO claim (claim, kind, id) VALUES (?, ?, ?)');
  const deleteClaim = database.prepare('DELETE FROM claim WHERE claim = ?');

  return {
    revision: () => Number(selectRevision.get()?.['value']),
    setRevision: (revision) => void updateRevision.run(revision),
    objects() {
      const objects: StoreObject[] = [];
      for (const { version, body } of selectObjects.iterate()) {
        const object: { version: number } & StoreObject = readChecked(String(body)) as StoreObject;
        objects.push(Object.assign(object, { version: Number(version) }));
      }
      return objects;
    },
    page: (after, limit) =>
      selectPage.all(after.kind, after.id, limit).map(({ kind, id, body }) => ({ kind: String(kind) as ObjectKind, id: String(id), body: String(body) })),
    refusal(writes) {
      for (const { kind, id, expectedVersion } of writes) {
        const version = Number(selectVersion.get(kind, id)?.['version'] ?? 0);
        if (version !== expectedVersion) return { kind: 'conflict', objectKind: kind, id };
      }
      const freed = new Set(writes.flatMap((write) => write.removeClaims));
      const taken = new Set<string>();
      for (const claim of writes.flatMap((write) => write.addClaims)) {
        if (taken.has(claim) || (!freed.has(claim) && selectClaim.get(claim))) return { kind: 'claimed', claim };
        taken.add(claim);
      }
      return undefined;
    },
    write(writes, revision) {
      for (const { removeClaims } of writes) for (const claim of removeClaims) deleteClaim.run(claim);
      for (const { kind, id, object, addClaims } of writes) {
        if (object) upsertObject.run(kind, id, revision, writeChecked(object));
        else deleteObject.run(kind, id);
        for (const claim of addClaims) insertClaim.run(claim, kind, id);
      }
    },
  };
}
