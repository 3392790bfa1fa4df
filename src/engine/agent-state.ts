// The agent's memory in files: one JSON file per task, replaced atomically, readable by root only.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentStateStore, RememberedTask } from '#agent/state.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';

export function createFileAgentState({ folder, log }: { readonly folder: string; readonly log: Logger }): AgentStateStore {
  const ready = mkdir(folder, { recursive: true, mode: 0o700 });
  ready.catch(() => {});
  const fileOf = (taskId: string) => join(folder, `${taskId}.json`);
  return {
    async load() {
      await ready;
      const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
      const loaded = await Promise.all(names.map((name) => readOne(join(folder, name), log)));
      return loaded.filter((task) => task !== undefined);
    },
    async save(task) {
      await ready;
      const file = fileOf(task.assigned.task.id);
      // Not synced to disk: after a power failure the engine's containers and the managers tell the same.
      await writeFile(`${file}.new`, JSON.stringify(task), { mode: 0o600 });
      await rename(`${file}.new`, file);
    },
    async remove(taskId) {
      await rm(fileOf(taskId), { force: true });
    },
  };
}

/** A file that cannot be read is no memory; the managers tell of the task again. */
async function readOne(file: string, log: Logger): Promise<RememberedTask | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as RememberedTask;
  } catch (error) {
    log.warn({ file, error: errorMessage(error) }, 'the memory of a task cannot be read');
    return undefined;
  }
}
