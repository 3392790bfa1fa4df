// Why a worker has no session, in words for its user, when waiting will not help: somebody does not trust somebody, or a clock is wrong. The agent goes on
// trying all the same: a clock may be set right, a root may come back.
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { whyNotTrusted } from '#transport/dial.ts';
import type { TlsMaterial } from '#transport/server.ts';
import type { KnownManager } from './remote-managers.ts';

export interface SessionTrouble {
  /** Undefined while all is well, or while it is not known what is wrong. */
  text(): string | undefined;
  /** A session could not be had. */
  failed(error: unknown): void;
  /** There is a session. */
  over(): void;
}

export interface SessionTroubleOptions {
  readonly managers: () => readonly KnownManager[];
  readonly tls: () => TlsMaterial;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Between two looks at what is wrong: less than an attempt that fails takes (first-connected.ts), so that each is looked into. */
const LOOK_EVERY_MS = 4_000;
/** A manager that just stops closes connections, too: it is looked at so many times. */
const SURE = 2;
/** What managers say that a user must hear. */
const TELLING: readonly string[] = ['failedPrecondition', 'unauthenticated', 'unimplemented'];

export function createSessionTrouble({ managers, tls, clock, log }: SessionTroubleOptions): SessionTrouble {
  let text: string | undefined;
  let lookedAt = -Infinity;
  let looks = 0;
  let suspicions = 0;

  function say(next: string | undefined): void {
    if (next !== undefined && next !== text) log.error({ error: next }, 'this node cannot take its part in the swarm');
    text = next;
  }

  /** A manager that is down tells nothing: the first of them that gives a reason counts. */
  async function look(look: number): Promise<void> {
    for (const { address } of managers()) {
      const reason = await whyNotTrusted(address, tls(), clock, AbortSignal.timeout(LOOK_EVERY_MS));
      if (look !== looks) return;
      if (reason === undefined) continue;
      suspicions++;
      return suspicions < SURE ? undefined : say(reason);
    }
    suspicions = 0;
    say(undefined);
  }

  return {
    text: () => text,
    failed(error) {
      if (error instanceof AppError && TELLING.includes(error.code)) return say(error.message);
      if (clock.elapsed() - lookedAt < LOOK_EVERY_MS) return;
      lookedAt = clock.elapsed();
      looks++;
      look(looks).catch((cause: unknown) => log.debug({ error: errorMessage(cause) }, 'why there is no session could not be found out'));
    },
    over() {
      looks++;
      suspicions = 0;
      say(undefined);
    },
  };
}
