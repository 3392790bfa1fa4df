// What a manager that does not lead answers to agents, and how they find the leader in it.
import { AppError } from '#lib/errors.ts';

const NOT_LEADING = 'this manager does not lead the swarm; ';

/** `leader` is its address, if one is known. */
export function notLeading(leader: string | undefined): AppError {
  return new AppError('unavailable', leader === undefined ? 'no manager leads the swarm right now' : `${NOT_LEADING}${leader} does`);
}

/** The leader's address, when the error is what a manager says that does not lead and knows who does. */
export function leaderNamedIn(error: unknown): string | undefined {
  if (!(error instanceof AppError) || error.code !== 'unavailable' || !error.message.startsWith(NOT_LEADING)) return undefined;
  return error.message.slice(NOT_LEADING.length).split(' ')[0];
}
