// Keeps the local member's file from growing for ever: what compaction freed is given back when that is most of the file, and an exceeded quota is lifted once
// there is room again.
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { EtcdClient } from './client.ts';
import type { MemberStatus } from './messages.ts';
import { QUOTA_BYTES } from './process.ts';

/** A member that rewrites its file answers nobody meanwhile, about a second for each 100 MB: it must be worth that. */
const MIN_WASTE_BYTES = 128 * 1024 * 1024;
const CHECK_MS = 60_000;
/** Members take turns by chance rather than by agreement; a member that leads etcd does it only when it must. */
const LEADER_MIN_WASTE_BYTES = 1024 * 1024 * 1024;

/** Until the signal aborts. */
export async function careForEtcd(client: EtcdClient, { clock, log }: { readonly clock: Clock; readonly log: Logger }, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(CHECK_MS, signal).catch(() => {});
    if (signal.aborted) return;
    await careOnce(client, log).catch((error: unknown) => log.debug({ error: errorMessage(error) }, 'etcd could not be looked after'));
  }
}

/** One look, and what it calls for. */
export async function careOnce(client: EtcdClient, log: Logger, quotaBytes = QUOTA_BYTES): Promise<void> {
  let status = await client.status();
  const isFull = status.errors.some((error) => error.includes('NOSPACE'));
  if (isFull) {
    // What it keeps for managers that were away for a moment may be most of it; they read everything again.
    log.warn({ bytes: status.dbSize }, "etcd's file has reached its limit; old revisions are forgotten");
    await client.compact((await client.range({ key: 'skep/meta' })).revision);
    status = await client.status();
  }
  if (isWorthDefragmenting(status) || (isFull && wasteOf(status) > 0)) {
    log.info({ bytes: status.dbSize, used: status.dbSizeInUse }, "etcd's file is rewritten without what is not used any more");
    await client.defragment();
  }
  if (!isFull || (await client.status()).dbSize >= quotaBytes) return;
  log.warn({}, 'etcd has room again: writes are allowed');
  await client.disarm(status.memberId);
}

function wasteOf({ dbSize, dbSizeInUse }: MemberStatus): number {
  return dbSize - dbSizeInUse;
}

/** Pure. */
export function isWorthDefragmenting(status: MemberStatus): boolean {
  const minimum = status.leaderId === status.memberId ? LEADER_MIN_WASTE_BYTES : MIN_WASTE_BYTES;
  return wasteOf(status) >= minimum && wasteOf(status) > status.dbSizeInUse;
}
