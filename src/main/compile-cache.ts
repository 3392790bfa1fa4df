// Where compiled code is kept, and who compiles it: beside the project's own Node, so that all our programs share it and nothing is left outside the clone.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, readdirSync, statSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { basename, join } from 'node:path';
import { readFileIfPresent, writeFileAtomically } from '#platform/files.ts';

export const compileCacheFolder = join(import.meta.dirname, '../../.tools/compile-cache');

const sourceFolder = join(import.meta.dirname, '..');
/** Where Node itself looks. */
const CACHE_FOLDER = 'NODE_COMPILE_CACHE';
/** Set in the process that only compiles. */
const COMPILE_ONLY = 'SKEP_COMPILE_ONLY';
/** It takes a second; the daemon starts without it when a machine is that slow. */
const COMPILE_TIMEOUT_MS = 60_000;

/**
 * Loads a daemon's modules as compiled code. A process that compiles them itself keeps the compilers' memory until it ends (20 MB of what strips the
 * types, 40 MB of what compiles), and a daemon runs for months: after every change of the sources a process of its own does it, once (about a second),
 * and the daemon starts anew in its own place. `later` is what the daemon loads when it needs it.
 */
export async function loadCompiled<T>(entry: string, load: () => Promise<T>, later: readonly (() => Promise<unknown>)[] = []): Promise<T> {
  if (process.env[COMPILE_ONLY] === entry) {
    await Promise.all([load, ...later].map((one) => one()));
    flushCompileCache();
    process.exit(0);
  }
  const isCurrent = isWritable() ? compileOnce(entry) : 'before';
  // Only a process that knows the folder from its first line on has its entry point, too, without what strips types. What it starts inherits it.
  if (isCurrent === 'now' || (isCurrent === 'before' && process.env[CACHE_FOLDER] !== compileCacheFolder)) startAnew(entry);
  return load();
}

function startAnew(entry: string): void {
  const env = { ...process.env, [CACHE_FOLDER]: compileCacheFolder };
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, entry, ...process.argv.slice(2)], env);
}

/** Whether everything is compiled as it is now, and since when; undefined: it could not be compiled. */
function compileOnce(entry: string): 'now' | 'before' | undefined {
  const file = join(compileCacheFolder, `${basename(entry)}.stamp`);
  const stamp = stampOfSources();
  if (readFileIfPresent(file) === stamp) return 'before';
  const env = { ...process.env, [CACHE_FOLDER]: compileCacheFolder, [COMPILE_ONLY]: entry };
  const { status } = spawnSync(process.execPath, [...process.execArgv, entry], { env, stdio: 'ignore', timeout: COMPILE_TIMEOUT_MS });
  if (status !== 0) return undefined;
  try {
    writeFileAtomically(file, stamp);
    return 'now';
  } catch {
    // Daemons that start together write the same file: one of them may find its draft gone. It is a hint, and no reason not to start.
    return undefined;
  }
}

/**
 * Another Node, other flags (compiled code depends on both) or other sources give another stamp. Sources are replaced file by file: their folders show
 * it, and nine hundred files need not be looked at. Who edits one in its place has it compiled by the daemon, which keeps it for the next start.
 */
function stampOfSources(): string {
  return JSON.stringify([process.version, process.execArgv, newestFolder(sourceFolder)]);
}

function newestFolder(folder: string): number {
  const folders = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return Math.max(statSync(folder).mtimeMs, ...folders.map(({ name }) => newestFolder(join(folder, name))));
}

function isWritable(): boolean {
  try {
    mkdirSync(compileCacheFolder, { recursive: true });
    accessSync(compileCacheFolder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
