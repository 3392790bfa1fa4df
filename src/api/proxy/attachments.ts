// Releases the addresses of plain containers that are gone. What exists is compared at start, after every loss of the engine's events and now
// and then; in between each removal is followed as it happens.
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { EngineConnection } from '#engine-link/connection.ts';
import { linesOf } from '#lib/lines.ts';
import { type ContainerNetworks, OWNER_LABEL } from './container-networks.ts';
import { objectAt, textAt } from './json-object.ts';

export interface AttachmentKeeper {
  /** While `work` runs, attachments of `owner` are not taken for left over. */
  hold<T>(owner: string, work: () => Promise<T>): Promise<T>;
  stop(): void;
}

/** Costs a look at the swarm's tasks in memory; the engine is asked only when there are attachments. */
const COMPARE_EVERY_MS = 10_000;
const RECONNECT_AFTER_MS = 2_000;

export interface KeeperOptions {
  readonly engine: EngineConnection;
  readonly networks: ContainerNetworks;
  readonly clock: Clock;
  readonly log: Logger;
}

export function startAttachmentKeeper({ engine, networks, clock, log }: KeeperOptions): AttachmentKeeper {
  const held = new Map<string, number>();
  const stopped = new AbortController();
  const { signal } = stopped;

  async function release(isGone: (owner: string) => boolean): Promise<void> {
    for (const { id, owner } of await networks.attachments()) if (!held.has(owner) && isGone(owner)) await networks.detach(id);
  }

  async function compare(): Promise<void> {
    if ((await networks.attachments()).length === 0) return;
    // Attachments first, containers second: one that is made in between has both or is held.
    const candidates = new Set((await networks.attachments()).map(({ owner }) => owner).filter((owner) => !held.has(owner)));
    const containers = await engine.json<{ Id: string; Labels?: Record<string, string> | null }[]>({
      method: 'GET',
      path: '/containers/json',
      query: new URLSearchParams({ all: '1' }),
      signal,
    });
    const owners = new Set(containers.flatMap(({ Id, Labels }) => [Id, Labels?.[OWNER_LABEL] ?? Id]));
    await release((owner) => candidates.has(owner) && !owners.has(owner));
  }

  async function follow(): Promise<void> {
    // Podman says `remove` where Docker says `destroy`.
    const query = new URLSearchParams({ filters: JSON.stringify({ type: ['container'], event: ['destroy', 'remove'] }) });
    const events = await engine.stream({ method: 'GET', path: '/events', query, signal });
    try {
      await compare();
      for await (const line of linesOf(events)) {
        const actor = objectAt(JSON.parse(line), 'Actor');
        const gone = new Set([textAt(actor, 'ID'), textAt(actor['Attributes'], OWNER_LABEL)]);
        await release((owner) => gone.has(owner));
      }
    } finally {
      // What was not read to its end would stay open with every try.
      events.destroy();
    }
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      await follow().catch((error: unknown) => {
        if (!signal.aborted) log.debug({ error: errorMessage(error) }, 'removals of containers cannot be followed for the moment');
      });
      await clock.sleep(RECONNECT_AFTER_MS, signal).catch(() => {});
    }
  }

  async function compareNowAndThen(): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(COMPARE_EVERY_MS, signal).catch(() => {});
      if (!signal.aborted)
        await compare().catch((error: unknown) => log.debug({ error: errorMessage(error) }, 'attachments could not be compared with containers'));
    }
  }

  void run();
  void compareNowAndThen();
  return {
    async hold(owner, work) {
      held.set(owner, (held.get(owner) ?? 0) + 1);
      try {
        return await work();
      } finally {
        const left = (held.get(owner) ?? 1) - 1;
        if (left === 0) held.delete(owner);
        else held.set(owner, left);
      }
    },
    stop: () => stopped.abort(),
  };
}
