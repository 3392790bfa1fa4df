import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { AppError } from '#lib/errors.ts';
import { testStoreBackend } from '../../../test/contracts/store-backend.ts';
import { createStore } from '../create-store.ts';
import { makeService } from '../fixtures.ts';
import { openSqliteBackend } from './backend.ts';

const folders: string[] = [];
function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'skep-store-'));
  folders.push(folder);
  return join(folder, 'store.db');
}
async function dispose(): Promise<void> {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
function pathFor(t: TestContext): string {
  t.after(dispose);
  return newPath();
}

testStoreBackend(
  'sqlite',
  async () => {
    const path = newPath();
    return { backend: openSqliteBackend({ path }), reopen: async () => openSqliteBackend({ path }) };
  },
  dispose,
);

async function fill(path: string, count: number): Promise<void> {
  const store = await createStore({ backend: openSqliteBackend({ path }) });
  await Promise.all(Array.from({ length: count }, (_, index) => store.commit('control', [{ action: 'create', object: makeService(`s${index}`) }])));
  await store.close();
}

function errorOf(run: () => unknown): AppError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    return error;
  }
  assert.fail('did not throw');
}

test('sqlite: nobody but the owner can read the files', async (t) => {
  const path = pathFor(t);
  const store = await createStore({ backend: openSqliteBackend({ path }) });
  await store.commit('control', [{ action: 'create', object: makeService('a') }]);
  const folder = join(path, '..');
  const files = readdirSync(folder);
  assert.deepEqual(files.toSorted(), ['store.db', 'store.db-wal']);
  for (const file of files) assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600, file);
  await store.close();
});

test('sqlite: a second daemon on the same file is refused', async (t) => {
  const path = pathFor(t);
  const backend = openSqliteBackend({ path });
  const error = errorOf(() => openSqliteBackend({ path, lockTimeoutMs: 20 }));
  assert.match(error.message, /is in use by another skepd/);
  await backend.close();
});

test('sqlite: a damaged file is named as such and not touched', async (t) => {
  const path = pathFor(t);
  await fill(path, 500);
  const { size } = statSync(path);
  truncateSync(path, Math.floor(size / 2));
  assert.match(errorOf(() => openSqliteBackend({ path })).message, /store\.db is damaged \(.+\); restore it from a backup/);
  writeFileSync(path, 'this is not a database, not even a short one');
  assert.match(errorOf(() => openSqliteBackend({ path })).message, /is damaged \(file is not a database\)/);
  assert.equal(statSync(path).size, 44);
});

test('sqlite: a body that is no JSON is damage too', async (t) => {
  const path = pathFor(t);
  await fill(path, 1);
  const database = new DatabaseSync(path);
  database.exec("UPDATE object SET body = '{'");
  database.close();
  const backend = openSqliteBackend({ path });
  await assert.rejects(backend.load(), /is damaged/);
  await backend.close();
});

/** As a disk does it: the body of one object, in the file itself. */
function flipIn(path: string, text: string): void {
  const bytes = readFileSync(path);
  assert(bytes.includes(text));
  // In every copy that the file has: which one counts only SQLite knows.
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) bytes.writeUInt8(bytes.readUInt8(at + 1) ^ 1, at + 1);
  writeFileSync(path, bytes);
}

test('sqlite: a bit that changed within a value is damage, although the rest is good SQL and good JSON', async (t) => {
  const path = pathFor(t);
  await fill(path, 20);
  flipIn(path, '"service-s3"');
  const backend = openSqliteBackend({ path });
  await assert.rejects(backend.load(), /store\.db is damaged \(the checksum does not fit the value\); restore it from a backup/);
  await backend.close();
});

test('sqlite: what an older version wrote, without a checksum, is read', async (t) => {
  const path = pathFor(t);
  await fill(path, 2);
  const database = new DatabaseSync(path);
  database.exec('UPDATE object SET body = rtrim(body, char(9, 10, 13, 32))');
  database.close();
  const backend = openSqliteBackend({ path });
  assert.equal((await backend.load()).objects.length, 2);
  await backend.close();
});

test('sqlite: what is damaged is found without reading everything at once', async (t) => {
  const path = pathFor(t);
  await fill(path, 500);
  const found = async () => {
    const backend = openSqliteBackend({ path });
    const damaged = [];
    for await (const key of backend.damaged?.(new AbortController().signal) ?? []) damaged.push(key);
    await backend.close();
    return damaged;
  };
  assert.deepEqual(await found(), []);
  flipIn(path, '"service-s417"');
  assert.deepEqual(await found(), [{ kind: 'service', id: 's417' }]);
});

test('sqlite: a file of a newer version is refused', async (t) => {
  const path = pathFor(t);
  await fill(path, 1);
  const database = new DatabaseSync(path);
  database.exec("UPDATE meta SET value = 99 WHERE name = 'schema'");
  database.close();
  assert.match(errorOf(() => openSqliteBackend({ path })).message, /written by a newer skepd \(schema 99/);
});

test('sqlite: a folder that is not there is a clear error', () => {
  assert.match(errorOf(() => openSqliteBackend({ path: '/nonexistent/store.db' })).message, /\/nonexistent\/store\.db cannot be opened for writing/);
});
