// What every executor must do, whatever runs the containers. Each case gets a fresh world; waiting is for conditions only.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AssignedTask, ContainerState, Executor, TaskDependencies } from '#agent/executor.ts';
import type { Task } from '#domain/objects.ts';
import type { ContainerSpec } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';

export interface ExecutorWorld {
  readonly executor: Executor;
  /** A task whose container does what the kind says; `runs` goes on until it is stopped. */
  task(kind: 'runs' | 'fails' | 'completes' | 'no-image' | 'no-command' | 'healthy' | 'unhealthy', container?: Partial<ContainerSpec>): AssignedTask;
  /** Lets time pass; a few milliseconds. */
  pass(): Promise<void>;
}

const none: TaskDependencies = { secret: () => undefined, config: () => undefined };

/** `withWorld` makes a world, hands it over and cleans up after it. */
export function executorContract(name: string, withWorld: (use: (world: ExecutorWorld) => Promise<void>) => Promise<void>): void {
  const signal = new AbortController().signal;
  const check = (what: string, body: (world: ExecutorWorld) => Promise<void>) => void test(`${name}: ${what}`, () => withWorld(body));

  async function prepared(world: ExecutorWorld, assigned: AssignedTask): Promise<Task> {
    await world.executor.prepare(assigned, none, () => {}, signal);
    return assigned.task;
  }

  async function stateWhen(
    world: ExecutorWorld,
    task: Task,
    what: string,
    holds: (state: ContainerState | undefined) => boolean,
  ): Promise<ContainerState | undefined> {
    for (let tries = 0; tries < 1_000; tries++) {
      const state = await world.executor.inspect(task, signal);
      if (holds(state)) return state;
      await world.pass();
    }
    return assert.fail(`the container never was ${what}`);
  }

  check('a task without anything has no container, and stopping and removing it is no error', async (world) => {
    const { task } = world.task('runs');
    assert.equal(await world.executor.inspect(task, signal), undefined);
    await world.executor.stop(task, signal);
    await world.executor.remove(task, signal);
    assert.deepEqual(await world.executor.listTaskIds(signal), []);
  });

  check('preparing makes a container that is not running, twice the same one', async (world) => {
    const assigned = world.task('runs');
    const task = await prepared(world, assigned);
    const first = await world.executor.inspect(task, signal);
    assert.equal(first?.status, 'created');
    await prepared(world, assigned);
    assert.equal((await world.executor.inspect(task, signal))?.status, 'created');
    assert.deepEqual(await world.executor.listTaskIds(signal), [task.id]);
    await world.executor.remove(task, signal);
  });

  check('a started container runs with a process; starting it again changes nothing', async (world) => {
    const task = await prepared(world, world.task('runs'));
    await world.executor.start(task, signal);
    const running = await world.executor.inspect(task, signal);
    assert.equal(running?.status, 'running');
    assert.ok((running?.pid ?? 0) > 0);
    await world.executor.start(task, signal);
    assert.equal((await world.executor.inspect(task, signal))?.pid, running?.pid);
    assert.equal((await world.executor.endpoint(task, running, signal))?.taskId, task.id);
    await world.executor.remove(task, signal);
    assert.equal(await world.executor.inspect(task, signal), undefined);
  });

  check('preparing a task that runs leaves it running', async (world) => {
    const assigned = world.task('runs');
    const task = await prepared(world, assigned);
    await world.executor.start(task, signal);
    const { pid } = (await world.executor.inspect(task, signal)) ?? {};
    await prepared(world, assigned);
    assert.equal((await world.executor.inspect(task, signal))?.pid, pid);
  });

  check('stopping ends the process and keeps the container; stopping again is no error', async (world) => {
    const task = await prepared(world, world.task('runs'));
    await world.executor.start(task, signal);
    await world.executor.stop(task, signal);
    assert.equal((await world.executor.inspect(task, signal))?.status, 'exited');
    await world.executor.stop({ id: task.id }, signal);
    await world.executor.remove({ id: task.id }, signal);
    await world.executor.remove({ id: task.id }, signal);
  });

  check('exit codes are told', async (world) => {
    for (const [kind, code] of [
      ['fails', 3],
      ['completes', 0],
    ] as const) {
      const task = await prepared(world, world.task(kind));
      await world.executor.start(task, signal);
      const exited = await stateWhen(world, task, 'exited', (state) => state?.status === 'exited');
      assert.equal(exited?.exitCode, code);
    }
  });

  check('an image that does not exist fails the preparation in Docker’s words', async (world) => {
    const assigned = world.task('no-image');
    const image = assigned.task.spec.runtime.kind === 'container' ? assigned.task.spec.runtime.container.image : '';
    await assert.rejects(prepared(world, assigned), (error) => error instanceof AppError && error.message === `No such image: ${image}`);
    assert.equal(await world.executor.inspect(assigned.task, signal), undefined);
  });

  check('a command that does not exist fails the start', async (world) => {
    const task = await prepared(world, world.task('no-command'));
    await assert.rejects(world.executor.start(task, signal), AppError);
  });

  check('the verdict of a health check is told', async (world) => {
    for (const kind of ['healthy', 'unhealthy'] as const) {
      const task = await prepared(world, world.task(kind));
      await world.executor.start(task, signal);
      await stateWhen(world, task, kind, (state) => state?.health === kind);
    }
  });

  check('watchers are told of a start, an end and a removal', async (world) => {
    const told: (string | undefined)[] = [];
    const unwatch = world.executor.watch((taskId) => told.push(taskId));
    const task = await prepared(world, world.task('completes'));
    await world.executor.start(task, signal);
    await stateWhen(world, task, 'exited', (state) => state?.status === 'exited');
    for (let tries = 0; tries < 1_000 && !told.includes(task.id); tries++) await world.pass();
    assert.ok(told.includes(task.id));
    unwatch();
  });

  check('a call whose signal is aborted rejects', async (world) => {
    const { task } = world.task('runs');
    await assert.rejects(world.executor.inspect(task, AbortSignal.abort(new Error('enough'))), /enough/);
  });
}
