import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TaskDependencies } from '#agent/executor.ts';
import { testAssignment, testDescription } from '#agent/testing/tasks.ts';
import type { ContainerSpec } from '#domain/spec.ts';
import { createTaskFiles, type TaskFiles } from './task-files.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const file = (name: string, changes: object = {}) => ({ name, uid: '', gid: '', mode: 0o444, ...changes });
const secret = (name: string, changes: object = {}) => ({ secretId: 's1', secretName: 's', file: file(name, changes) });

const dependencies: TaskDependencies = {
  secret: (id) => (id === 's1' ? { id, version: 1, name: 's', data: bytes('hidden') } : undefined),
  config: (id) => (id === 'c1' ? { id, version: 1, name: 'c', data: bytes('{{.Service.Name}}'), templating: { name: 'golang' } } : undefined),
};

async function withFiles(use: (files: TaskFiles, folder: string, mounts: string[]) => Promise<void>): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'skep-files-'));
  const folder = join(base, 'secrets');
  const mounts: string[] = [];
  const files = createTaskFiles({ folder, mountTmpfs: async (path, options) => void mounts.push(`${path} ${options}`), unmount: async () => {} });
  try {
    await use(files, folder, mounts);
  } finally {
    await rm(base, { recursive: true });
  }
}

const input = (container: Partial<ContainerSpec>, others: readonly { target: string; content: string }[] = []) => {
  const assigned = testAssignment('t1', { container });
  return { assigned, spec: { image: 'x', ...container }, dependencies, node: testDescription, others };
};

test('secrets live under /run/secrets unless their target is absolute, configs under /', () =>
  withFiles(async (files) => {
    const config = (name: string) => ({ configId: 'c1', configName: 'c', target: { kind: 'file' as const, file: file(name) } });
    const mounts = await files.write(input({ secrets: [secret('a'), secret('/b')], configs: [config('c'), config('/d/e')] }));
    assert.deepEqual(
      mounts.map(({ target }) => target),
      ['/run/secrets/a', '/b', '/c', '/d/e'],
    );
    const contents = await Promise.all(mounts.map(({ source }) => readFile(source, 'utf8')));
    assert.deepEqual(contents, ['hidden', 'hidden', 'web', 'web']);
  }));

test('files have their mode and owner in a folder for root only, on a bounded tmpfs', () =>
  withFiles(async (files, folder, mounts) => {
    const own = process.getuid?.() === 0 ? { uid: '1000', gid: '1001' } : { uid: String(process.getuid?.()), gid: String(process.getgid?.()) };
    const [mount] = await files.write(input({ secrets: [secret('a', { mode: 0o440, ...own })] }));
    const found = await stat(mount?.source ?? '');
    assert.deepEqual([found.mode & 0o777, String(found.uid), String(found.gid)], [0o440, own.uid, own.gid]);
    assert.equal((await stat(join(folder, 't1'))).mode & 0o777, 0o700);
    assert.match(mounts.join('\n'), /mode=0700,size=\d+m/);
    assert.equal(mounts.length, 1);
  }));

test('a task without files leaves no trace, writing again replaces, and removal removes all', () =>
  withFiles(async (files, folder, mounts) => {
    assert.deepEqual(await files.write(input({})), []);
    assert.deepEqual([mounts, await files.listTaskIds()], [[], []]);
    await files.write(input({ secrets: [secret('a')] }, [{ target: '/etc/resolv.conf', content: 'x' }]));
    const [second] = await files.write(input({}, [{ target: '/etc/resolv.conf', content: 'y' }]));
    assert.equal(await readFile(second?.source ?? '', 'utf8'), 'y');
    assert.deepEqual(await readdir(join(folder, 't1')), ['0']);
    await files.remove('t1');
    await files.remove('t1');
    assert.deepEqual(await files.listTaskIds(), []);
  }));

test('what cannot be written says why', () =>
  withFiles(async (files) => {
    const missing = { ...secret('a'), secretId: 'other', secretName: 'password' };
    await assert.rejects(files.write(input({ secrets: [missing] })), /secret not found: password/);
    await assert.rejects(files.write(input({ secrets: [secret('a', { uid: 'root' })] })), /invalid uid or gid "root"/);
  }));
