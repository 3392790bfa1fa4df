// An etcd that goes on although the skepd that started it is gone: it is ended before another one is started on its folder.
import { existsSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';

/** From the signal that asks it to end to the one that ends it. */
const PATIENCE_MS = 5_000;
const POLL_MS = 25;

/** Ends the etcd that an earlier skepd left behind, if the process of the pid file is really one on this folder. */
export async function endLeftover(folder: string, clock: Clock, log: Logger, signal: AbortSignal): Promise<void> {
  const file = join(folder, 'etcd.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8'));
  const isOurs = () => processFolder(pid) === folder;
  if (isOurs()) log.warn({ pid }, 'an etcd of an earlier run is still there; it is ended');
  const killAt = clock.elapsed() + PATIENCE_MS;
  while (isOurs()) {
    try {
      process.kill(pid, clock.elapsed() > killAt ? 'SIGKILL' : 'SIGTERM');
    } catch {
      // It has just ended.
    }
    await clock.sleep(POLL_MS, signal);
  }
  rmSync(file, { force: true });
}

/** Where a process that runs etcd works; undefined when it is gone or something else. */
function processFolder(pid: number): string | undefined {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (!argv.includes('--data-dir=data')) return undefined;
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}
