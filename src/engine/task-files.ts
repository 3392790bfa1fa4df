// Secrets and configs as files in memory: one folder per task on a tmpfs of ours, each file bind-mounted read-only into the container.
// They are written before the container is created and are gone once the task is removed.
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { NodeDescription } from '#domain/objects.ts';
import type { ContainerSpec, FileTarget } from '#domain/spec.ts';
import { expandPayload } from '#domain/template-context.ts';
import { AppError } from '#lib/errors.ts';
import type { AssignedTask, TaskDependencies } from '#agent/executor.ts';
import type { FileMount } from './container-config.ts';

/** Room for some hundred tasks with secrets and configs of the largest size (500 and 1,000 KiB); memory is used only for what is there. */
const TMPFS_OPTIONS = 'mode=0700,size=512m,nosuid,nodev,noexec';

export interface TaskFiles {
  /** Writes the task's files and tells where they are to appear. Writing them again replaces them. */
  write(input: TaskFilesInput): Promise<readonly FileMount[]>;
  remove(taskId: string): Promise<void>;
  listTaskIds(): Promise<readonly string[]>;
  /** Removes everything and unmounts. */
  destroy(): Promise<void>;
}

export interface TaskFilesInput {
  readonly assigned: AssignedTask;
  readonly spec: ContainerSpec;
  readonly dependencies: TaskDependencies;
  readonly node: Pick<NodeDescription, 'hostname' | 'platform'>;
  /** Other files that the container needs, by target. */
  readonly others: readonly { readonly target: string; readonly content: string }[];
}

/** `mountTmpfs` and `unmount` are arguments because tests may not be where the engine is. */
export interface TaskFilesOptions {
  readonly folder: string;
  readonly mountTmpfs?: (folder: string, options: string) => Promise<void>;
  readonly unmount?: (folder: string) => Promise<void>;
}

export function createTaskFiles({ folder, mountTmpfs = mountIfMissing, unmount = unmountIfMounted }: TaskFilesOptions): TaskFiles {
  let mounted: Promise<void> | undefined;

  async function ensureMounted(): Promise<void> {
    mounted ??= mkdir(folder, { recursive: true, mode: 0o700 }).then(() => mountTmpfs(folder, TMPFS_OPTIONS));
    try {
      await mounted;
    } catch (error) {
      mounted = undefined;
      throw error;
    }
  }

  return {
    async write(input) {
      const files = payloadsOf(input);
      if (files.length === 0) return [];
      await ensureMounted();
      const own = join(folder, input.assigned.task.id);
      await rm(own, { recursive: true, force: true });
      await mkdir(own, { mode: 0o700 });
      return Promise.all(files.map((file, index) => writeOne(join(own, String(index)), file)));
    },
    async remove(taskId) {
      await rm(join(folder, taskId), { recursive: true, force: true });
    },
    async listTaskIds() {
      try {
        return await readdir(folder);
      } catch {
        return [];
      }
    },
    async destroy() {
      await unmount(folder);
      await rm(folder, { recursive: true, force: true });
      mounted = undefined;
    },
  };
}

interface Payload {
  readonly target: string;
  readonly file: FileTarget;
  readonly data: Uint8Array;
}

async function writeOne(source: string, { target, file, data }: Payload): Promise<FileMount> {
  await writeFile(source, data, { mode: 0o600 });
  await chown(source, numericId(file.uid), numericId(file.gid));
  await chmod(source, file.mode);
  return { source, target };
}

function payloadsOf({ assigned, spec, dependencies, node, others }: TaskFilesInput): Payload[] {
  const { task } = assigned;
  const data = { secret: (id: string) => dependencies.secret(id)?.data, config: (id: string) => dependencies.config(id)?.data };
  const secrets = (spec.secrets ?? []).map(({ secretId, secretName, file }) => {
    const secret = dependencies.secret(secretId);
    if (secret === undefined) throw new AppError('notFound', `secret not found: ${secretName}`);
    return { target: resolve('/run/secrets', file.name), file, data: expandPayload(secret.data, secret.templating, task, node, data) };
  });
  const configs = (spec.configs ?? []).flatMap(({ configId, configName, target }) => {
    if (target.kind !== 'file') return [];
    const config = dependencies.config(configId);
    if (config === undefined) throw new AppError('notFound', `config not found: ${configName}`);
    const path = isAbsolute(target.file.name) ? target.file.name : join('/', target.file.name);
    return [{ target: path, file: target.file, data: expandPayload(config.data, config.templating, task, node, data) }];
  });
  const readable = { name: '', uid: '0', gid: '0', mode: 0o644 };
  return [...secrets, ...configs, ...others.map(({ target, content }) => ({ target, file: readable, data: Buffer.from(content) }))];
}

function numericId(text: string): number {
  const id = text === '' ? 0 : Number(text);
  if (!Number.isInteger(id) || id < 0) throw new AppError('invalidArgument', `invalid uid or gid "${text}": a number is expected`);
  return id;
}

const run = promisify(execFile);

async function isMountPoint(folder: string): Promise<boolean> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  return mounts.split('\n').some((line) => line.split(' ')[4] === folder);
}

async function mountIfMissing(folder: string, options: string): Promise<void> {
  if (!(await isMountPoint(folder))) await run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
}

async function unmountIfMounted(folder: string): Promise<void> {
  if (await isMountPoint(folder)) await run('umount', ['-l', folder]);
}
