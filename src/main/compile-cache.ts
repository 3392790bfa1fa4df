// Where compiled code is kept, and who compiles it: beside the project's own Node, so that all our programs share it and nothing is left outside the clone.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, readdirSync, statSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { basename, join } from 'node:path';
import { readFileIfPresent, writeFileAtomically } from '#platform/files.ts';

export const compileCacheFolder = join(import.meta.dirname, '../../.tools/compile-cache');

const sourceFolder = join(import.meta.dirname, '..');
/** Set in the process that only compiles. */
const COMPILE_ONLY = 'SKEP_COMPILE_ONLY';
/** It takes a second; the daemon starts without it when a machine is that slow. */
const COMPILE_TIMEOUT_MS = 60_000;

/**
 * Loads a daemon's modules as compiled code. A process that compiles them itself keeps the compiler's 40 MB until it ends, and a daemon runs for
 * months: after every change of the sources a process of its own does it, once (about a second). `later` is what the daemon loads when it needs it.
 */
export async function loadCompiled<T>(entry: string, load: () => Promise<T>, later: readonly (() => Promise<unknown>)[] = []): Promise<T> {
  enableCompileCache(compileCacheFolder);
  if (process.env[COMPILE_ONLY] === entry) {
    await Promise.all([load, ...later].map((one) => one()));
    flushCompileCache();
    process.exit(0);
  }
  if (isWritable()) compileOnce(entry);
  return load();
}

function compileOnce(entry: string): void {
  const file = join(compileCacheFolder, `${basename(entry)}.stamp`);
  const stamp = stampOfSources();
  if (readFileIfPresent(file) === stamp) return;
  const env = { ...process.env, [COMPILE_ONLY]: entry };
  const { status } = spawnSync(process.execPath, [...process.execArgv, entry], { env, stdio: 'ignore', timeout: COMPILE_TIMEOUT_MS });
  if (status !== 0) return;
  try {
    writeFileAtomically(file, stamp);
  } catch {
    // Daemons that start together write the same file: one of them may find its draft gone. It is a hint, and no reason not to start.
  }
}

/** Another Node, other flags (compiled code depends on both) or other sources give another stamp. */
function stampOfSources(): string {
  const files = readdirSync(sourceFolder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  const newest = files.reduce((latest, name) => Math.max(latest, statSync(join(sourceFolder, name)).mtimeMs), 0);
  return JSON.stringify([process.version, process.execArgv, files.length, newest]);
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
