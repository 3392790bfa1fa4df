// Images of the examples, made of Debian packages: a registry would have better ones, and these are for machines that reach none. A recipe is a folder with
// image.json and a folder `root` that is laid over what the packages bring. What was made once is kept as a tar in the user's
// cache, for all clones.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  createReadStream,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findExecutable } from './debian.ts';
import { call, messageOf } from './docker-api.ts';

export interface Recipe {
  readonly repository: string;
  readonly tag: string;
  readonly packages: readonly string[];
  /** Packages that the others depend on and the image does without. */
  readonly without?: readonly string[];
  /** Run inside once everything is there. */
  readonly run?: readonly string[];
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const recipeFolder = join(root, 'examples/images');
const cacheFolder = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'skep/images');

/** `mariadb:10.11` → the folder of the recipe that makes it. */
export function recipeFor(image: string): string | undefined {
  return globSync('*/image.json', { cwd: recipeFolder })
    .map((file) => join(recipeFolder, dirname(file)))
    .find((folder) => {
      const { repository, tag } = readRecipe(folder);
      return image === `${repository}:${tag}`;
    });
}

function readRecipe(folder: string): Recipe {
  return JSON.parse(readFileSync(join(folder, 'image.json'), 'utf8')) as Recipe;
}

/** Does nothing when the engine has the image. */
export async function ensureDebianImage(address: string, folder: string): Promise<void> {
  const recipe = readRecipe(folder);
  const { repository, tag, changes } = recipe;
  if ((await call(address, 'GET', `/images/${repository}:${tag}/json`)).status === 200) return;
  console.error(`skep: making the image ${repository}:${tag} of Debian packages`);
  const archive = archiveOf(folder, recipe);
  const parameters = changes.map((change) => `changes=${encodeURIComponent(change)}`).join('&');
  const path = `/images/create?fromSrc=-&repo=${encodeURIComponent(repository)}&tag=${tag}&${parameters}`;
  const answer = await call(address, 'POST', path, createReadStream(archive));
  if (answer.status !== 200 || answer.text.includes('"error"')) throw new Error(`the engine did not take the image: ${messageOf(answer.text)}`);
}

/** The tar of a recipe, made or kept from the last time; another recipe has another name. */
function archiveOf(folder: string, recipe: Recipe): string {
  const hash = createHash('sha256').update(process.arch);
  for (const file of globSync('**/*', { cwd: folder }).sort())
    if (statSync(join(folder, file)).isFile()) hash.update(file).update(readFileSync(join(folder, file)));
  const archive = join(cacheFolder, `${recipe.repository.replaceAll('/', '-')}-${hash.digest('hex').slice(0, 12)}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(cacheFolder, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'skep-image-'));
  const unfinished = `${archive}.${process.pid}`;
  try {
    const files = fillRoot(work, folder, recipe);
    runOrThrow('tar', ['-C', files, '--numeric-owner', '-cf', unfinished, '.']);
    renameSync(unfinished, archive);
  } finally {
    rmSync(work, { recursive: true, force: true });
    rmSync(unfinished, { force: true });
  }
  return archive;
}

function fillRoot(work: string, folder: string, recipe: Recipe): string {
  const files = join(work, 'root');
  for (const path of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'etc', 'tmp', 'run', 'proc', 'sys', 'dev', 'root', 'var/lib', 'var/log'])
    mkdirSync(join(files, path), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(files, name));
  symlinkSync('../run', join(files, 'var/run'));
  chmodSync(join(files, 'tmp'), 0o1777);
  chmodSync(files, 0o755);
  for (const file of download(join(work, 'packages'), recipe)) {
    // Packages that still ship /lib must not replace the link by a folder.
    runOrThrow('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink', 'sh', file, files]);
  }
  for (const name of ['doc', 'man', 'locale', 'info', 'lintian', 'bash-completion']) rmSync(join(files, 'usr/share', name), { recursive: true, force: true });
  addShell(files);
  writeFileSync(join(files, 'etc/nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n');
  writeFileSync(
    join(files, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/tmp:/bin/sh\nwww-data:x:33:33:www-data:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n',
  );
  writeFileSync(join(files, 'etc/group'), 'root:x:0:\napp:x:1000:\nwww-data:x:33:\nnogroup:x:65534:\n');
  if (existsSync(join(folder, 'root'))) cpSync(join(folder, 'root'), files, { recursive: true });
  if (recipe.run !== undefined) runOrThrow('chroot', [files, ...recipe.run]);
  return files;
}

/** busybox for what the packages do not bring: a shell, and the small tools that entry points use. */
function addShell(files: string): void {
  const busybox = join(files, 'usr/bin/busybox');
  const { stdout } = spawnSync(busybox, ['--list'], { encoding: 'utf8' });
  const isThere = (name: string) => ['bin', 'sbin'].some((place) => existsSync(join(files, 'usr', place, name)));
  for (const name of stdout.split('\n').filter((applet) => applet !== '' && !isThere(applet))) symlinkSync('busybox', join(files, 'usr/bin', name));
}

/** Downloads the packages with all that they depend on, as if nothing were installed here. */
function download(folder: string, { packages, without = [] }: Recipe): readonly string[] {
  if (findExecutable('apt-get') === undefined) throw new Error('images of Debian packages are made on Debian; elsewhere, pull them from a registry');
  mkdirSync(join(folder, 'partial'), { recursive: true });
  const status = join(folder, 'status');
  writeFileSync(status, '');
  const options = [
    '-o',
    `Dir::State::status=${status}`,
    '-o',
    `Dir::Cache::archives=${folder}`,
    '-o',
    'APT::Install-Recommends=false',
    '-o',
    'APT::Sandbox::User=root',
  ];
  const list = () => spawnSync('apt-get', [...options, '--print-uris', '-qq', '-y', 'install', 'busybox-static', ...packages], { encoding: 'utf8' });
  let listed = list();
  // The package lists of a fresh machine may be missing.
  if (listed.status !== 0) {
    runOrThrow('apt-get', ['-qq', 'update']);
    listed = list();
  }
  if (listed.status !== 0) throw new Error(`apt-get: ${listed.stderr}`);
  const names = [...listed.stdout.matchAll(/^'[^']+' ([^_]+)_/gm)].map((match) => match[1] ?? '').filter((name) => !without.includes(name));
  runOrThrow('apt-get', ['-qq', '-o', 'APT::Sandbox::User=root', 'download', ...names], folder);
  return globSync('*.deb', { cwd: folder })
    .sort()
    .map((file) => join(folder, file));
}

function runOrThrow(command: string, args: readonly string[], cwd?: string): void {
  const result = spawnSync(command, args, { encoding: 'utf8', ...(cwd === undefined ? {} : { cwd }), env: { ...process.env, LC_ALL: 'C.UTF-8' } });
  if (result.status !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')}: ${result.stderr || result.error?.message || ''}`);
}
