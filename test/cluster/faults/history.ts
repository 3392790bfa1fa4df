// The history of writes through random managers while faults happen, and the check that none of the acknowledged ones is lost: a config whose creation was
// acknowledged is there until its removal is tried, and one whose removal was acknowledged never comes back. A write without an answer may or may not be done.
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterNode } from '../../lib/cluster.ts';
import { get } from './machines.ts';

type State = 'creating' | 'present' | 'removing' | 'absent' | 'unknown';

interface Entry {
  readonly data: string;
  id: string | undefined;
  state: State;
}

export interface Load {
  /** Ends the load and resolves when the last answer is there. */
  stop(): Promise<void>;
}

export interface History {
  /** Writes one after the other through random managers; each waits for its answer at most ANSWER_MS. */
  startLoad(managers: readonly ClusterNode[], writers: number): Load;
  /** What of the history does not hold for a manager that has caught up; empty when all is well. */
  violations(manager: ClusterNode): Promise<readonly string[]>;
  counts(): { readonly acknowledged: number; readonly refused: number; readonly unanswered: number; readonly longestGapMs: number };
}

interface ApiConfig {
  readonly ID: string;
  readonly Spec: { readonly Name: string; readonly Data: string };
}

const ANSWER_MS = 15_000;
const PAUSE_MS = 15;
/** Beyond this many configs a writer removes more than it creates. */
const MAX_CONFIGS = 300;

export function createHistory(chance: (bound: number) => number): History {
  const entries = new Map<string, Entry>();
  let [acknowledged, refused, unanswered, serial] = [0, 0, 0, 0];
  let lastAcknowledgedAt: number | undefined;
  let longestGapMs = 0;

  function note(): void {
    acknowledged++;
    const now = performance.now();
    longestGapMs = Math.max(longestGapMs, now - (lastAcknowledgedAt ?? now));
    lastAcknowledgedAt = now;
  }

  async function create(manager: ClusterNode): Promise<void> {
    const name = `write-${serial++}`;
    const entry: Entry = { data: Buffer.from(`${name} ${chance(2 ** 31)}`).toString('base64'), id: undefined, state: 'creating' };
    entries.set(name, entry);
    const answer = await answered(manager.http('POST', '/configs/create', { Name: name, Data: entry.data }));
    if (answer?.status === 201) {
      entry.id = (answer.json as { ID: string }).ID;
      entry.state = 'present';
      return note();
    }
    // An error may come after the write: a manager cannot know when the answer of the others is lost.
    entry.state = 'unknown';
    if (answer === undefined) unanswered++;
    else refused++;
  }

  async function remove(manager: ClusterNode, entry: Entry): Promise<void> {
    entry.state = 'removing';
    const answer = await answered(manager.http('DELETE', `/configs/${entry.id}`));
    entry.state = answer?.status === 204 ? 'absent' : 'unknown';
    if (answer?.status === 204) note();
    else if (answer === undefined) unanswered++;
    else refused++;
  }

  async function write(managers: readonly ClusterNode[]): Promise<void> {
    const manager = managers[chance(managers.length)];
    if (manager === undefined) return;
    const present = [...entries.values()].filter(({ state }) => state === 'present');
    const victim = present[chance(Math.max(1, present.length))];
    if (victim !== undefined && chance(MAX_CONFIGS) < present.length) await remove(manager, victim);
    else await create(manager);
  }

  return {
    startLoad(managers, writers) {
      let stopped = false;
      lastAcknowledgedAt = undefined;
      const loop = async () => {
        while (!stopped) {
          await write(managers);
          await delay(PAUSE_MS);
        }
      };
      const loops = Promise.all(Array.from({ length: writers }, loop));
      return {
        async stop() {
          stopped = true;
          await loops;
        },
      };
    },
    async violations(manager) {
      const found = new Map((await get<readonly ApiConfig[]>(manager, '/configs')).map((config) => [config.Spec.Name, config]));
      return [...entries].flatMap(([name, { state, data, id }]) => {
        const config = found.get(name);
        if (state === 'present' && config === undefined) return [`${manager.name} has lost ${name}, whose creation was acknowledged`];
        if (state === 'absent' && config !== undefined) return [`${manager.name} has ${name}, whose removal was acknowledged`];
        if (config !== undefined && (config.Spec.Data !== data || (id !== undefined && config.ID !== id)))
          return [`${manager.name} has another ${name} than was written`];
        return [];
      });
    },
    counts: () => ({ acknowledged, refused, unanswered, longestGapMs: Math.round(longestGapMs) }),
  };
}

async function answered<T>(call: Promise<T>): Promise<T | undefined> {
  const failed = call.catch(() => undefined);
  return Promise.race([failed, delay(ANSWER_MS, undefined, { ref: false })]);
}
