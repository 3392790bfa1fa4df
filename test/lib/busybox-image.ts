// A tiny image for tests, made of Debian's static busybox: no registry is needed.
import { rmSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runOrThrow } from './namespace.ts';

let archive: Promise<string> | undefined;

/** The path of a tar with busybox's applets, /etc/passwd, /tmp and /var/www; made once per process, removed when it exits. */
export function busyboxArchive(): Promise<string> {
  archive ??= makeArchive();
  return archive;
}

async function makeArchive(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'skep-busybox-'));
  process.on('exit', () => removeNow(folder));
  const root = join(folder, 'root');
  for (const path of ['bin', 'etc', 'tmp', 'root', 'var/www', 'proc', 'sys', 'dev']) await mkdir(join(root, path), { recursive: true });
  await copyFile('/usr/bin/busybox', join(root, 'bin/busybox'));
  const applets = (await runOrThrow(['/usr/bin/busybox', '--list'])).split('\n').filter((name) => name !== 'busybox');
  for (const applet of applets) await symlink('busybox', join(root, 'bin', applet));
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\n');
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\napp:x:1000:\nextra:x:1001:\n');
  await writeFile(join(root, 'var/www/index.html'), 'it works\n');
  const path = join(folder, 'busybox.tar');
  await runOrThrow(['tar', '--owner=0', '--group=0', '-C', root, '-cf', path, '.']);
  await rm(root, { recursive: true });
  return path;
}

/** Exit handlers are synchronous. */
function removeNow(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Imports the image under `tag` with Dockerfile instructions such as `CMD ["sleep","1000"]` or `ENV A=b`. Resolves with its id. */
export async function importBusybox(socket: string, tag: string, changes: readonly string[]): Promise<string> {
  const path = await busyboxArchive();
  const flags = (changes.some((change) => change.startsWith('CMD')) ? changes : ['CMD ["sh"]', ...changes]).flatMap((change) => ['--change', change]);
  const result = await run(['docker', '-H', `unix://${socket}`, 'import', ...flags, path, tag]);
  if (result.code !== 0) throw new Error(`docker import: ${result.stderr}`);
  return result.stdout.trim();
}
