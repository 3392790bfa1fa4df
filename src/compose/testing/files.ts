// Compose files in memory, for tests: a project folder /project with files by name.
import { convertProject } from '../convert/convert.ts';
import { type LoadedProject, type LoadOptions, loadProject } from '../load/load.ts';
import type { ComposeReader } from '../load/session.ts';
import type { Service } from '../project.ts';
import type { ResolvedStack } from '../stack.ts';

export type Files = Readonly<Record<string, string>>;

export function readerOf(files: Files): ComposeReader {
  return {
    read(path) {
      const text = files[path] ?? files[path.replace(/^\/project\//, '')];
      return text === undefined ? undefined : new TextEncoder().encode(text);
    },
  };
}

export type LoadFilesOptions = Partial<Omit<LoadOptions, 'reader'>>;

/** Loads `compose.yml` unless other files are named; a text alone is that file. */
export function loadText(files: Files | string, options: LoadFilesOptions = {}): LoadedProject {
  const all = typeof files === 'string' ? { 'compose.yml': files } : files;
  return loadProject({ files: ['compose.yml'], workingDirectory: '/project', environment: {}, ...options, reader: readerOf(all) });
}

/** The files of a list, one after the other over each other. */
export function mergeTexts(...texts: readonly string[]): LoadedProject {
  const names = texts.map((_text, index) => `${index}.yml`);
  return loadText(Object.fromEntries(texts.map((text, index) => [names[index] ?? '', text])), { files: names });
}

/** The service `a` of a file in which it is the only one; `text` is its body as flow YAML. */
export function serviceOf(text: string, options: LoadFilesOptions = {}): Service {
  return loadText(`services: {a: ${text}}`, options).project.services['a'] ?? {};
}

export function convertText(files: Files | string, options: LoadFilesOptions = {}): ResolvedStack {
  return convertProject(loadText(files, options), 'app');
}

/** The message of what is thrown; fails when nothing is. */
export function failureOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('nothing was thrown');
}
