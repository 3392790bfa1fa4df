// How a node gets into a swarm that is there: it asks the managers that the user named, one after the other, for an identity.
import { parseJoinToken } from '#ca/join-token.ts';
import type { JoinRequest } from '#control/control.ts';
import type { Clock } from '#lib/clock.ts';
import { etcdProblem } from '#etcd/binary.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { type JoinedIdentity, requestIdentity } from '#transport/bootstrap.ts';
import { joinHostPort, splitHostPort } from './addresses.ts';
import { readIdentity } from './identity.ts';
import { peerPortProblem } from './peer-reachable.ts';
import type { KnownManager } from './remote-managers.ts';
import type { StateDirectory } from './state-directory.ts';
import { askAny } from './worker-node.ts';

/** The managers know this node already, which cannot be the manager that it was to be: they forget it, or `docker node ls` would show it for ever. */
export async function sayGivenUp({ certificateFolder }: StateDirectory, managers: readonly KnownManager[], { log }: { readonly log: Logger }): Promise<void> {
  try {
    await askAny(managers, readIdentity(certificateFolder), (client) => client.leave());
  } catch (error) {
    log.warn({ error: errorMessage(error) }, 'no manager could be told that this node gave up joining: it may have to be removed with "docker node rm"');
  }
}

/** As long as Docker's own `swarm join` waits. */
const JOIN_TIMEOUT_MS = 20_000;
const RETRY_MS = 1_000;

/** Throws AppError in Docker's words when the request cannot succeed, whoever answers it. */
export function checkJoinRequest({ remoteAddrs, joinToken }: JoinRequest): void {
  if (remoteAddrs.length === 0) throw new AppError('invalidArgument', 'at least 1 RemoteAddr is required to join');
  if (remoteAddrs.includes('')) throw new AppError('invalidArgument', 'invalid remoteAddr "": invalid empty address');
  parseJoinToken(joinToken);
}

/** What a user asked for, and what the managers must know of this node. */
export interface JoinAttempt extends JoinRequest {
  /** host:port, complete. */
  readonly advertise: string;
  readonly level: number;
}

export type Joined = JoinedIdentity & { readonly manager: string };

/**
 * The identity that some manager gives. Managers that do not answer are asked again until the signal aborts, and so are those whose external authority does
 * not; what one says against it is final. `onDelay` hears why it takes long.
 */
export async function requestUntilAnswered(request: JoinAttempt, clock: Clock, signal: AbortSignal, onDelay: (reason: string) => void): Promise<Joined> {
  let isSlow = false;
  for (;;) {
    try {
      return await requestFromAny(request, clock, signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof AppError)) throw error;
      isSlow ||= error.code === 'deadlineExceeded';
      // A network that comes up, or a manager that starts, refuses for a while.
      if (!isSlow || (error.code !== 'deadlineExceeded' && error.code !== 'unavailable')) throw error;
      onDelay(error.message);
    }
    await clock.sleep(RETRY_MS, signal);
  }
}

/** Undefined when the promise takes longer than a user of `swarm join` is kept waiting. */
export async function withinJoinTimeout<T>(promise: Promise<T>, clock: Clock): Promise<T | undefined> {
  const settled = new AbortController();
  const late = clock.sleep(JOIN_TIMEOUT_MS, settled.signal).then(
    () => undefined,
    () => undefined,
  );
  return Promise.race([promise, late]).finally(() => settled.abort());
}

/** The first answer; what the last manager said when none gives an identity. */
async function requestFromAny({ remoteAddrs, joinToken, availability, advertise, level }: JoinAttempt, clock: Clock, signal: AbortSignal): Promise<Joined> {
  let failure: unknown;
  for (const remote of remoteAddrs) {
    const { host, port = '2377' } = splitHostPort(remote);
    const manager = joinHostPort(host, port);
    try {
      const cannotManage = etcdProblem() ?? (await peerPortProblem(manager));
      const asked = { address: manager, token: joinToken, availability, cannotManage, advertiseAddr: advertise, level, clock, signal };
      return { ...(await requestIdentity(asked)), manager };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
