// The images that an example needs, and its way into a swarm. What is needed is read from its Compose file: images with a recipe in examples/images are
// made of Debian packages, services with `build:` are built by the engine.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadProject } from '#compose/index.ts';
import { ensureDebianImage, recipeFor } from './debian-image.ts';
import { call, messageOf } from './docker-api.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const COMPOSE_FILES = ['compose.yaml', 'docker-compose.yml'];

/** The Compose file of an example's folder, or the file itself. Throws when there is none. */
export function composeFileOf(folder: string): string {
  if (/\.ya?ml$/.test(folder) && existsSync(folder)) return resolve(folder);
  const file = COMPOSE_FILES.map((name) => resolve(folder, name)).find((path) => existsSync(path));
  if (file === undefined) throw new Error(`${folder} has no ${COMPOSE_FILES.join(' and no ')}`);
  return file;
}

/** Makes every image of the Compose files that the engine at `address` does not have and that can be made here; the rest is left for a registry. */
export async function ensureImages(address: string, files: readonly string[], variables: NodeJS.ProcessEnv = process.env): Promise<void> {
  const reader = { read: (path: string) => (existsSync(path) ? readFileSync(path) : undefined) };
  const { project } = loadProject({ files, workingDirectory: process.cwd(), environment: variables, reader });
  for (const { image, build } of Object.values(project.services)) {
    if (image === undefined) continue;
    if (build === undefined) await ensureFromRecipe(address, image);
    else await ensureBuilt(address, image, resolve(dirname(files[0] ?? ''), (build as { context: string }).context));
  }
}

async function ensureFromRecipe(address: string, image: string): Promise<void> {
  const folder = recipeFor(image);
  if (folder !== undefined) await ensureDebianImage(address, folder);
}

async function ensureBuilt(address: string, image: string, context: string): Promise<void> {
  if ((await call(address, 'GET', `/images/${image}/json`)).status === 200) return;
  const bases = [...readFileSync(join(context, 'Dockerfile'), 'utf8').matchAll(/^FROM (\S+)/gm)].map((match) => match[1] ?? '');
  for (const base of bases) await ensureFromRecipe(address, base);
  console.error(`skep: building ${image}`);
  const tar = spawn('tar', ['-C', context, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const { status, text } = await call(address, 'POST', `/build?t=${encodeURIComponent(image)}`, tar.stdout);
  const failure = /"error":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
  if (status !== 200 || failure !== undefined) throw new Error(`${image} could not be built: ${failure ?? messageOf(text)}`);
}

/** Deploys an example under its folder's name and waits until it has converged, as `skep stack deploy` does. */
export async function deployExample(address: string, folder: string): Promise<string> {
  const file = composeFileOf(folder);
  await ensureImages(address, [file]);
  const stack = basename(dirname(file));
  console.log(`skep: skep stack deploy -c ${file} ${stack}`);
  const args = ['-H', address, 'stack', 'deploy', '--resolve-image', 'never', '-c', file, stack];
  if (spawnSync(join(root, 'bin/skep'), args, { stdio: 'inherit' }).status !== 0) throw new Error(`${folder} could not be deployed`);
  return stack;
}
