// A tiny image for tests, made of Debian's static busybox: no registry is needed.
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { run, runOrThrow } from './namespace.ts';

const execute = promisify(execFile);

let archive: Promise<Buffer> | undefined;

/** A tar with busybox's applets, /etc/passwd, /tmp and /var/www; made once per process and kept in memory, so that a killed test leaves no file. */
export function busyboxArchive(): Promise<Buffer> {
  archive ??= makeArchive();
  return archive;
}

async function makeArchive(): Promise<Buffer> {
  const root = await mkdtemp(join(tmpdir(), 'skep-busybox-'));
  try {
    for (const path of ['bin', 'etc', 'tmp', 'root', 'var/www', 'proc', 'sys', 'dev']) await mkdir(join(root, path), { recursive: true });
    await copyFile('/usr/bin/busybox', join(root, 'bin/busybox'));
    const applets = (await runOrThrow(['/usr/bin/busybox', '--list'])).split('\n').filter((name) => name !== 'busybox');
    for (const applet of applets) await symlink('busybox', join(root, 'bin', applet));
    await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\n');
    await writeFile(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\napp:x:1000:\nextra:x:1001:\n');
    await writeFile(join(root, 'var/www/index.html'), 'it works\n');
    await chmod(root, 0o755);
    const { stdout } = await execute('tar', ['--owner=0', '--group=0', '-C', root, '-cf', '-', '.'], { encoding: 'buffer', maxBuffer: 64 << 20 });
    return stdout;
  } finally {
    await rm(root, { recursive: true });
  }
}

/** Imports the image under `tag` with Dockerfile instructions such as `CMD ["sleep","1000"]` or `ENV A=b`. Resolves with its id. */
export async function importBusybox(socket: string, tag: string, changes: readonly string[]): Promise<string> {
  const input = await busyboxArchive();
  const flags = (changes.some((change) => change.startsWith('CMD')) ? changes : ['CMD ["sh"]', ...changes]).flatMap((change) => ['--change', change]);
  const result = await run(['docker', '-H', `unix://${socket}`, 'import', ...flags, '-', tag], { input });
  if (result.code !== 0) throw new Error(`docker import: ${result.stderr}`);
  return result.stdout.trim();
}
