// Which processes there are, by their command lines. The kernel's table is the only record of what runs: it is right after any crash.
import { readdirSync, readFileSync } from 'node:fs';

/** How often in a row a daemon may be missing while it is waited for: it comes through a shell and setsid, and is called otherwise until then. */
export const MISSES = 20;

export interface ProcessInfo {
  readonly pid: number;
  readonly argv: readonly string[];
}

export function listProcesses(): readonly ProcessInfo[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const argv = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').slice(0, -1);
      return argv.length === 0 ? [] : [{ pid: Number(entry), argv }];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** Stopped by a signal (SIGSTOP), not ended. */
export function isStopped(pid: number): boolean {
  return stateOf(pid) === 'T';
}

/** False also for a process that has ended and waits for its parent to take notice. */
export function isAlive(pid: number): boolean {
  return !['', 'Z', 'X'].includes(stateOf(pid));
}

/** Whether it is the first process of the innermost process namespace that it is in. */
export function isFirstInside(pid: number): boolean {
  try {
    return /^NSpid:.*\s1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function stateOf(pid: number): string {
  try {
    // The name in brackets may hold anything; the state is the letter after the last bracket.
    return /\) (\S)[^)]*$/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1] ?? '';
  } catch {
    return '';
  }
}

/** False when there is no such process any more. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
