// What tests of updates and rollbacks begin with, and what they look at.
import type { Task } from '#domain/objects.ts';
import type { ServiceSpec, UpdateConfig } from '#domain/spec.ts';
import { imageOf, World, type WorldOptions } from './world.ts';

export const SECOND_NS = 1_000_000_000;

/** A service whose update is to be watched, with its tasks running. */
export function start(update: Partial<UpdateConfig> = {}, count = 3, options: WorldOptions = {}, spec: Partial<ServiceSpec> = {}): World {
  const world = new World(options);
  world.create({ mode: { kind: 'replicated', replicas: count }, update: { parallelism: 1, ...update }, ...spec });
  world.obey();
  return world;
}

export const isNew = (task: Task) => imageOf(task) === 'busybox:2';
export const newTasks = (world: World) => world.live().filter(isNew);
export const runningNew = (world: World) => world.running().filter(isNew);
export const status = (world: World) => [world.service.updateStatus?.state, world.service.updateStatus?.message];
