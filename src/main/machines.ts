// What a manager knows of the machines of the swarm beside what their nodes say: whether they answer when they are knocked at (transport/knock.ts). Every
// manager knocks at them now and then while all is well, because the silence of one that never answered (a firewall) says nothing when it becomes the leader.
import type { Machines } from '#dispatcher/absences.ts';
import type { Node } from '#domain/objects.ts';
import type { Clock } from '#lib/clock.ts';
import type { Store } from '#store/store.ts';
import { type Answer, knock } from '#transport/knock.ts';
import { splitHostPort } from './addresses.ts';

export interface KnownMachines extends Machines {
  /** Knocks at machines while all is well, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface MachinesOptions {
  readonly store: Pick<Store, 'view'>;
  readonly clock: Clock;
  readonly knockAt?: typeof knock;
}

/** An answer over a long line takes this long, with room. */
const KNOCK_TIMEOUT_MS = 1_000;
/** Nodes that are new are known this much later. */
const LOOK_EVERY_MS = 2_000;
/** Between two knocks at a machine, and how long an answer counts: a firewall may have come since. */
const ASK_EVERY_MS = 60_000;
const KNOWN_FOR_MS = 3 * ASK_EVERY_MS;
/** Knocks at a time: a swarm of a thousand nodes is through well within the time above. */
const AT_A_TIME = 50;
/** Of nodes that are no managers: nobody listens there, which is an answer. */
const USUAL_PORT = 2377;

export function createMachines({ store, clock, knockAt = knock }: MachinesOptions): KnownMachines {
  const asked = new Map<string, { readonly at: number; readonly answeredAt: number }>();

  async function ask(node: Node): Promise<Answer> {
    const { host, port } = placeOf(node);
    return host === '' ? 'silent' : knockAt(host, port, KNOCK_TIMEOUT_MS, clock);
  }

  async function askInPeace(node: Node): Promise<void> {
    const answer = await ask(node);
    const at = clock.elapsed();
    // One silence says little: the machine may be on its way down, which is what this is for.
    asked.set(node.id, { at, answeredAt: answer === 'silent' ? (asked.get(node.id)?.answeredAt ?? -Infinity) : at });
  }

  return {
    usedToAnswer: (nodeId) => clock.elapsed() - (asked.get(nodeId)?.answeredAt ?? -Infinity) < KNOWN_FOR_MS,
    async knock(nodeId) {
      const node = store.view.get('node', nodeId);
      if (node === undefined) return 'silent';
      const answer = await ask(node);
      if (answer === 'silent') return answer;
      return answer === 'refuses' && node.manager !== undefined ? 'no daemon' : 'alive';
    },
    async run(signal) {
      while (!signal.aborted) {
        const nodes = [...store.view.list('node')];
        for (const id of asked.keys()) if (!nodes.some((node) => node.id === id)) asked.delete(id);
        // One that is down answers or not: nobody asks then.
        const due = nodes.filter(({ id, status }) => status.state === 'ready' && clock.elapsed() - (asked.get(id)?.at ?? -Infinity) >= ASK_EVERY_MS);
        for (let next = 0; next < due.length && !signal.aborted; next += AT_A_TIME) await Promise.all(due.slice(next, next + AT_A_TIME).map(askInPeace));
        await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
      }
    },
  };
}

/** Where it listens if it is a manager, else where it was seen to come from. */
function placeOf({ manager, status }: Node): { readonly host: string; readonly port: number } {
  if (manager === undefined) return { host: status.address, port: USUAL_PORT };
  const { host, port } = splitHostPort(manager.address);
  return { host, port: Number(port) };
}
