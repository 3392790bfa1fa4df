// Keeps this node's certificate good: renews it in time, at once when the swarm's root or the allowed life of certificates changed, and follows what
// the swarm trusts. Whoever uses the certificate is told of the new one; connections that stand go on.
import { clockProblem } from '#ca/clock-skew.ts';
import { epochOf } from '#ca/epoch.ts';
import { createCertificateRequest, readNodeCertificate } from '#ca/node-certificate.ts';
import { renewalTime } from '#ca/renewal.ts';
import { isChainTrusted, isKeyOf, isSignedBy, splitCertificates, tlsInfoOfNode, type TlsInfo } from '#ca/root.ts';
import type { Trust } from '#ca/rotation.ts';
import { createBackoff } from '#lib/backoff.ts';
import type { Clock, Random } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Sealer } from '#store/seal.ts';
import type { TlsMaterial } from '#transport/server.ts';
import { readIdentity, writeIdentity } from './identity.ts';

export interface CertificateKeeper {
  /** What to show and to trust now. */
  identity(): TlsMaterial;
  tlsInfo(): TlsInfo;
  /** Takes what the managers say; the same again costs nothing. */
  follow(trust: Trust): void;
  /** Called after every change of the identity. */
  onChange(listener: (identity: TlsMaterial) => void): void;
  /** Renews the certificate when it is time, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface KeyLock {
  readonly sealer: Sealer;
  isLocked(): boolean;
}

export interface CertificateKeeperOptions {
  readonly folder: string;
  /** Of a manager: opens its key, and locks it while autolock is on. */
  readonly keyLock?: KeyLock;
  /** Gets a certificate (PEM with its chain) for a request (PEM) of some manager. */
  readonly issue: (request: string) => Promise<string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** What certificates are backdated by, and a little for rounding. */
const LIFE_TOLERANCE_MS = 3_600_000 + 60_000;
/** The machine's clock may be set while this one waits. */
const LOOK_AGAIN_MS = 3_600_000;
const INITIAL_BACKOFF_MS = 200;
const MAXIMUM_BACKOFF_MS = 30_000;

export function createCertificateKeeper({ folder, keyLock, issue, clock, random, log }: CertificateKeeperOptions): CertificateKeeper {
  let identity = readIdentity(folder, keyLock?.sealer);
  let renewAt = renewalTime(readNodeCertificate(identity.certificate), random);
  let trust: Trust | undefined;
  let wake = () => {};
  const listeners: ((identity: TlsMaterial) => void)[] = [];

  function take(next: TlsMaterial): void {
    writeIdentity(folder, next, keyLock?.isLocked() ? keyLock.sealer : undefined);
    identity = next;
    for (const listener of listeners) listener(next);
  }

  function takeRoots(): void {
    if (trust === undefined || trust.roots === identity.roots) return;
    log.info({ roots: splitCertificates(trust.roots).length }, 'the roots that this node trusts have changed');
    take({ ...identity, roots: trust.roots });
  }

  function dueAt(): number {
    return trust !== undefined && (trust.roots !== identity.roots || isOutdated(identity.certificate, trust)) ? 0 : renewAt;
  }

  async function renew(): Promise<void> {
    takeRoots();
    const { nodeId } = readNodeCertificate(identity.certificate);
    const { request, key } = await createCertificateRequest();
    const certificate = await issue(request);
    const issued = readNodeCertificate(certificate);
    if (issued.nodeId !== nodeId || !isKeyOf(certificate, key) || !isChainTrusted(certificate, identity.roots))
      throw new AppError('internal', 'the certificate that a manager issued is not one for this node, or not of a root that it trusts');
    // With it this node could not even ask for a better one.
    const problem = clockProblem(issued, clock.now(), 'this node, made just now,');
    if (problem !== undefined) throw new AppError('failedPrecondition', problem);
    take({ ...identity, certificate, key });
    // Not before it lies on the disk, which may be full.
    renewAt = renewalTime(issued, random);
    log.info({ validUntil: new Date(issued.notAfter).toISOString() }, "this node's certificate was renewed");
  }

  return {
    identity: () => identity,
    tlsInfo: () => tlsInfoOfNode(identity),
    follow(next) {
      trust = next;
      try {
        takeRoots();
      } catch (error) {
        log.error({ error: errorMessage(error) }, 'the roots that this node trusts could not be written; it will be tried again');
      }
      wake();
    },
    onChange: (listener) => void listeners.push(listener),
    async run(signal) {
      const backoff = createBackoff({ initialMs: INITIAL_BACKOFF_MS, maximumMs: MAXIMUM_BACKOFF_MS });
      while (!signal.aborted) {
        const waitMs = dueAt() - clock.now();
        if (waitMs > 0) {
          backoff.reset();
          await sleepOrWake(clock, Math.min(waitMs, LOOK_AGAIN_MS), signal, (listener) => (wake = listener));
          continue;
        }
        try {
          await renew();
          // Still due: the manager that signed does not know yet what this node was told.
          if (dueAt() > clock.now()) continue;
        } catch (error) {
          log.warn({ error: errorMessage(error) }, "this node's certificate could not be renewed; it will be tried again");
        }
        await sleepOrWake(clock, backoff.nextMs(), signal, (listener) => (wake = listener));
      }
    },
  };
}

function isOutdated(certificate: string, { issuer, expiryMs, epoch = 0 }: Trust): boolean {
  const { notBefore, notAfter } = readNodeCertificate(certificate);
  return !isSignedBy(certificate, issuer) || notAfter - notBefore > expiryMs + LIFE_TOLERANCE_MS || epochOf(certificate) < epoch;
}

/** Resolves after `delayMs`, when the listener that `setWake` gets is called, or when the signal aborts. */
async function sleepOrWake(clock: Clock, delayMs: number, signal: AbortSignal, setWake: (listener: () => void) => void): Promise<void> {
  const woken = new AbortController();
  setWake(() => woken.abort());
  await clock.sleep(delayMs, AbortSignal.any([signal, woken.signal])).catch(() => {});
  setWake(() => {});
}
