// Networks of ours that are no longer the swarm's, in the way of one that is. The managers give a VXLAN id or a subnet to one network at a time; when a
// removed network's come back in a new one, the engine may still have the old one, because its last containers are being stopped.
import type { AssignedNetwork } from '#agent/executor.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import { ipv4SubnetsOverlap, parseIpv4Cidr } from '#lib/ip.ts';
import type { NetworkInspect } from './api-types.ts';
import type { EngineClient } from './engine-client.ts';
import { networkLabel } from './labels.ts';

export interface MakeRoomOptions {
  readonly client: EngineClient;
  readonly clock: Clock;
  /** All networks of this skepd in the engine. */
  readonly ours: (signal: AbortSignal) => Promise<readonly NetworkInspect[]>;
}

/** As long as a task waits for its attachments in Docker; stopping a container takes ten seconds unless its service says otherwise. */
const ROOM_TIMEOUT_MS = 30_000;
const POLL_MS = 200;

/** Removes what is in the way of `network`, waiting for the containers that are still on it to go. Rejects when they do not. */
export async function makeRoom(network: AssignedNetwork, { client, clock, ours }: MakeRoomOptions, signal: AbortSignal): Promise<void> {
  const deadline = clock.elapsed() + ROOM_TIMEOUT_MS;
  for (;;) {
    const stale = (await ours(signal)).filter((other) => isInTheWay(other, network));
    const results = await Promise.allSettled(stale.map(({ Id }) => client.find({ method: 'DELETE', path: `/networks/${Id}`, signal })));
    if (results.every(({ status }) => status === 'fulfilled')) return;
    if (clock.elapsed() >= deadline) {
      const names = stale.map(({ Name }) => Name).join(', ');
      throw new AppError('unavailable', `network ${network.name} has to wait: containers of ${names}, which the swarm no longer has, are still on this node`);
    }
    await clock.sleep(POLL_MS, signal);
  }
}

function isInTheWay({ Labels, Options, IPAM }: NetworkInspect, network: AssignedNetwork): boolean {
  if (Labels?.[networkLabel] === undefined || Labels[networkLabel] === network.id) return false;
  if (Options?.['skep.vni'] === String(network.vxlanId)) return true;
  const wanted = network.subnets.flatMap(({ subnet }) => parseIpv4Cidr(subnet)?.subnet ?? []);
  const taken = (IPAM?.Config ?? []).flatMap(({ Subnet = '' }) => parseIpv4Cidr(Subnet)?.subnet ?? []);
  return wanted.some((subnet) => taken.some((other) => ipv4SubnetsOverlap(subnet, other)));
}
