// Carries plans out: commands for iproute2, rule sets for nftables, values below /proc/sys. What to do is decided in render/.
import { access, readFile, writeFile } from 'node:fs/promises';
import { AppError } from '#lib/errors.ts';
import type { Step } from '../render/commands.ts';
import { inNamespace, run, runOrThrow } from './run.ts';

/**
 * Runs every command of every step, also after one that failed (a stale entry may vanish by itself between looking and deleting), then rejects with
 * AppError `internal` and the tools' words if any did.
 */
export async function applySteps(steps: readonly Step[]): Promise<void> {
  const failures: string[] = [];
  for (const { tool, namespace, family, lines } of steps) {
    const argv = [tool, ...(family === undefined ? [] : ['-6']), ...(namespace === undefined ? [] : ['-n', namespace]), '-force', '-batch', '-'];
    const { code, stderr } = await run(argv, `${lines.join('\n')}\n`);
    if (code !== 0) failures.push(`${tool}${namespace === undefined ? '' : ` in ${namespace}`}: ${describe(stderr, lines)}`);
  }
  if (failures.length > 0) throw new AppError('internal', failures.join('; '));
}

/** Replaces rules in one transaction. */
export async function applyRules(text: string, namespace?: string): Promise<void> {
  await runOrThrow(inNamespace(namespace, ['nft', '-f', '-']), text);
}

/** How the kernel lists a table's rules of both families; one that does not exist has none. */
export async function listTables(table: string, namespace?: string): Promise<string> {
  const listings: string[] = [];
  for (const family of ['ip', 'ip6']) {
    const { code, stdout } = await run(inNamespace(namespace, ['nft', 'list', 'table', family, table]));
    listings.push(code === 0 ? stdout : '');
  }
  return listings.join('\n');
}

/** A value below /proc/sys/net of the host's namespace. */
export async function getSysctl(path: string): Promise<string> {
  return (await readFile(`/proc/sys/net/${path}`, 'utf8')).trim();
}

export async function setSysctl(path: string, value: string): Promise<void> {
  if ((await getSysctl(path)) !== value) await writeFile(`/proc/sys/net/${path}`, value);
}

/** Sets values in a namespace, several at once: /proc/sys/net shows the namespace of who looks. Settings that this kernel lacks are skipped. */
export async function setSysctls(namespace: string, values: Readonly<Record<string, string>>): Promise<void> {
  const script = Object.entries(values).map(([path, value]) => `[ ! -e /proc/sys/net/${path} ] || echo ${value} > /proc/sys/net/${path}`);
  await runOrThrow(inNamespace(namespace, ['sh', '-e']), `${script.join('\n')}\n`);
}

/** Bridged traffic passes nftables only with br_netfilter, which is a module on most kernels. */
export async function ensureBridgeFilter(): Promise<void> {
  const isThere = () =>
    access('/proc/sys/net/bridge').then(
      () => true,
      () => false,
    );
  if (await isThere()) return;
  await run(['modprobe', 'br_netfilter']).catch(() => {});
  if (!(await isThere()))
    throw new AppError('failedPrecondition', 'this kernel has no br_netfilter: virtual addresses of services cannot work; load the module br_netfilter');
}

/** Makes a named namespace; resolves with false when it was there. */
export async function addNamespace(namespace: string): Promise<boolean> {
  const { code, stderr } = await run(['ip', 'netns', 'add', namespace]);
  if (code === 0) return true;
  if (stderr.includes('File exists')) return false;
  throw new AppError('internal', `ip netns add ${namespace}: ${stderr.trim()}`);
}

/** Removes a named namespace with all that is in it. Removing none is no error. */
export async function removeNamespace(namespace: string): Promise<void> {
  const { code, stderr } = await run(['ip', 'netns', 'delete', namespace]);
  if (code !== 0 && !stderr.includes('No such file')) throw new AppError('internal', `ip netns delete ${namespace}: ${stderr.trim()}`);
}

/** iproute2 says "Command failed -:3": the line's number is replaced by the line. */
function describe(stderr: string, lines: readonly string[]): string {
  return stderr
    .trim()
    .replaceAll(/Command failed -:([0-9]+)/g, (_, number: string) => `(${lines[Number(number) - 1] ?? ''})`)
    .replaceAll('\n', ' ');
}
