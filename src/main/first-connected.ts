// Which of several managers a node talks to: the first that answers. They are tried in turn without waiting for one that is silent to give up, because a
// connection that was begun while the network was down waits for TCP's next try, up to many seconds, and a fresh one is better.
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '#lib/errors.ts';
import type { ManagerClient } from '#transport/client.ts';

/** Until the next one is tried as well. */
const STAGGER_MS = 250;
/** How long one may take: handshakes of a busy machine take longer than a new connection on an idle one. */
const TRY_TIMEOUT_MS = 2_000;
/** How long tries are begun: a little less than an agent waits for a session (agent/session.ts), so that it hears why it gets none. */
const TRIES_MS = 4_500;

/**
 * The client of the first manager that is connected; all others are closed. Fresh ones are begun for as long as that makes sense, so that a link that comes back is
 * found within one stagger; at most eight are under way. Rejects with what the last one said when none is connected by then, or when the signal aborts.
 */
export async function firstConnected(addresses: readonly string[], open: (address: string) => ManagerClient, signal: AbortSignal): Promise<ManagerClient> {
  const clients = new Set<ManagerClient>();
  const first = Promise.withResolvers<ManagerClient>();
  let winner: ManagerClient | undefined;
  let failure: unknown = new AppError('unavailable', 'no manager of the swarm is known');
  const deadline = performance.now() + TRIES_MS;
  try {
    for (let count = 0; winner === undefined && !signal.aborted && performance.now() < deadline; count++) {
      const address = addresses[count % addresses.length];
      if (address === undefined) break;
      const client = open(address);
      clients.add(client);
      const connected = () => {
        winner ??= client;
        first.resolve(client);
      };
      const failed = (error: unknown) => {
        failure = error;
        if (clients.delete(client)) client.close();
      };
      client.connected(TRY_TIMEOUT_MS).then(connected, failed);
      await Promise.race([first.promise, delay(STAGGER_MS)]);
    }
    if (winner === undefined) throw failure;
    return winner;
  } finally {
    if (winner !== undefined) clients.delete(winner);
    for (const client of clients) {
      clients.delete(client);
      client.close();
    }
  }
}
