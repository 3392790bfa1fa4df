// A backend that can be exchanged for another with the same contents while the store on it goes on: how one manager's file becomes several managers' etcd.
import type { StoreBackend } from './backend.ts';

export interface SwitchableBackend extends StoreBackend {
  /**
   * Holds commits that come, waits for those that are under way, and calls `open`, which makes the new backend from what is stored now and loads it. Commits
   * then go on there; when `open` rejects they go on where they were, and so does this call.
   */
  switchTo(open: () => Promise<StoreBackend>): Promise<void>;
}

type Listener = Parameters<StoreBackend['subscribe']>[0];

export function createSwitchableBackend(first: StoreBackend): SwitchableBackend {
  let current = first;
  let listener: Listener | undefined;
  let switching: Promise<void> | undefined;
  const underWay = new Set<Promise<unknown>>();

  async function exchange(open: () => Promise<StoreBackend>): Promise<void> {
    await Promise.allSettled(underWay);
    const next = await open();
    if (listener !== undefined) next.subscribe(listener);
    const previous = current;
    current = next;
    await previous.close();
  }

  return {
    load: () => current.load(),
    async commit(writes, fence) {
      // Another switch may begin before this commit's turn.
      while (switching !== undefined) await switching.catch(() => {});
      const result = current.commit(writes, fence);
      const settled = result.catch(() => {});
      underWay.add(settled);
      void settled.then(() => underWay.delete(settled));
      return result;
    },
    subscribe(next) {
      listener = next;
      current.subscribe(next);
    },
    damaged: (signal) => current.damaged?.(signal) ?? none(),
    async switchTo(open) {
      while (switching !== undefined) await switching.catch(() => {});
      switching = exchange(open).finally(() => {
        switching = undefined;
      });
      await switching;
    },
    async close() {
      await switching?.catch(() => {});
      await current.close();
    },
  };
}

async function* none(): AsyncGenerator<never> {}
