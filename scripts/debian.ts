// Installs what is missing from Debian's archive. Says what and why first; without root or apt it says what to install instead.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where an executable is, looking also where daemons live although a user's PATH may leave those out. */
export function findExecutable(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/bin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** `programs` maps an executable to the package that brings it. Ends the process with a clear message when they cannot be had. */
export function ensureDebianPackages(programs: Readonly<Record<string, string>>, purpose: string): void {
  const missing = () => [...new Set(Object.entries(programs).flatMap(([program, name]) => (findExecutable(program) === undefined ? [name] : [])))];
  const wanted = missing();
  if (wanted.length === 0) return;
  if (process.getuid?.() !== 0 || findExecutable('apt-get') === undefined) {
    console.error(`skep: ${purpose} need ${wanted.join(', ')}. Install them (on Debian: apt-get install ${wanted.join(' ')}) and run this again.`);
    process.exit(1);
  }
  console.error(`skep: installing ${wanted.join(', ')} for ${purpose} with apt-get`);
  const env = {
    ...process.env,
    DEBIAN_FRONTEND: 'noninteractive',
  };
  const apt = (...args: string[]) =>
    spawnSync('apt-get', ['-qq', '-o', 'Dpkg::Use-Pty=0', ...args], { stdio: ['ignore', 'ignore', 'inherit'], env }).status === 0;
  // The package's own etcd would run as a service that nobody asked for.
  const services = wanted.includes('etcd-server') && existsSync('/run/systemd/system') ? ['etcd.service'] : [];
  const systemctl = (verb: string) => services.length > 0 && spawnSync('systemctl', [verb, ...services], { stdio: 'ignore' });
  const install = () => apt('install', '--no-install-recommends', ...wanted);
  systemctl('mask');
  // The package lists of a fresh machine may be old or missing: they are fetched only when they turn out to be.
  const done = install() || (apt('update') && install());
  systemctl('unmask');
  systemctl('disable');
  if (!done || missing().length > 0) {
    console.error(`skep: apt-get could not install ${missing().join(', ')}. Install them and run this again.`);
    process.exit(1);
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
