// Makes a store's file with given contents: what a backup is restored to.
import type { StoreObject } from '#domain/objects.ts';
import { claimsOf } from '#domain/claims.ts';
import { AppError } from '#lib/errors.ts';
import { openDatabase } from './backend.ts';
import { createRows } from './rows.ts';
import { storeError } from './sqlite-error.ts';

/** `path` must not exist yet. Objects keep their versions; revisions go on from `revision`. Durable when it returns; throws AppError. */
export function fillSqlite(path: string, revision: number, objects: readonly StoreObject[]): void {
  const database = openDatabase(path, 0);
  try {
    const rows = createRows(database);
    database.exec('BEGIN IMMEDIATE');
    for (const object of objects) {
      const { kind, id, version } = object;
      const write = { kind, id, object, expectedVersion: 0, addClaims: claimsOf(object), removeClaims: [] };
      const refused = rows.refusal([write]);
      if (refused !== undefined) throw new AppError('invalidArgument', `two objects are one and the same, or hold the same claim (${kind} ${id})`);
      rows.write([write], version);
    }
    rows.setRevision(revision);
    database.exec('COMMIT');
  } catch (error) {
    throw storeError(error, path);
  } finally {
    database.close();
  }
}
