// Clocks that are wrong make certificates useless: what is said then names the clock, and how far it is off.
import { AppError } from '#lib/errors.ts';
import { BACKDATE_MS, type NodeCertificate } from './node-certificate.ts';

/** Throws AppError when a certificate that is made now by a manager would be of no use to a node whose clock shows `nodeNow`. */
export function assertUsableClock(nodeNow: number | undefined, managerNow: number, expiryMs: number): void {
  if (nodeNow === undefined || !Number.isFinite(nodeNow)) return;
  const aheadMs = nodeNow - managerNow;
  if (-aheadMs <= BACKDATE_MS && aheadMs < expiryMs / 2) return;
  const shown = `it shows ${timeText(nodeNow)}, the manager's ${timeText(managerNow)}`;
  throw new AppError('failedPrecondition', `the clock of this node is ${distanceText(aheadMs)} the manager's (${shown}): set it right, and try again`);
}

/** Why a certificate is of no use by this machine's clock; undefined when it is. `whose` names its holder. */
export function clockProblem({ notBefore, notAfter }: Pick<NodeCertificate, 'notBefore' | 'notAfter'>, now: number, whose: string): string | undefined {
  if (now >= notBefore && now <= notAfter) return undefined;
  const valid = `valid from ${timeText(notBefore)} to ${timeText(notAfter)}`;
  const off = now < notBefore ? `at least ${durationText(notBefore - now)} behind` : `${durationText(now - notAfter)} past its end`;
  return `the certificate of ${whose} is ${valid}, and this node's clock shows ${timeText(now)}, ${off}: check the clocks of both`;
}

function distanceText(aheadMs: number): string {
  return `${durationText(Math.abs(aheadMs))} ${aheadMs < 0 ? 'behind' : 'ahead of'}`;
}

function timeText(ms: number): string {
  return Math.abs(ms) > 8.64e15 ? String(ms) : new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** "3 days 4 h", "2 h 13 min", "40 s". */
function durationText(ms: number): string {
  const [minutes, hours, days] = [Math.floor(ms / 60_000), Math.floor(ms / 3_600_000), Math.floor(ms / 86_400_000)];
  if (minutes === 0) return `${Math.round(ms / 1_000)} s`;
  if (hours === 0) return `${minutes} min`;
  if (days === 0) return `${hours} h ${minutes % 60} min`;
  return `${days} day${days === 1 ? '' : 's'} ${hours % 24} h`;
}
