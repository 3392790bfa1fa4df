// Which of its lives a swarm is in. A swarm that is restored from a backup, or forced to begin anew with one manager, is the same swarm for its nodes, and
// managers of before may still run somewhere. So it gets an epoch, certificates carry it, and whoever meets a later one knows that his own is over: nobody
// can claim an epoch that a manager of it has not signed. Swarms that were never restored have none.
import type { X509Certificate } from 'node:crypto';
import { readCertificate } from './root.ts';

const PREFIX = 'skep-epoch-';
const inNames = new RegExp(`DNS:${PREFIX}(\\d{1,15})(?:,|$)`);

/** The name in a certificate of that epoch. */
export function epochName(epoch: number): string {
  return `${PREFIX}${epoch}`;
}

/** Later than all before it: the time of day, unless that was set back. */
export function nextEpoch(before: number | undefined, now: number): number {
  return Math.max(now, (before ?? 0) + 1);
}

/** 0 without one. The certificate must be checked before this is believed. */
export function epochOf(certificate: X509Certificate | string): number {
  const { subjectAltName } = typeof certificate === 'string' ? readCertificate(certificate) : certificate;
  return epochOfNames(subjectAltName);
}

/** Of a certificate's alternative names, as Node writes them. */
export function epochOfNames(names: string | undefined): number {
  return Number(inNames.exec(names ?? '')?.[1] ?? 0);
}
