// Whether this machine can run a member of etcd, and with what.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { AppError } from '#lib/errors.ts';

const ETCD_MISSING =
  'managers keep their common state in etcd, and this machine has no etcd program: install it (Debian and Ubuntu: apt-get install etcd-server), or join as a worker';

const VERSION_TIMEOUT_MS = 2_000;
/** Learners are new in it. */
const OLDEST_VERSION = [3, 4] as const;

/** What programs have said of their version, by path, size and time of change: nothing else happens in this process while one is asked. */
const versions = new Map<string, string>();

/** Why this machine cannot run a member, in words for a user; undefined when it can. A program that does not say its version in time is believed to do. */
export function etcdProblem(): string | undefined {
  const binary = findProgram('etcd');
  if (binary === undefined) return ETCD_MISSING;
  const version = versionOf(binary);
  const [, major = 0, minor = 0] = /^(\d+)\.(\d+)/.exec(version ?? '') ?? [];
  const isOld = Number(major) < OLDEST_VERSION[0] || (Number(major) === OLDEST_VERSION[0] && Number(minor) < OLDEST_VERSION[1]);
  return version !== undefined && isOld
    ? `managers keep their common state in etcd ${OLDEST_VERSION.join('.')} or newer, and ${binary} is version ${version}: install a newer one, or join as a worker`
    : undefined;
}

/** Undefined when it takes too long. */
function versionOf(binary: string): string | undefined {
  const { size, mtimeMs } = statSync(binary);
  const key = `${binary} ${size} ${mtimeMs}`;
  const known = versions.get(key);
  if (known !== undefined) return known;
  const { stdout, error } = spawnSync(binary, ['--version'], { encoding: 'utf8', timeout: VERSION_TIMEOUT_MS });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT') return undefined;
  const version = /etcd Version: (\d+\.\d+\S*)/.exec(stdout ?? '')?.[1] ?? 'unknown';
  versions.set(key, version);
  return version;
}

/** Looks where daemons live, too. */
export function findProgram(name: string, path: string = process.env['PATH'] ?? ''): string | undefined {
  const folders = [...path.split(delimiter), '/usr/local/bin', '/usr/bin', '/usr/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Throws AppError `failedPrecondition`, naming the package, when this machine cannot run a member. */
export function requireEtcd(): string {
  const problem = etcdProblem();
  const binary = findProgram('etcd');
  if (problem !== undefined || binary === undefined) throw new AppError('failedPrecondition', problem ?? ETCD_MISSING);
  return binary;
}
