// A manager: the control loops over the store, and the dispatcher that agents talk to. Composition only; what is decided lives in the folders
// of the decisions. With several managers only the leader runs this.

import { decideOrphans, nodesOfEvent, nodesWithTasks } from '#dispatcher/orphans.ts';
import { createDispatcher, type Dispatcher, type DispatcherOptions } from '#dispatcher/dispatcher.ts';
import { finishRotation, rotationKeys, rotationKeysOfEvent } from '#ca/rotation.ts';
import { newId } from '#lib/id.ts';
import { levelKeys, levelKeysOfEvent, raiseLevel } from './level.ts';
import type { Random } from '#lib/clock.ts';
import {
  allEnforcerKeys,
  createOrchestratorKeys,
  allReaperKeys,
  enforceConstraints,
  enforcerKeysOfEvent,
  reaperKeysOfEvent,
  reapTasks,
  reconcileService,
} from '#orchestrator/index.ts';
import { createAllocator } from '#allocator/allocator.ts';
import { createScheduler } from '#scheduler/scheduler.ts';
import { type ControlLoop, perKey, runControlLoop } from './control-loop.ts';

export interface Manager {
  readonly dispatcher: Dispatcher;
  /** Decides and dispatches until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export function createManager(options: DispatcherOptions): Manager {
  const dispatcher = createDispatcher(options);
  return {
    dispatcher,
    async run(signal) {
      const loops = createLoops(options.random).map((loop) => runControlLoop(loop, options, signal));
      await Promise.all([dispatcher.run(signal), ...loops]);
    },
  };
}

/** In the order of a task's life. Each has its own fields to write (store/writers.ts), so their order of running does not matter. */
function createLoops(random: Random): readonly ControlLoop[] {
  const orchestratorKeys = createOrchestratorKeys();
  return [
    {
      name: 'orchestrator',
      writer: 'orchestrator',
      ...orchestratorKeys,
      decide: perKey((view, serviceId, now) => reconcileService(view, serviceId, now, () => newId(random))),
    },
    { name: 'constraint enforcer', writer: 'orchestrator', allKeys: allEnforcerKeys, keysOf: enforcerKeysOfEvent, decide: perKey(enforceConstraints) },
    createAllocator(),
    createScheduler(),
    { name: 'orphans', writer: 'dispatcher', allKeys: nodesWithTasks, keysOf: nodesOfEvent, decide: perKey(decideOrphans) },
    { name: 'root rotation', writer: 'manager', allKeys: rotationKeys, keysOf: rotationKeysOfEvent, decide: perKey(finishRotation) },
    { name: 'level', writer: 'manager', allKeys: levelKeys, keysOf: levelKeysOfEvent, decide: perKey(raiseLevel) },
    {
      name: 'reaper',
      writer: 'reaper',
      allKeys: allReaperKeys,
      keysOf: reaperKeysOfEvent,
      decide: reapTasks,
    },
  ];
}
