// One node of a development cluster: starting whatever of it is missing, and the ways to end it.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#lib/errors.ts';
import { formatIpv4Subnet } from '#lib/ip.ts';
import { ensurePrivateDirectory } from '#platform/files.ts';
import { daemonProcess, endDaemon, ensureDaemon } from './daemon.ts';
import type { DevCluster, DevNode } from './description.ts';
import { engineProcess, ensureEngine, killEngine, type NodeEngine, removeEngineTraces, stopEngine } from './engine.ts';
import { ensureMachine, inside, killMachines, type Machine, machinesOf } from './machine.ts';
import { type NodePlace, nodePlaceOf, type Place } from './names.ts';
import { isStopped } from './processes.ts';
import { runOrThrow } from './run.ts';
import { plugIn, unplug } from './switch.ts';
import type { Wait } from './wait.ts';
import { RESOLVER } from './way-out.ts';

export interface NodeSurroundings {
  readonly place: Place;
  readonly cluster: DevCluster;
  /** The switch. */
  readonly hub: Machine;
  readonly wait: Wait;
}

/** What of a node ends: `node` is all of it at once, as when the power goes. */
export const parts = ['node', 'skepd', 'engine'] as const;
export type Part = (typeof parts)[number];

export const nodeStates = ['running', 'paused', 'stopped', 'no engine', 'no skepd', 'no engine, no skepd'] as const;
export type NodeState = (typeof nodeStates)[number];

/** Resolves with whether anything had to be started, once its skepd answers. A node that was paused goes on. */
export async function startNode({ place, cluster, hub, wait }: NodeSurroundings, node: DevNode): Promise<boolean> {
  const at = nodePlaceOf(place, node.name);
  const before = stateOf(place, node);
  mkdirSync(at.folder, { recursive: true, mode: 0o711 });
  for (const folder of [at.stateDirectory, ...(node.engine === 'docker' ? [at.engineConfig] : [])]) ensurePrivateDirectory(folder);
  const engineConfig = node.engine === 'docker' ? at.engineConfig : undefined;
  if (!existsSync(at.resolvers)) writeFileSync(at.resolvers, `nameserver ${RESOLVER}\n`);
  const holding = { folder: place.folder, name: node.name, engineConfig, resolvers: at.resolvers, logFile: join(at.folder, 'machine.log') };
  const machine = await ensureMachine(holding, wait);
  if (before === 'paused') await setPaused(machine, false);
  await plugIn(cluster, node, { hub, machine });
  await ensureEngine(engineOf(cluster, node, at), machine, wait);
  await ensureDaemon(at, machine, wait);
  return before !== 'running';
}

/** In order, as an administrator shuts a machine down: skepd, the engine with its containers, the rest. */
export async function stopNode({ place, cluster, hub, wait }: NodeSurroundings, node: DevNode, part: Part): Promise<void> {
  const machine = runningMachine(place, node);
  const at = nodePlaceOf(place, node.name);
  if (stateOf(place, node) === 'paused')
    throw new AppError('failedPrecondition', `${node.name} is paused: \`skep dev unpause ${node.name}\` first, or kill it`);
  if (part !== 'engine' && !(await endDaemon(at, 'SIGTERM', wait)) && part === 'skepd') throw nothingToEnd(node, part);
  if (part === 'skepd') return;
  if (!(await stopEngine(engineOf(cluster, node, at), machine, wait)) && part === 'engine') throw nothingToEnd(node, part);
  if (part === 'node') await cutPower({ place, hub, wait }, node, at);
}

export async function killNode({ place, cluster, hub, wait }: NodeSurroundings, node: DevNode, part: Part): Promise<void> {
  runningMachine(place, node);
  const at = nodePlaceOf(place, node.name);
  if (part === 'node') await cutPower({ place, hub, wait }, node, at);
  else if (!(part === 'skepd' ? await endDaemon(at, 'SIGKILL', wait) : await killEngine(engineOf(cluster, node, at), wait))) throw nothingToEnd(node, part);
}

async function cutPower({ place, hub, wait }: Pick<NodeSurroundings, 'place' | 'hub' | 'wait'>, node: DevNode, at: NodePlace): Promise<void> {
  await killMachines(place.folder, node.name, wait);
  await unplug(node, hub);
  // A dead node's sockets would take connections that nobody answers.
  for (const socket of [at.socket, at.engineSocket]) rmSync(socket, { force: true });
  await wait(`the cgroups of ${node.name} are gone`, () => removeEngineTraces({ kind: node.engine, node: at }));
}

function engineOf({ subnet }: DevCluster, { engine }: DevNode, at: NodePlace): NodeEngine {
  return { kind: engine, node: at, subnet: formatIpv4Subnet(subnet) };
}

/** Throws AppError when the node is off. */
export function runningMachine(place: Place, { name }: DevNode): Machine {
  const machine = machinesOf(place.folder).get(name);
  if (machine === undefined) throw new AppError('failedPrecondition', `${name} is not running: \`skep dev start ${name}\` first`);
  return machine;
}

function nothingToEnd({ name }: DevNode, part: Part): AppError {
  return new AppError('failedPrecondition', `no ${part} runs on ${name}`);
}

/** Stops every process of the node where it is, containers too, or lets them go on: as a machine that hangs, whose connections stay open. */
export async function setPaused(machine: Machine, paused: boolean): Promise<void> {
  // All processes but the first, which nothing inside may stop, and the one that sends it.
  await runOrThrow([...inside(machine), 'bash', '-c', `kill -${paused ? 'STOP' : 'CONT'} -1`]);
}

export function stateOf(place: Place, node: DevNode): NodeState {
  const at = nodePlaceOf(place, node.name);
  if (!machinesOf(place.folder).has(node.name)) return 'stopped';
  const daemon = daemonProcess(at);
  const engine = engineProcess({ kind: node.engine, node: at });
  if ([daemon, engine].some((pid) => pid !== undefined && isStopped(pid))) return 'paused';
  if (engine === undefined) return daemon === undefined ? 'no engine, no skepd' : 'no engine';
  return daemon === undefined ? 'no skepd' : 'running';
}
