// Takes a number (names.ts) that no other skepd in this network namespace has. The claim is the resolver's address itself, labelled with the state
// directory's key: the kernel gives an address only once, and the claim lives exactly as long as the things that are named after it. Network namespaces
// may share their files, though, and with them the names of sockets and of namespaces: who answers where the driver would, anywhere, has its number.
import { connect } from 'node:net';
import { AppError } from '#lib/errors.ts';
import { observeHostLinks } from '../kernel/observe.ts';
import { run } from '../kernel/run.ts';
import { pluginSocket } from '../driver/plugin-server.ts';
import { dnsLabelOf, driverOf, slotCandidates, slotOfAddress } from '../names.ts';

export interface Claim {
  readonly stateKey: string;
  /** The slot that it had before. */
  readonly previous: number | undefined;
  readonly pluginDirectory: string;
}

/** The slot that the state directory holds already, else the first free one, taken. */
export async function claimSlot({ stateKey, previous, pluginDirectory }: Claim): Promise<number> {
  const { labelled } = await observeHostLinks();
  const label = dnsLabelOf(stateKey);
  const own = labelled.find((entry) => entry.label === label);
  const slot = own === undefined ? undefined : slotOfAddress(own.address);
  if (slot !== undefined) return slot;
  for (const candidate of slotCandidates(stateKey, previous)) {
    const isFree = !(await isAnswered(pluginSocket(pluginDirectory, driverOf(candidate))));
    if (isFree && (await addAddress(addressOf(candidate), label))) return candidate;
  }
  throw new AppError('resourceExhausted', 'no free address in 169.254.53.0/24 on the loopback device: too many skepds on this machine');
}

/** False when somebody has the address. */
export async function addAddress(address: string, label: string): Promise<boolean> {
  // Scope link: never chosen as the source of anything that is not an answer.
  const { code, stderr } = await run(['ip', 'addr', 'add', `${address}/32`, 'dev', 'lo', 'scope', 'link', 'label', label]);
  if (code === 0) return true;
  if (/File exists|already assigned/.test(stderr)) return false;
  throw new AppError('internal', `cannot add the resolver's address ${address}: ${stderr.trim()}`);
}

export async function removeAddress(address: string): Promise<void> {
  await run(['ip', 'addr', 'del', `${address}/32`, 'dev', 'lo']);
}

function addressOf(slot: number): string {
  return `169.254.53.${slot}`;
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
