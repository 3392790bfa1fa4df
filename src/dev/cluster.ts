// A development cluster as a whole: bringing it up, adding to it, taking it away. Every step of `up` makes what is missing and nothing else, so the same call
// completes what was interrupted, brings a cluster back after a restart of the machine, and adds nodes.
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import { formatIpv4Subnet, type Ipv4Subnet } from '#lib/ip.ts';
import { readFileIfPresent, writeFileAtomically } from '#platform/files.ts';
import { type FileLock, tryLockFile } from '#platform/lock-file.ts';
import { cgroupsBeginningWith, removeCgroups } from './cgroups.ts';
import { addressOf, type DevCluster, parseDescription, printDescription } from './description.ts';
import { checkRoom, chooseSubnet, planNodes, takenSubnets, type WantedNodes } from './plan.ts';
import { cgroupPrefix, DEFAULT_NAME, type Place, placeOf, SWITCH } from './names.ts';
import { ensureMachine, killMachines, machinesOf } from './machine.ts';
import { startNode } from './node.ts';
import { podmanTraces } from './engine.ts';
import { checkPrograms } from './requirements.ts';
import { runOrThrow } from './run.ts';
import { formSwarm } from './swarm.ts';
import { checkHostLink, ensureSwitch, removeHostLink } from './switch.ts';
import { createWait } from './wait.ts';
import { ensureWayOut } from './way-out.ts';

/** Engines that start at the same time: more only slow each other down. */
const STARTS_AT_ONCE = 4;
const BASE_LOCK = '.lock';

export interface DevSurroundings {
  /** The folder that clusters live in. */
  readonly base: string;
  readonly clock: Clock;
  /** Progress, one line at a time. */
  readonly say: (line: string) => void;
}

export interface WantedCluster extends WantedNodes {
  /** Undefined: one that is free. */
  readonly subnet: Ipv4Subnet | undefined;
}

export interface KnownCluster {
  readonly place: Place;
  readonly cluster: DevCluster;
}

/** Rejects with AppError. What was made until then stays, for `up` to go on with or `down` to remove; with wrong input nothing has been made. */
export async function bringUp(name: string, wanted: WantedCluster, { base, clock, say }: DevSurroundings): Promise<KnownCluster> {
  const place = placeOf(base, name);
  checkPrograms(planNodes(readCluster(place)?.nodes ?? [], wanted));
  await checkHostLink(place);
  const isNew = !existsSync(place.folder);
  // Whoever may use a socket in it may pass; nobody may look around.
  mkdirSync(place.folder, { recursive: true, mode: 0o711 });
  const lock = lockCluster(place);
  try {
    const cluster = await settleDescription(place, wanted, base, clock).catch((error: unknown) => {
      if (isNew) rmSync(place.folder, { recursive: true, force: true });
      removeBaseIfEmpty(base);
      throw error;
    });
    await startAll({ place, cluster }, { clock, say }).catch((error: unknown) => {
      const option = name === DEFAULT_NAME ? '' : ` --name ${name}`;
      say(`The cluster is not up: \`skep dev up${option}\` goes on where this ended, \`skep dev down${option}\` removes it.`);
      throw error;
    });
    return { place, cluster };
  } finally {
    lock.release();
  }
}

async function startAll({ place, cluster }: KnownCluster, { clock, say }: Pick<DevSurroundings, 'clock' | 'say'>): Promise<void> {
  const wait = createWait(clock);
  const log = join(place.folder, 'switch.log');
  const hub = await ensureMachine({ folder: place.folder, name: SWITCH, engineConfig: undefined, resolvers: undefined, logFile: log }, wait);
  await ensureSwitch(place, cluster, hub);
  await ensureWayOut(hub, log, wait);
  await eachOf(cluster.nodes, STARTS_AT_ONCE, async (node) => {
    if (await startNode({ place, cluster, hub, wait }, node)) say(`${node.name}: started (${addressOf(cluster, node)})`);
  });
  await formSwarm({ place, cluster, wait, say });
}

