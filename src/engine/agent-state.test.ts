import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testAssignment } from '#agent/testing/tasks.ts';
import { silentLogger } from '#lib/log.ts';
import { createFileAgentState } from './agent-state.ts';

test('what is remembered is there after a restart, readable by its owner only; a broken file is no memory', async () => {
  const base = await mkdtemp(join(tmpdir(), 'skep-memory-'));
  const folder = join(base, 'tasks');
  try {
    const first = createFileAgentState({ folder, log: silentLogger });
    const remembered = (id: string) => ({ assigned: testAssignment(id), status: { state: 'running' as const, timestamp: 1, message: 'started' } });
    await first.save(remembered('a'));
    await first.save(remembered('b'));
    await first.save(remembered('c'));
    await first.remove('b');
    await first.remove('b');
    await writeFile(join(folder, 'd.json'), '{"assigned":');
    assert.equal((await stat(join(folder, 'a.json'))).mode & 0o777, 0o600);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    const second = createFileAgentState({ folder, log: silentLogger });
    assert.deepEqual(await second.load(), [remembered('a'), remembered('c')]);
  } finally {
    await rm(base, { recursive: true });
  }
});
