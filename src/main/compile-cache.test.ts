import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { compileCacheFolder } from './compile-cache.ts';

const run = promisify(execFile);

it('a daemon runs from compiled code, with its own arguments and nothing that strips types, from its first start on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'skep-compile-'));
  const name = `daemon-${randomBytes(4).toString('hex')}.ts`;
  const entry = join(folder, name);
  try {
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'part.ts'), 'export const stripsTypes: boolean = process.moduleLoadList.some((one: string) => one.includes("amaro"));');
    const load = `const { stripsTypes } = await loadCompiled(import.meta.filename, () => import('./part.ts'));`;
    const say = 'console.log(JSON.stringify([process.pid, stripsTypes, process.argv.slice(2)]));';
    await writeFile(entry, `import { loadCompiled } from '${join(import.meta.dirname, 'compile-cache.ts')}';\n${load}\n${say}\n`);
    for (const start of ['first', 'second']) {
      const running = run(process.execPath, ['--disable-warning=ExperimentalWarning', entry, '--host', 'a b']);
      assert.deepEqual(JSON.parse((await running).stdout), [running.child.pid, false, ['--host', 'a b']], start);
    }
  } finally {
    await rm(folder, { recursive: true });
    await rm(join(compileCacheFolder, `${name}.stamp`), { force: true });
  }
});
