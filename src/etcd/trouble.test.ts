import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isDiskFull, missingData, troubleOf } from './trouble.ts';

test('what etcd says before it ends tells damaged data from what passes', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [
      '{"level":"fatal","caller":"etcdmain/etcd.go:271","msg":"discovery failed","error":"walpb: crc mismatch","stacktrace":"go"}',
      'damaged',
      /^discovery failed: walpb: crc mismatch$/,
    ],
    ['panic: cannot use none as id\n\ngoroutine 1 [running]:\n', 'damaged', /^cannot use none as id$/],
    ['fatal error: fault\n[signal SIGBUS: bus error]', 'damaged', /^fault$/],
    ['panic: tocommit(105) is out of range [lastIndex(20)]. Was the raft log corrupted, truncated, or lost?', 'damaged', /raft log corrupted/],
    ['{"level":"fatal","msg":"failed to save Raft entries","error":"write data/member/wal/0.wal: no space left on device"}', 'stopped', /its disk is full/],
    ['panic: write data/member/snap/db: no space left on device', 'stopped', /its disk is full/],
    ['{"level":"fatal","msg":"discovery failed","error":"listen tcp 0.0.0.0:2378: bind: address already in use"}', 'stopped', /another program uses its port/],
    ['', 'stopped', /^it ended \(SIGKILL\)$/],
    ['{"level":"warn","msg":"lost the TCP streaming connection","error":"EOF"}', 'stopped', /^it ended \(SIGKILL\)$/],
  ];
  for (const [output, kind, detail] of cases) {
    const trouble = troubleOf(output, 'SIGKILL');
    assert.equal(trouble.kind, kind, output);
    assert.match(trouble.detail, detail);
  }
});

test('a full disk is the reason, whatever could be written of it', () => {
  assert.deepEqual(troubleOf('panic: sync: no', 2, true), { kind: 'stopped', detail: 'its disk is full: free some space, and it goes on by itself' });
  assert.equal(isDiskFull(tmpdir()), false);
});

test('a member whose log is gone or empty is not started', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-etcd-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const logs = join(folder, 'data/member/wal');
  assert.match(missingData(folder) ?? '', /wal is gone$/);
  mkdirSync(logs, { recursive: true });
  assert.match(missingData(folder) ?? '', /^there is no file in/);
  writeFileSync(join(logs, '0-0.wal'), '');
  assert.match(missingData(folder) ?? '', /0-0\.wal is empty$/);
  writeFileSync(join(logs, '0-0.wal'), 'x');
  assert.equal(missingData(folder), undefined);
});
