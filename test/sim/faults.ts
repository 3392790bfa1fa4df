// What goes wrong in a simulation. Every fault ends when `endAll` says so; some end earlier by themselves.
import type { Chance } from './chance.ts';
import type { Timeline } from './clock.ts';
import type { SimulatedManager } from './manager.ts';
import type { SimulatedNode } from './node.ts';
import type { Trace } from './trace.ts';

export interface FaultOptions {
  readonly chance: Chance;
  readonly trace: Trace;
  readonly timeline: Timeline;
  readonly manager: SimulatedManager;
  readonly nodes: readonly SimulatedNode[];
}

export interface Faults {
  /** Something goes wrong now. */
  inject(): Promise<void>;
  /** Manager or agent, in the middle of whatever goes on; it comes back at once or with the next fault. */
  crashSomething(): void;
  /** Nothing goes wrong any more. */
  endAll(): Promise<void>;
}

export function createFaults({ chance, trace, timeline, manager, nodes }: FaultOptions): Faults {
  let over = false;

  async function restartManager(): Promise<void> {
    if (manager.running === undefined) return manager.start();
    manager.crash();
    if (chance.happens(0.5)) await manager.start();
  }

  function disturbNode(node: SimulatedNode): void {
    switch (chance.integer(0, 8)) {
      case 0:
        trace.note(`fault: ${node.id} is cut off`);
        node.link.isCut = true;
        return;
      case 1:
        trace.note(`fault: the link of ${node.id} is whole`);
        Object.assign(node.link, { isCut: false, lossProbability: 0, maxLatencyMs: 0 });
        return;
      case 2:
        trace.note(`fault: the link of ${node.id} is bad`);
        Object.assign(node.link, { lossProbability: chance.pick([0, 0.1, 0.4]), maxLatencyMs: chance.pick([5, 200, 2_000]) });
        return;
      case 3:
        if (node.isUp) node.crash();
        if (chance.happens(0.7)) node.start();
        return;
      case 4:
        trace.note(`fault: the engine of ${node.id} is down`);
        node.engine.setDown(true);
        return;
      case 5:
        trace.note(`fault: the engine of ${node.id} restarts`);
        node.engine.setDown(false);
        node.engine.restart();
        return;
      case 6:
        trace.note(`fault: the data plane of ${node.id} is bad`);
        Object.assign(node.faults, { dataPlaneFailureProbability: 0.3, maxApplyMs: chance.pick([10, 1_000]) });
        return;
      case 7:
        trace.note(`fault: the clock of ${node.id} jumps`);
        node.clock.moveBy(chance.pick([1_000, 5_000, 3_600_000]));
        return;
      default:
        killContainer(node);
    }
  }

  function killContainer(node: SimulatedNode): void {
    const running = [...node.engine.containers()].filter(([, { state }]) => state.status === 'running').map(([id]) => id);
    const id = chance.pickSome(running);
    if (id === undefined) return;
    trace.note(`fault: the container of ${id} on ${node.id} is killed`);
    node.engine.exit(id, 137);
  }

  return {
    async inject() {
      const roll = chance.integer(0, 19);
      if (roll < 2) return restartManager();
      if (roll < 4) {
        Object.assign(manager.faults, {
          failureProbability: chance.pick([0, 0, 0.1, 0.5]),
          lostAnswerProbability: chance.pick([0, 0, 0.1, 0.3]),
          maxCommitMs: chance.pick([0, 0, 20, 200]),
        });
        trace.note(`fault: the disk is ${JSON.stringify(manager.faults)}`);
      } else if (roll < 5) {
        const byMs = chance.pick([1_000, 10_000, 120_000]);
        trace.note(`fault: everything stands still for ${byMs} ms`);
        timeline.jump(byMs);
      } else {
        const node = chance.pickSome(nodes);
        if (node !== undefined) disturbNode(node);
      }
    },
    crashSomething() {
      if (over) return;
      const node = chance.happens(0.5) ? chance.pickSome(nodes) : undefined;
      if (node === undefined) {
        if (manager.running === undefined) return;
        manager.crash();
        void manager.start().catch((error: unknown) => trace.violation(String(error)));
      } else if (node.isUp) {
        node.crash();
        node.start();
      }
    },
    async endAll() {
      over = true;
      trace.note('all faults end');
      Object.assign(manager.faults, { failureProbability: 0, lostAnswerProbability: 0, maxCommitMs: 0 });
      if (manager.running === undefined) await manager.start();
      for (const node of nodes) {
        Object.assign(node.link, { isCut: false, lossProbability: 0, maxLatencyMs: 0 });
        Object.assign(node.faults, { dataPlaneFailureProbability: 0, maxApplyMs: 0 });
        node.engine.setDown(false);
        node.start();
      }
    },
  };
}
