import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ensurePrivateDirectory, writeFileAtomically, writeLargeFileAtomically } from './files.ts';

function folderOf(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'skep-files-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

for (const [how, write] of [
  ['at once', async (path: string, text: string) => writeFileAtomically(path, text)],
  ['while others work', (path: string, text: string) => writeLargeFileAtomically(path, Buffer.from(text))],
] as const) {
  test(`a file that is written ${how} is its owner's only, whatever the umask and whatever lay in its way`, async (context) => {
    const folder = folderOf(context);
    const [path, elsewhere] = [join(folder, 'secret'), join(folder, 'elsewhere')];
    writeFileSync(elsewhere, 'precious');
    const umask = process.umask(0);
    context.after(() => process.umask(umask));
    // Somebody put a link where the part would be, and a file that all may read.
    symlinkSync(elsewhere, `${path}.new`);
    await write(path, 'one');
    writeFileSync(`${path}.new`, '', { mode: 0o666 });
    await write(path, 'two');
    assert.deepEqual([readFileSync(path, 'utf8'), statSync(path).mode & 0o777, readFileSync(elsewhere, 'utf8')], ['two', 0o600, 'precious']);
    // The file itself may be a link, too: the link gives way.
    rmSync(path);
    symlinkSync(elsewhere, path);
    await write(path, 'three');
    assert.deepEqual([readFileSync(path, 'utf8'), readFileSync(elsewhere, 'utf8')], ['three', 'precious']);
    assert.deepEqual(readdirSync(folder).toSorted(), ['elsewhere', 'secret']);
  });

  test(`of a file that cannot be written ${how} nothing is left`, async (context) => {
    const folder = folderOf(context);
    mkdirSync(join(folder, 'in-the-way'));
    await assert.rejects(write(join(folder, 'in-the-way'), 'x'));
    assert.deepEqual(readdirSync(folder), ['in-the-way']);
  });
}

test('a private directory that others may enter is closed to them, and one that belongs to another user is refused', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, (context) => {
  const folder = folderOf(context);
  const path = join(folder, 'state');
  mkdirSync(path);
  chmodSync(path, 0o777);
  ensurePrivateDirectory(path);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  chownSync(path, 65_534, 65_534);
  assert.throws(() => ensurePrivateDirectory(path), { message: /state belongs to another user \(65534\)/ });
  assert.equal(existsSync(path), true);
});