/** Removes everything of a cluster, whatever state it is in. Returns false when there was nothing. */
export async function takeDown(name: string, { base, clock }: DevSurroundings): Promise<boolean> {
  const place = placeOf(base, name);
  const wait = createWait(clock);
  const lock = existsSync(place.folder) ? lockCluster(place) : undefined;
  try {
    const groups = [...podmanTraces(place.folder), ...cgroupsBeginningWith(cgroupPrefix(place))];
    const hadMachines = machinesOf(place.folder).size > 0;
    await killMachines(place.folder, undefined, wait);
    const hadLink = await removeHostLink(place);
    await wait('the cgroups of its containers are gone', () => removeCgroups(groups));
    // What the kernel has still to unmount is busy for a moment.
    rmSync(place.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    return lock !== undefined || hadMachines || hadLink || groups.length > 0;
  } finally {
    lock?.release();
    removeBaseIfEmpty(base);
  }
}

/** Undefined when there is none. Throws AppError when its description is damaged. */
export function readCluster(place: Place): DevCluster | undefined {
  const text = readFileIfPresent(place.descriptionFile);
  return text === undefined ? undefined : parseDescription(text, place.descriptionFile);
}

/** All clusters in the folder, in the order of their names. One whose description is damaged is none; `down` takes it away all the same. */
export function knownClusters(base: string): readonly KnownCluster[] {
  const names = existsSync(base) ? readdirSync(base).toSorted() : [];
  return names.flatMap((name) => {
    try {
      const place = placeOf(base, name);
      const cluster = readCluster(place);
      return cluster === undefined ? [] : [{ place, cluster }];
    } catch (error) {
      if (error instanceof AppError) return [];
      throw error;
    }
  });
}

/** Writes what the cluster is to be, before anything of it is made. */
async function settleDescription(place: Place, wanted: WantedCluster, base: string, clock: Clock): Promise<DevCluster> {
  const lock = await lockBase(base, clock);
  try {
    const existing = readCluster(place);
    const nodes = planNodes(existing?.nodes ?? [], wanted);
    const subnet = existing?.subnet ?? (await newSubnet(place, wanted.subnet, base));
    if (existing !== undefined && wanted.subnet !== undefined && formatIpv4Subnet(wanted.subnet) !== formatIpv4Subnet(subnet))
      throw new AppError('failedPrecondition', `the cluster has the subnet ${formatIpv4Subnet(subnet)}, and nodes cannot change their addresses`);
    checkRoom(subnet, nodes);
    const cluster = { subnet, nodes };
    writeFileAtomically(place.descriptionFile, printDescription(cluster));
    return cluster;
  } finally {
    lock.release();
  }
}

async function newSubnet(place: Place, wanted: Ipv4Subnet | undefined, base: string): Promise<Ipv4Subnet> {
  const [addresses, routes] = await Promise.all([runOrThrow(['ip', '-j', '-4', 'address']), runOrThrow(['ip', '-j', '-4', 'route'])]);
  const others = knownClusters(base).filter((known) => known.place.name !== place.name);
  const taken = [...takenSubnets(JSON.parse(addresses || '[]'), JSON.parse(routes || '[]')), ...others.map(({ cluster }) => cluster.subnet)];
  if (wanted === undefined) {
    const subnet = chooseSubnet(taken);
    if (subnet === undefined) throw new AppError('resourceExhausted', 'every subnet that would be taken is in use on this machine: give one with --subnet');
    return subnet;
  }
  if (chooseSubnet(taken, [wanted], wanted.prefix) === undefined)
    throw new AppError('failedPrecondition', `the subnet ${formatIpv4Subnet(wanted)} overlaps one that this machine uses`);
  return wanted;
}

export function lockCluster(place: Place): FileLock {
  const lock = tryLockFile(join(place.folder, '.lock'));
  if (lock === undefined) throw new AppError('failedPrecondition', `another \`skep dev\` is at work on the cluster ${place.name}; wait until it is done`);
  return lock;
}

/** Held while a subnet is chosen, so that two clusters that come up together do not take the same. */
async function lockBase(base: string, clock: Clock): Promise<FileLock> {
  let lock: FileLock | undefined;
  await createWait(clock)('no other cluster chooses its addresses', () => {
    mkdirSync(base, { recursive: true, mode: 0o711 });
    lock = tryLockFile(join(base, BASE_LOCK));
    return lock !== undefined;
  });
  return lock as FileLock;
}

function removeBaseIfEmpty(base: string): void {
  if (!existsSync(base) || readdirSync(base).some((name) => name !== BASE_LOCK)) return;
  const lock = tryLockFile(join(base, BASE_LOCK));
  if (lock === undefined) return;
  try {
    rmSync(join(base, BASE_LOCK), { force: true });
    rmdirSync(base);
  } catch {
    // Another cluster has just begun.
  } finally {
    lock.release();
  }
}

/** Waits for all, so that nothing goes on behind a failure; rejects with the first. */
async function eachOf<T>(items: readonly T[], atOnce: number, act: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const failures: unknown[] = [];
  const work = async () => {
    for (let item = queue.shift(); item !== undefined && failures.length === 0; item = queue.shift())
      await act(item).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  if (failures.length > 0) throw failures[0];
}
