// Pieces that tests of the server share: a membership outside of any swarm, or one whose events a test sends.
import type { SwarmInfo, SwarmMembership } from '#control/control.ts';
import type { StoreEvent } from '#domain/view.ts';
import { AppError } from '#lib/errors.ts';

export const NOT_A_MANAGER = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

export interface TestMembership extends SwarmMembership {
  emit(...events: readonly StoreEvent[]): void;
}

/** What a daemon is that has never been in a swarm; `info` may say otherwise. */
export function createTestMembership(info: Partial<SwarmInfo> = {}): TestMembership {
  const listeners = new Set<(events: readonly StoreEvent[]) => void>();
  const refuse = () => {
    throw new AppError('unavailable', NOT_A_MANAGER);
  };
  const reject = () => Promise.reject(new AppError('unavailable', NOT_A_MANAGER));
  return {
    info: () => ({ nodeId: '', nodeAddress: '', state: 'inactive', controlAvailable: false, error: '', remoteManagers: [], warnings: [], ...info }),
    control: refuse,
    init: reject,
    join: reject,
    leave: reject,
    unlock: reject,
    onEvents(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    logs: refuse,
    emit(...events) {
      for (const listener of listeners) listener(events);
    },
  };
}
