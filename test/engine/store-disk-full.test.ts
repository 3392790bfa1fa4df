// A full disk and a read-only one, with real file systems that are so. Needs root for the mount.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppError } from '#lib/errors.ts';
import { createStore } from '#store/create-store.ts';
import { makeService } from '#store/fixtures.ts';
import { lockStateDirectory } from '#platform/state-lock.ts';
import { openSqliteBackend } from '#store/sqlite/backend.ts';
import type { Store } from '#store/store.ts';

const labels = { padding: 'x'.repeat(20_000) };

async function commitUntilRefused(store: Store, prefix: string): Promise<{ readonly ids: readonly string[]; readonly error: unknown }> {
  const ids: string[] = [];
  for (;;) {
    const service = makeService(`${prefix}${ids.length}`);
    try {
      await store.commit('control', [{ action: 'create', object: { ...service, spec: { ...service.spec, labels } } }]);
      ids.push(service.id);
    } catch (error) {
      return { ids, error };
    }
  }
}

test('a full disk refuses commits in clear words, keeps the rest, and takes commits again once there is space', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]);
  try {
    const path = join(folder, 'store.db');
    const filler = join(folder, 'filler');
    writeFileSync(filler, Buffer.alloc(1_000_000));
    const store = await createStore({ backend: openSqliteBackend({ path }) });
    const { ids, error } = await commitUntilRefused(store, 'a');
    assert.ok(error instanceof AppError && error.code === 'resourceExhausted', String(error));
    assert.match(error.message, /^the disk that holds \S+store\.db is full: nothing was changed; free some space and repeat the command$/);
    assert.ok(ids.length > 5);
    assert.equal(store.view.count('service'), ids.length);
    rmSync(filler);
    const more = await commitUntilRefused(store, 'b');
    assert.ok(more.ids.length > 5, `only ${more.ids.length} after space was freed`);
    await store.close();
    const again = await createStore({ backend: openSqliteBackend({ path }) });
    assert.deepEqual(
      [...again.view.list('service')].map(({ id }) => id),
      [...ids, ...more.ids].toSorted(),
    );
    await again.close();
  } finally {
    execFileSync('umount', [folder]);
    rmSync(folder, { recursive: true });
  }
});

test('a state directory on a read-only file system is refused in clear words, and taken once it can be written', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-read-only-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]);
  try {
    lockStateDirectory(folder).release();
    execFileSync('mount', ['-o', 'remount,ro', folder]);
    assert.throws(() => lockStateDirectory(folder), {
      code: 'failedPrecondition',
      message: `cannot lock the state directory ${folder}: it is on a read-only file system`,
    });
    execFileSync('mount', ['-o', 'remount,rw', folder]);
    lockStateDirectory(folder).release();
  } finally {
    execFileSync('umount', [folder]);
    rmSync(folder, { recursive: true });
  }
});
