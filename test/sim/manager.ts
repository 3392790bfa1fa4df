// The simulated manager: the real store on a backend that outlives it, the real control loops, dispatcher and use cases. It may crash at any time and
// come back from what is stored.
import { createExternalSigner } from '#ca/external.ts';
import type { Control } from '#control/control.ts';
import { createControl } from '#control/create-control.ts';
import type { StoreObject } from '#domain/objects.ts';
import type { Writer } from '#domain/view.ts';
import type { Dispatcher } from '#dispatcher/dispatcher.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { createManager } from '#manager/manager.ts';
import type { StoreBackend } from '#store/backend.ts';
import { createStore } from '#store/create-store.ts';
import { createMemoryBackend } from '#store/memory.ts';
import type { Store } from '#store/store.ts';
import type { Chance } from './chance.ts';
import type { SkewedClock, Timeline } from './clock.ts';
import { INJECTED, type Trace } from './trace.ts';

export interface ManagerFaults {
  /** Of every commit: nothing was written, … */
  failureProbability: number;
  /** … or it was, and only the answer is lost. */
  lostAnswerProbability: number;
  maxCommitMs: number;
}

export interface SimulatedManager {
  readonly clock: SkewedClock;
  readonly faults: ManagerFaults;
  /** Undefined while it is down. */
  readonly running: RunningManager | undefined;
  start(): Promise<void>;
  /** Everything that is not stored is gone. What was under way ends in the background, without effect. */
  crash(): void;
}

export interface RunningManager {
  readonly store: Store;
  readonly control: Control;
  readonly dispatcher: Dispatcher;
  /** Aborted when this life of the manager ends. */
  readonly signal: AbortSignal;
}

export interface SimulatedManagerOptions {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly objects: readonly StoreObject[];
  /** Called with each life's store, before anything runs on it. */
  readonly onStart: (store: Store) => void;
  readonly onCommit: (writer: Writer) => void;
  /** Whether a machine can be reached now. */
  readonly isReachable: (nodeId: string) => boolean;
}

const plainText = new TextEncoder();

export function createSimulatedManager({ timeline, chance, trace, objects, onStart, onCommit, isReachable }: SimulatedManagerOptions): SimulatedManager {
  const memory = createMemoryBackend(objects);
  const clock = timeline.clock();
  const faults: ManagerFaults = { failureProbability: 0, lostAnswerProbability: 0, maxCommitMs: 0 };
  let life: { readonly manager: RunningManager; readonly stop: AbortController } | undefined;

  async function start(): Promise<void> {
    const stop = new AbortController();
    const backend = unreliable(memory, { timeline, chance, faults, isOver: () => stop.signal.aborted });
    const store = watched(await createStore({ backend, clock }), onCommit);
    onStart(store);
    const log = trace.logger('manager');
    const random = chance.random;
    const sealed = { secretData: () => new Uint8Array(), registryAuth: (text: string) => text };
    const knock = async (nodeId: string) => (isReachable(nodeId) ? 'alive' : 'silent');
    const machines = { usedToAnswer: () => true, knock } as const;
    const manager = createManager({ store, clock, random, sealed, log, machines, managers: () => [{ nodeId: 'manager', address: '10.0.0.1:2377' }] });
    const sealer = { seal: (plain: Uint8Array) => Buffer.from(plain).toString('base64'), open: (text: string) => plainText.encode(text) };
    const externalSigner = createExternalSigner({ identity: () => undefined, now: () => clock.now(), log });
    const control = createControl({ store, clock, random, sealer, externalSigner, log, nodeId: 'node1' });
    manager.run(stop.signal).catch((error: unknown) => trace.violation(`the manager failed: ${errorMessage(error)}`));
    life = { manager: { store, control, dispatcher: manager.dispatcher, signal: stop.signal }, stop };
    trace.note('manager starts');
  }

  return {
    clock,
    faults,
    get running() {
      return life?.manager;
    },
    start,
    crash() {
      trace.note('manager crashes');
      void memory.close();
      life?.stop.abort(new Error(`${INJECTED}: the manager crashed`));
      life = undefined;
    },
  };
}

interface Unreliability {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly faults: ManagerFaults;
  readonly isOver: () => boolean;
}

/** Commits take their time, and may fail before or after they were written. */
function unreliable(memory: StoreBackend, { timeline, chance, faults, isOver }: Unreliability): StoreBackend {
  return {
    ...memory,
    async commit(writes) {
      if (faults.maxCommitMs > 0) await timeline.sleep(chance.integer(0, faults.maxCommitMs));
      if (isOver()) throw new AppError('unavailable', `${INJECTED}: the manager is down`);
      const breaks = (probability: number) => probability > 0 && chance.happens(probability);
      if (breaks(faults.failureProbability)) throw new AppError('unavailable', `${INJECTED}: the disk does not answer`);
      const result = await memory.commit(writes);
      if (breaks(faults.lostAnswerProbability)) throw new AppError('unavailable', `${INJECTED}: the answer of the disk is lost`);
      return result;
    },
  };
}

/** Says who is about to commit, so that invariants can count. */
function watched(store: Store, onCommit: (writer: Writer) => void): Store {
  return {
    ...store,
    commit: (writer, changes) => {
      onCommit(writer);
      return store.commit(writer, changes);
    },
  };
}
