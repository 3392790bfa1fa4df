// What every engine of the store must do, whatever it is made of. Each engine's test calls this with a way to open it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { claimsOf } from '#domain/claims.ts';
import type { StoreObject } from '#domain/objects.ts';
import type { StoreBackend, StoredWrite } from '#store/backend.ts';
import { createStore } from '#store/create-store.ts';
import { makeService } from '#store/fixtures.ts';
import { openSqliteBackend } from '#store/sqlite/backend.ts';
import { fillSqlite } from '#store/sqlite/fill.ts';

export interface BackendHarness {
  readonly backend: StoreBackend;
  /** A backend on the same data after the first was closed. */
  readonly reopen: () => Promise<StoreBackend>;
}

const createWrite = (id: string, fields: Partial<StoredWrite> = {}): StoredWrite => ({
  kind: 'service',
  id,
  object: makeService(id),
  expectedVersion: 0,
  addClaims: [],
  removeClaims: [],
  ...fields,
});

const idsAndVersions = (objects: readonly StoreObject[]) => objects.map(({ id, version }) => `${id}@${version}`).toSorted();

/** Declares the contract's tests. `open` gives a new empty engine for each; `dispose` frees what it took. */
export function testStoreBackend(name: string, open: () => Promise<BackendHarness>, dispose: () => Promise<void> = async () => {}): void {
  function contract(sentence: string, run: (harness: BackendHarness) => Promise<void>): void {
    test(`${name}: ${sentence}`, async () => {
      const harness = await open();
      try {
        await harness.backend.load();
        await run(harness);
      } finally {
        await harness.backend.close();
        await dispose();
      }
    });
  }

  contract('a new engine is empty', async ({ reopen, backend }) => {
    await backend.close();
    const again = await reopen();
    assert.deepEqual((await again.load()).objects, []);
    await again.close();
  });

  contract('what it holds, filled into a file as a restore does, is the same again with the same versions and claims', async ({ backend }) => {
    await backend.commit([createWrite('a'), createWrite('b')]);
    await backend.commit([createWrite('c', { addClaims: claimsOf(makeService('c')) })]);
    const store = await createStore({ backend });
    const objects = [...store.view.list('service')];
    const folder = mkdtempSync(join(tmpdir(), 'skep-fill-'));
    try {
      const path = join(folder, 'store.db');
      fillSqlite(path, 1_000_000, objects);
      const filled = await createStore({ backend: openSqliteBackend({ path }) });
      assert.equal(filled.view.revision, 1_000_000);
      assert.deepEqual([...filled.view.list('service')], objects);
      await assert.rejects(filled.commit('control', [{ action: 'create', object: makeService('d', { name: 'service-c' }) }]), { code: 'alreadyExists' });
      await filled.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  contract('revisions grow, and committed objects come back after a restart with their revision as version', async ({ backend, reopen }) => {
    const first = await backend.commit([createWrite('a'), createWrite('b')]);
    assert.ok(first.kind === 'committed');
    const second = await backend.commit([createWrite('a', { expectedVersion: first.revision, object: makeService('a', { specVersion: 5 }) })]);
    assert.ok(second.kind === 'committed' && second.revision > first.revision);
    await backend.close();
    const again = await reopen();
    const { revision, objects } = await again.load();
    assert.equal(revision, second.revision);
    assert.deepEqual(idsAndVersions(objects), [`a@${second.revision}`, `b@${first.revision}`]);
    const { version: _, ...rest } = objects.find(({ id }) => id === 'a') ?? { version: 0 };
    const { version: __, ...expected } = makeService('a', { specVersion: 5 });
    assert.deepEqual(rest, expected);
    await again.close();
  });

  contract('a wrong expected version refuses the whole commit, in each of its forms', async ({ backend, reopen }) => {
    const first = await backend.commit([createWrite('a')]);
    assert.ok(first.kind === 'committed');
    const wrong: StoredWrite[] = [
      createWrite('a'),
      createWrite('a', { expectedVersion: first.revision + 1 }),
      createWrite('missing', { expectedVersion: first.revision }),
      { kind: 'service', id: 'missing', expectedVersion: first.revision, addClaims: [], removeClaims: [] },
    ];
    for (const write of wrong) {
      assert.deepEqual(await backend.commit([createWrite('b', { addClaims: ['c'] }), write]), { kind: 'conflict', objectKind: 'service', id: write.id });
    }
    await backend.close();
    const again = await reopen();
    assert.deepEqual(idsAndVersions((await again.load()).objects), [`a@${first.revision}`]);
    assert.equal((await again.commit([createWrite('b', { addClaims: ['c'] })])).kind, 'committed');
    await again.close();
  });

  contract('a claim has one holder until it is given up, also across a restart', async ({ backend, reopen }) => {
    const first = await backend.commit([createWrite('a', { addClaims: ['x'] })]);
    assert.ok(first.kind === 'committed');
    assert.deepEqual(await backend.commit([createWrite('b', { addClaims: ['x'] })]), { kind: 'claimed', claim: 'x' });
    assert.deepEqual(await backend.commit([createWrite('b', { addClaims: ['y'] }), createWrite('c', { addClaims: ['y'] })]), { kind: 'claimed', claim: 'y' });
    await backend.close();
    const again = await reopen();
    await again.load();
    assert.deepEqual(await again.commit([createWrite('b', { addClaims: ['x'] })]), { kind: 'claimed', claim: 'x' });
    const removal: StoredWrite = { kind: 'service', id: 'a', expectedVersion: first.revision, addClaims: [], removeClaims: ['x'] };
    assert.equal((await again.commit([createWrite('b', { addClaims: ['x'] }), removal])).kind, 'committed');
    await again.close();
  });

  contract('the listener hears commits in order, before they resolve and never within the call', async ({ backend }) => {
    const heard: string[] = [];
    backend.subscribe((revision, writes) => heard.push(`${revision}:${writes.map(({ id }) => id).join()}`));
    const commits = ['a', 'b', 'c'].map((id) =>
      backend.commit([createWrite(id)]).then((result) => {
        assert.ok(result.kind === 'committed');
        assert.ok(heard.includes(`${result.revision}:${id}`));
        return result.revision;
      }),
    );
    assert.deepEqual(heard, []);
    const revisions = await Promise.all(commits);
    // Commits that have nothing in common may overtake each other on their way.
    const expected = revisions.map((revision, index) => ({ revision, text: `${revision}:${'abc'[index]}` })).toSorted((a, b) => a.revision - b.revision);
    assert.deepEqual(
      heard,
      expected.map(({ text }) => text),
    );
  });

  contract('of many commits at once each is all or nothing by itself', async ({ backend, reopen }) => {
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, index) => backend.commit([createWrite(`s${index}`), createWrite(`t${index}`, { addClaims: [`claim${index % 20}`] })])),
    );
    const winners = results.flatMap((result, index) => (result.kind === 'committed' ? [index] : []));
    assert.deepEqual(
      winners,
      Array.from({ length: 20 }, (_, index) => index),
    );
    await backend.close();
    const again = await reopen();
    const { objects } = await again.load();
    assert.deepEqual(objects.map(({ id }) => id).toSorted(), winners.flatMap((index) => [`s${index}`, `t${index}`]).toSorted());
    await again.close();
  });

  contract('closing lets the commits under way finish and refuses later ones', async ({ backend }) => {
    const underWay = backend.commit([createWrite('a')]);
    const closing = backend.close();
    const [result] = await Promise.allSettled([underWay, closing]);
    assert.ok(result.status === 'fulfilled' || /the store is closed/.test(String(result.reason)));
    await assert.rejects(backend.commit([createWrite('b')]), /the store is closed/);
  });
}
