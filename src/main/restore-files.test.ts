import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { commitDraft, createDraft, discardDraft, finishRestore } from './restore-files.ts';
import { createStateDirectory } from './state-directory.ts';

/** A state directory of a manager on etcd, with a restored state beside it, up to the moment from which that one counts. */
function setUp(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'skep-restore-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  for (const folder of ['etcd', 'certificates', 'tasks', 'snapshots']) mkdirSync(join(path, folder));
  for (const name of ['etcd/member.json', 'certificates/node.crt', 'tasks/t1', 'data-key', 'managers.json', 'swarm.json', 'snapshots/s'])
    writeFileSync(join(path, name), 'old');
  createDraft(path);
  mkdirSync(join(path, 'restored.new', 'certificates'));
  for (const name of ['store.db', 'certificates/node.crt', 'data-key', 'swarm.json']) writeFileSync(join(path, 'restored.new', name), 'new');
  return path;
}

const read = (path: string, name: string) => readFileSync(join(path, name), 'utf8');

function assertRestored(path: string): void {
  assert.deepEqual(readdirSync(path).toSorted(), ['certificates', 'data-key', 'replaced', 'snapshots', 'store.db', 'swarm.json', 'tasks']);
  for (const name of ['store.db', 'certificates/node.crt', 'data-key', 'swarm.json']) assert.equal(read(path, name), 'new', name);
  for (const name of ['etcd/member.json', 'certificates/node.crt', 'data-key', 'managers.json', 'swarm.json'])
    assert.equal(read(path, `replaced/${name}`), 'old', name);
}

test('the restored state takes the place of the old one, which is put aside', (context) => {
  const path = setUp(context);
  assert.equal(commitDraft(path), join(path, 'replaced'));
  assertRestored(path);
});

test('a crash at any moment is finished by the next start, however often there is one', (context) => {
  const path = setUp(context);
  renameSync(join(path, 'restored.new'), join(path, 'restored'));
  for (let crashes = 0; ; crashes++) {
    let calls = 0;
    try {
      finishRestore(path, (from, to) => {
        if (calls++ === 1) throw new Error('crash');
        renameSync(from, to);
      });
      assert(crashes > 5, `${crashes} crashes`);
      break;
    } catch (error) {
      assert.match(String(error), /crash/);
    }
  }
  assertRestored(path);
  finishRestore(path);
  assertRestored(path);
});

test('a state that was not finished never counts', (context) => {
  const path = setUp(context);
  finishRestore(path);
  assert.deepEqual(readdirSync(path).toSorted(), ['certificates', 'data-key', 'etcd', 'managers.json', 'snapshots', 'swarm.json', 'tasks']);
  createDraft(path);
  discardDraft(path);
  assert.equal(read(path, 'swarm.json'), 'old');
});

test('one that counts and could not take its place gives way to a newer one, and is gone when the swarm is left', (context) => {
  const path = setUp(context);
  const pending = () => {
    renameSync(join(path, 'restored.new'), join(path, 'restored'));
    createDraft(path);
  };
  pending();
  mkdirSync(join(path, 'restored.new', 'certificates'));
  for (const name of ['store.db', 'certificates/node.crt', 'data-key', 'swarm.json']) writeFileSync(join(path, 'restored.new', name), 'newer');
  commitDraft(path);
  assert.deepEqual([read(path, 'swarm.json'), read(path, 'store.db'), read(path, 'replaced/swarm.json')], ['newer', 'newer', 'new']);
  createDraft(path);
  writeFileSync(join(path, 'restored.new', 'swarm.json'), 'newest');
  pending();
  createStateDirectory(path).erase();
  finishRestore(path);
  assert(!existsSync(join(path, 'swarm.json')));
});
