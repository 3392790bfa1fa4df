// How a node gets into a swarm that is there: it asks the managers that the user named, one after the other, for an identity.
import { parseJoinToken } from '#ca/join-token.ts';
import type { JoinRequest } from '#control/control.ts';
import { AppError } from '#lib/errors.ts';
import { type JoinedIdentity, requestIdentity } from '#transport/bootstrap.ts';
import { joinHostPort, splitHostPort } from './addresses.ts';

/** As long as Docker's own `swarm join` tries. */
const JOIN_TIMEOUT_MS = 20_000;

/** Throws AppError in Docker's words when the request cannot succeed, whoever answers it. */
export function checkJoinRequest({ remoteAddrs, joinToken }: JoinRequest): void {
  if (remoteAddrs.length === 0) throw new AppError('invalidArgument', 'at least 1 RemoteAddr is required to join');
  if (remoteAddrs.includes('')) throw new AppError('invalidArgument', 'invalid remoteAddr "": invalid empty address');
  parseJoinToken(joinToken);
}

/** The identity that the first manager that answers gives; what the last one said when none does. */
export async function requestFromAny({ remoteAddrs, joinToken, availability }: JoinRequest): Promise<JoinedIdentity & { readonly manager: string }> {
  const signal = AbortSignal.timeout(JOIN_TIMEOUT_MS);
  let failure: unknown;
  for (const remote of remoteAddrs) {
    const { host, port = '2377' } = splitHostPort(remote);
    const manager = joinHostPort(host, port);
    try {
      return { ...(await requestIdentity({ address: manager, token: joinToken, availability, signal })), manager };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
