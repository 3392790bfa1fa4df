// When a manager's own node takes tasks.
import type { Clock } from '#lib/clock.ts';
import type { Store } from '#store/store.ts';

/** As long as Docker's own `swarm init` waits. */
const READY_TIMEOUT_MS = 20_000;

/** Resolves when the store says that the node is ready, or when that took too long. */
export function nodeReady(store: Store, nodeId: string, clock: Clock): Promise<void> {
  const isReady = () => store.view.get('node', nodeId)?.status.state === 'ready';
  if (isReady()) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      unwatch();
      cancel();
      resolve();
    };
    const cancel = clock.schedule(READY_TIMEOUT_MS, done);
    const unwatch = store.watch(() => isReady() && done());
  });
}
