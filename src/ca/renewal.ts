// When a node renews its certificate: at a random moment, so that nodes that joined together do not all come back together.
import { type Random, randomInteger } from '#lib/clock.ts';

/** Shares of the certificate's life (SwarmKit's CertLowerRotationRange and CertUpperRotationRange). */
const EARLIEST = 0.5;
const LATEST = 0.8;

/** The time (ms since the epoch) of the next renewal; it may be past already, then renew now. */
export function renewalTime({ notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number }, random: Random): number {
  const lifeMs = notAfter - notBefore;
  const share = EARLIEST + (LATEST - EARLIEST) * (randomInteger(random, 2 ** 32) / 2 ** 32);
  return notBefore + Math.floor(lifeMs * share);
}
