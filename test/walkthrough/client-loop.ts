// A client outside the node that asks the same URL over and over, and remembers what it got: what a roll-out costs its users.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestEngine } from '../lib/engine.ts';

export interface ClientLoop {
  /** Ends the loop. Answers in order; what did not arrive within 5 s, or not at all, is "failed <curl's code>". */
  stop(): Promise<readonly string[]>;
}

let count = 0;

/** Asks `url` from the client's namespace, one request after the other, until stopped. */
export async function startClientLoop(engine: TestEngine, url: string): Promise<ClientLoop> {
  const base = join(engine.folder, `client-${count++}`);
  const script = `while [ ! -e ${base}.stop ]; do curl -s -m 5 ${url} || echo "failed $?"; done > ${base}.log`;
  const loop = await engine.client.spawnInside(['sh', '-c', script], { stdio: 'ignore' });
  return {
    async stop() {
      await writeFile(`${base}.stop`, '');
      await loop.exited;
      const lines = (await readFile(`${base}.log`, 'utf8')).split('\n').filter((line) => line !== '');
      await rm(`${base}.log`);
      return lines;
    },
  };
}
