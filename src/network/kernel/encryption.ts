// Brings the WireGuard device to what it must be: the kernel's when it has WireGuard, else one that wireguard-go serves. Such a process lives exactly as
// long as its device, so the device is all there is to find and to remove: whoever finds one after a restart goes on with it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Encryption } from '../desired.ts';
import type { Names } from '../names.ts';
import { planEncryptionLink, renderWireGuard } from '../render/encryption.ts';
import { applySteps } from './apply.ts';
import type { HostLinks } from './observe.ts';
import { run, runOrThrow } from './run.ts';

export type WireGuard = { readonly kind: 'kernel' | 'process' } | { readonly kind: 'unavailable'; readonly reason: string };

export interface EncryptionApplier {
  /** Resolves with whether the device was made anew: then whatever was bound to it is gone. Undefined takes it away. */
  apply(encryption: Encryption | undefined, links: HostLinks, verify: boolean): Promise<boolean>;
}

const INSTALL = 'install wireguard-tools and, where the kernel has no WireGuard, wireguard-go; then restart skepd';
/** Until wireguard-go has made its device and listens for its configuration. */
const READY_TRIES = 100;
const READY_PAUSE_MS = 50;
/** One that ends at once is started again: a device of the same name may just be on its way out. */
const MAX_STARTS = 3;
/** What wireguard-go says is of use when it does not start; for the rest of its life it is kept from filling a disk. */
const MAX_LOG_BYTES = 256 * 1024;

/** What this machine has, by trying. */
export async function findWireGuard({ encryptionDevice }: Names): Promise<WireGuard> {
  const has = async (tool: string) => (await run(['sh', '-c', 'command -v "$0"', tool])).code === 0;
  if (!(await has('wg'))) return { kind: 'unavailable', reason: `there is no wg; ${INSTALL}` };
  const probe = `${encryptionDevice}-probe`;
  const { code } = await run(['ip', 'link', 'add', probe, 'type', 'wireguard']);
  await run(['ip', 'link', 'del', probe]);
  if (code === 0) return { kind: 'kernel' };
  if (await has('wireguard-go')) return { kind: 'process' };
  return { kind: 'unavailable', reason: `its kernel has no WireGuard, and there is no wireguard-go; ${INSTALL}` };
}

export interface EncryptionApplierOptions {
  readonly names: Names;
  readonly wireGuard: WireGuard;
  readonly privateKey: string;
  /** Gets what wireguard-go says. */
  readonly logFile: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The process behind the device has ended, and nobody here has asked for that. */
  readonly onEnd: () => void;
}

export function createEncryptionApplier(options: EncryptionApplierOptions): EncryptionApplier {
  const { names, wireGuard, privateKey, log } = options;
  const device = names.encryptionDevice;
  let applied: string | undefined;
  const remove = async () => {
    applied = undefined;
    const { code, stderr } = await run(['ip', 'link', 'del', device]);
    if (code !== 0 && !stderr.includes('Cannot find device')) throw new AppError('internal', `ip link del ${device}: ${stderr.trim()}`);
  };

  async function make(): Promise<void> {
    if (wireGuard.kind === 'kernel') await runOrThrow(['ip', 'link', 'add', device, 'type', 'wireguard']);
    else await startProcess(device, options);
  }

  return {
    async apply(encryption, { links }, verify) {
      const actual = links.find(({ name }) => name === device);
      if (encryption === undefined) {
        if (actual !== undefined) await remove();
        return false;
      }
      const text = renderWireGuard(encryption, privateKey);
      const key = JSON.stringify(encryption);
      if (actual !== undefined && applied === key && !verify) return false;
      trim(options.logFile);
      applied = undefined;
      if (actual === undefined) await make();
      try {
        await configure(device, text);
        await applySteps(planEncryptionLink(encryption, actual, names));
      } catch (error) {
        // A process that does not listen any more keeps a device that is of no use: the next try makes both anew.
        await remove().catch((cause: unknown) => log.warn({ error: errorMessage(cause) }, 'the WireGuard device cannot be removed'));
        throw error;
      }
      applied = key;
      return actual === undefined;
    },
  };
}

/** Keeps sessions with peers that stay. The shell makes a pipe of what Node gives it, which is a socket: wg cannot open that by name. */
async function configure(device: string, text: string): Promise<void> {
  await runOrThrow(['sh', '-c', 'cat | wg syncconf "$0" /dev/stdin', device], text);
}

/** It is written to by appending: what comes next begins at the start again. */
function trim(logFile: string): void {
  if ((statSync(logFile, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES) truncateSync(logFile);
}

/** Resolves when the device is there and can be configured. The process goes on when we end. */
async function startProcess(device: string, options: EncryptionApplierOptions): Promise<void> {
  for (let starts = 1; ; starts++) {
    const code = await startOnce(device, options);
    if (code === undefined) return;
    const said = lastErrorIn(options.logFile);
    if (starts === MAX_STARTS || code === 'late')
      throw new AppError(
        'unavailable',
        `wireguard-go does not serve ${device} (${code === 'late' ? 'no answer' : `exit code ${code}`}${said === '' ? '' : `: ${said}`})`,
      );
    options.log.warn({ device, code, said }, 'wireguard-go ended at once; it is started again');
    await options.clock.sleep(READY_PAUSE_MS, new AbortController().signal);
  }
}

/** Undefined when it serves; how it ended when it does not. */
async function startOnce(device: string, { logFile, clock, log, onEnd }: EncryptionApplierOptions): Promise<number | string | undefined> {
  const env = { ...process.env, WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: '1', LOG_LEVEL: 'error' };
  // What an earlier one said is no reason of this one's end.
  writeFileSync(logFile, '', { mode: 0o600 });
  const output = openSync(logFile, 'a');
  const child = spawn('wireguard-go', ['-f', device], { detached: true, cwd: '/', stdio: ['ignore', output, output], env });
  closeSync(output);
  await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error as Error))]);
  child.unref();
  let serves = false;
  child.once('exit', (code) => {
    log.info({ device, code }, 'wireguard-go has ended');
    if (serves) onEnd();
  });
  for (let tries = 0; tries < READY_TRIES; tries++) {
    const ended = child.exitCode ?? child.signalCode;
    if (ended !== null) return ended;
    serves = (await run(['wg', 'show', device, 'listen-port'])).code === 0;
    if (serves) return undefined;
    await clock.sleep(READY_PAUSE_MS, new AbortController().signal);
  }
  child.kill('SIGKILL');
  return 'late';
}

function lastErrorIn(file: string): string {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.findLast((line) => line.startsWith('ERROR: '))?.replace(/^ERROR: \(\w+\) \S+ \S+ /, '') ?? '';
  } catch {
    return '';
  }
}
