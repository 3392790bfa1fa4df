// The tables of the store's file and the steps that bring an older file up to date.
import type { DatabaseSync } from 'node:sqlite';
import { AppError } from '#lib/errors.ts';

/** Step n makes schema n + 1 out of schema n. Steps are never changed once released, only added. */
const steps: readonly string[] = [
  `CREATE TABLE object (kind TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)) STRICT;
   CREATE TABLE claim (claim TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL) STRICT, WITHOUT ROWID;
   INSERT INTO meta (name, value) VALUES ('revision', 0);`,
];

/** Makes or upgrades the tables, all steps or none. */
export function prepareSchema(database: DatabaseSync, path: string): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    database.exec('CREATE TABLE IF NOT EXISTS meta (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID');
    const row = database.prepare("SELECT value FROM meta WHERE name = 'schema'").get();
    const schema = Number(row?.['value'] ?? 0);
    if (schema > steps.length) {
      throw new AppError('failedPrecondition', `${path} was written by a newer skepd (schema ${schema}, this one knows ${steps.length}); start that version`);
    }
    for (const step of steps.slice(schema)) database.exec(step);
    if (schema < steps.length) database.prepare("INSERT OR REPLACE INTO meta (name, value) VALUES ('schema', ?)").run(steps.length);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
