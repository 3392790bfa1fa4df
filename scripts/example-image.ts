// Makes the example's image out of what is here already: the project's Node, the libraries that it needs, and the app. No registry is asked.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { call, messageOf } from './docker-api.ts';

/** Imports `appFolder` as /app into an image whose entrypoint is Node. Does nothing when the engine has the image. */
export async function ensureNodeImage(address: string, { repository, tag, appFolder }: { repository: string; tag: string; appFolder: string }): Promise<void> {
  if ((await call(address, 'GET', `/images/${repository}:${tag}/json`)).status === 200) return;
  console.log(`skep: making the image ${repository}:${tag}`);
  const folder = mkdtempSync(join(tmpdir(), 'skep-image-'));
  try {
    fillRoot(folder, appFolder);
    const tar = spawn('tar', ['-C', folder, '--owner=0', '--group=0', '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const changes = ['ENTRYPOINT ["/bin/node"]', 'ENV NODE_ENV=production', 'WORKDIR /app'].map((change) => `changes=${encodeURIComponent(change)}`);
    const answer = await call(address, 'POST', `/images/create?fromSrc=-&repo=${repository}&tag=${tag}&${changes.join('&')}`, tar.stdout);
    if (answer.status !== 200 || answer.text.includes('"error"')) throw new Error(`the engine did not take the image: ${messageOf(answer.text)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function fillRoot(folder: string, appFolder: string): void {
  for (const name of ['bin', 'tmp', 'etc', 'data']) mkdirSync(join(folder, name), { recursive: true });
  copyFileSync(process.execPath, join(folder, 'bin/node'));
  for (const library of librariesOf(process.execPath)) {
    mkdirSync(join(folder, dirname(library)), { recursive: true });
    copyFileSync(realpathSync(library), join(folder, library));
  }
  cpSync(appFolder, join(folder, 'app'), { recursive: true });
  writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0:root:/:/bin/node\nnobody:x:65534:65534:nobody:/:/bin/node\n');
  writeFileSync(join(folder, 'etc/nsswitch.conf'), 'hosts: files dns\n');
}

/** What the dynamic linker would load, and the linker itself. The resolver of old glibc's is a library that only getaddrinfo opens. */
function librariesOf(binary: string): string[] {
  const { stdout } = spawnSync('ldd', [binary], { encoding: 'utf8' });
  const listed = [...stdout.matchAll(/(?:=> )?(\/[^ ]+) \(0x/g)].map((match) => match[1] ?? '');
  const { stdout: cache } = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  const resolvers = [...(cache ?? '').matchAll(/libnss_(?:dns|files)\.so\.2 .*=> (\/\S+)/g)].map((match) => match[1] ?? '');
  return [...new Set([...listed, ...resolvers])];
}
