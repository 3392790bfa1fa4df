// The recordings and schemas that lie beside the repository (../shared/data); tests that need them are skipped where they are absent.
import { existsSync, readFileSync } from 'node:fs';

const folder = new URL('../../../shared/data/', import.meta.url);

/** For `describe(name, { skip })`: false, or why the tests cannot run. */
export const skipWithoutSharedData: string | false = existsSync(folder) ? false : `${folder.pathname} is not there`;

/** A file of one JSON value per line; nothing where the folder is absent. */
export function readLines<T>(name: string): readonly T[] {
  if (skipWithoutSharedData) return [];
  return readFileSync(new URL(name, folder), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

export function readJson<T>(name: string): T | undefined {
  return skipWithoutSharedData ? undefined : (JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as T);
}
