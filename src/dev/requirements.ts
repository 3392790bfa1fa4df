// What a cluster needs of the machine, asked before anything is made.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { AppError } from '#lib/errors.ts';
import type { DevNode } from './description.ts';
import { cleanEnvironment } from './machine.ts';

/** Programs and the Debian packages that bring them. */
const ALWAYS: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  nsenter: 'util-linux',
  setsid: 'util-linux',
  mount: 'mount',
  bash: 'bash',
  ip: 'iproute2',
  tc: 'iproute2',
  nft: 'nftables',
  iptables: 'iptables',
  conntrack: 'conntrack',
};
const OF_ENGINE = {
  docker: { dockerd: 'docker.io' },
  podman: { podman: 'podman', runc: 'runc' },
} as const;

/** Throws AppError `permissionDenied`. */
export function checkRoot(userId: number | undefined): void {
  if (userId !== 0) throw new AppError('permissionDenied', '`skep dev` makes network namespaces, which needs root: run it with sudo');
}

/** Throws AppError that names the packages of whatever is missing. */
export function checkPrograms(nodes: readonly DevNode[], has: (program: string) => boolean = isInstalled): void {
  const engines = new Set(nodes.map(({ engine }) => engine));
  // Only several managers need etcd; skepd says so itself when a node is promoted later.
  const etcd: Readonly<Record<string, string>> = nodes.filter(({ role }) => role === 'manager').length > 1 ? { etcd: 'etcd-server' } : {};
  const wanted = { ...ALWAYS, ...Object.assign({}, ...[...engines].map((engine) => OF_ENGINE[engine])), ...etcd } as Readonly<Record<string, string>>;
  const missing = Object.keys(wanted).filter((program) => !has(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((program) => wanted[program]))];
  throw new AppError('failedPrecondition', `this machine lacks ${missing.join(', ')}. On Debian: apt-get install ${packages.join(' ')}`);
}

export function isInstalled(program: string): boolean {
  return (cleanEnvironment()['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
