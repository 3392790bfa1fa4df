// The switch that joins a cluster's nodes and the machine: a bridge in a namespace of its own. It is not in the machine's own network, because the firewall
// there (Docker's, for one) looks at what bridges forward. A node's port is called as the node, ours is `host`.
import { AppError } from '#lib/errors.ts';
import { addressOf, type DevCluster, type DevNode, gatewayOf, hostAddressOf } from './description.ts';
import { type Direction, shapingArguments, type Slowness } from './link.ts';
import { insideNetwork, type Machine } from './machine.ts';
import type { Place } from './names.ts';
import { run, runOrThrow } from './run.ts';
import { OUT_LINK } from './way-out.ts';

const BRIDGE = 'br0';
const HOST_PORT = 'host';
const TABLE = 'skep-dev';
/** The node's end of its cable. */
export const NODE_LINK = 'eth0';

/**
 * Frames from and to the ports in the sets are dropped; what goes out has the switch's address. Adding what is there already changes nothing; the chains are
 * emptied because rules would double.
 */
const RULES = `table bridge ${TABLE} {
  set from { type ifname; }
  set to { type ifname; }
  chain forward { type filter hook forward priority 0; }
}
flush chain bridge ${TABLE} forward
table bridge ${TABLE} {
  chain forward {
    iifname @from drop
    oifname @to drop
  }
}
table ip ${TABLE} {
  chain postrouting { type nat hook postrouting priority 100; }
}
flush chain ip ${TABLE} postrouting
table ip ${TABLE} {
  chain postrouting { oifname "${OUT_LINK}" masquerade; }
}
`;

const exists = async (enter: readonly string[], link: string) => (await run([...enter, 'ip', 'link', 'show', 'dev', link])).code === 0;

/** What marks the link in the machine's own network as this cluster's. */
function aliasOf({ folder }: Place): string {
  return `skep dev ${folder}`;
}

/** Makes the bridge, its rules and the cable to the machine, as far as they are missing. */
export async function ensureSwitch(place: Place, cluster: DevCluster, hub: Machine): Promise<void> {
  const { hostLink } = place;
  const enter = insideNetwork(hub);
  const ip = (...args: string[]) => runOrThrow([...enter, 'ip', ...args]);
  if (!(await exists(enter, BRIDGE))) await ip('link', 'add', BRIDGE, 'up', 'type', 'bridge');
  await ip('address', 'replace', `${gatewayOf(cluster)}/${cluster.subnet.prefix}`, 'dev', BRIDGE);
  await runOrThrow([...enter, 'nft', '-f', '-'], { input: RULES });
  if (!(await exists(enter, HOST_PORT))) {
    await removeHostLink(place);
    await ip('link', 'add', HOST_PORT, 'type', 'veth', 'peer', 'name', hostLink);
  }
  if (await exists(enter, hostLink)) {
    // It gets its mark before it comes to us, so that a link of ours always has one.
    await ip('link', 'set', hostLink, 'alias', aliasOf(place));
    await ip('link', 'set', hostLink, 'netns', String(process.pid));
  }
  await ip('link', 'set', HOST_PORT, 'master', BRIDGE, 'up');
  await runOrThrow(['ip', 'address', 'replace', `${hostAddressOf(cluster)}/${cluster.subnet.prefix}`, 'dev', hostLink]);
  await runOrThrow(['ip', 'link', 'set', hostLink, 'up']);
}

/** Throws AppError when somebody else has a link of this name. */
export async function checkHostLink(place: Place): Promise<void> {
  const alias = await aliasOfHostLink(place);
  if (alias !== undefined && alias !== aliasOf(place))
    throw new AppError(
      'failedPrecondition',
      `this machine has a link ${place.hostLink} of ${alias || 'somebody else'}; give the cluster another name with --name`,
    );
}

/** Undefined: there is no such link. */
async function aliasOfHostLink({ hostLink }: Place): Promise<string | undefined> {
  const { code, stdout } = await run(['ip', '-j', 'link', 'show', 'dev', hostLink]);
  if (code !== 0) return undefined;
  const [link] = JSON.parse(stdout) as { readonly ifalias?: string }[];
  return link?.ifalias ?? '';
}

/** Returns whether there was one. The kernel takes it away with the switch, but in its own time. */
export async function removeHostLink(place: Place): Promise<boolean> {
  if ((await aliasOfHostLink(place)) !== aliasOf(place)) return false;
  await run(['ip', 'link', 'delete', 'dev', place.hostLink]);
  return true;
}

/** Gives the node its cable, if it has none. */
export async function plugIn(cluster: DevCluster, node: DevNode, { hub, machine }: { readonly hub: Machine; readonly machine: Machine }): Promise<void> {
  const atSwitch = insideNetwork(hub);
  const atNode = insideNetwork(machine);
  const routes = await run([...atNode, 'ip', '-o', 'route', 'show', 'default', 'dev', NODE_LINK]);
  if ((await exists(atSwitch, node.name)) && routes.stdout !== '') return;
  await unplug(node, hub);
  await runOrThrow([...atSwitch, 'ip', 'link', 'add', node.name, 'type', 'veth', 'peer', 'name', NODE_LINK, 'netns', String(machine.pid)]);
  await runOrThrow([...atSwitch, 'ip', 'link', 'set', node.name, 'master', BRIDGE, 'up']);
  await runOrThrow([...atNode, 'ip', 'address', 'add', `${addressOf(cluster, node)}/${cluster.subnet.prefix}`, 'dev', NODE_LINK]);
  await runOrThrow([...atNode, 'ip', 'link', 'set', NODE_LINK, 'up']);
  // Last: it tells a whole cable from one that was being made.
  await runOrThrow([...atNode, 'ip', 'route', 'add', 'default', 'via', gatewayOf(cluster)]);
}

/** The kernel takes a dead node's cable away by itself, but in its own time. */
export async function unplug({ name }: DevNode, hub: Machine): Promise<void> {
  const enter = insideNetwork(hub);
  if (await exists(enter, name)) await run([...enter, 'ip', 'link', 'delete', 'dev', name]);
}

export async function cutLink({ name }: DevNode, hub: Machine, direction: Direction): Promise<void> {
  const sets = direction === 'both' ? ['from', 'to'] : [direction === 'out' ? 'from' : 'to'];
  await nft(
    hub,
    sets.map((set) => `add element bridge ${TABLE} ${set} { "${name}" }`),
  );
}

/** Lets everything through again, at full speed. */
export async function healLink({ name }: DevNode, hub: Machine, machine: Machine | undefined): Promise<void> {
  // Deleting what is not there is an error, adding what is there is none.
  const forget = (set: string) => ['add', 'delete'].map((verb) => `${verb} element bridge ${TABLE} ${set} { "${name}" }`);
  await nft(hub, [...forget('from'), ...forget('to')]);
  await run([...insideNetwork(hub), 'tc', 'qdisc', 'delete', 'dev', name, 'root']);
  if (machine !== undefined) await run([...insideNetwork(machine), 'tc', 'qdisc', 'delete', 'dev', NODE_LINK, 'root']);
}

async function nft(hub: Machine, lines: readonly string[]): Promise<void> {
  await runOrThrow([...insideNetwork(hub), 'nft', '-f', '-'], { input: `${lines.join('\n')}\n` });
}

/** Both ways alike. */
export async function slowLink({ name }: DevNode, slowness: Slowness, { hub, machine }: { readonly hub: Machine; readonly machine: Machine }): Promise<void> {
  for (const [enter, link] of [
    [insideNetwork(hub), name],
    [insideNetwork(machine), NODE_LINK],
  ] as const) {
    const result = await run([...enter, 'tc', 'qdisc', 'replace', 'dev', link, 'root', ...shapingArguments(slowness)]);
    if (result.code === 0) continue;
    if (/qdisc kind is unknown/.test(result.stderr))
      throw new AppError('failedPrecondition', "this machine's kernel has no netem (module sch_netem), which delays and losses need; --rate works without");
    throw new AppError('unknown', `tc: ${result.stderr.trim()}`);
  }
}

export interface LinkFacts {
  /** Ports from which, and to which, nothing goes. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Ports with a brake, and how hard. */
  readonly slow: ReadonlyMap<string, string>;
}

export async function linkFacts(hub: Machine): Promise<LinkFacts> {
  const enter = insideNetwork(hub);
  const [sets, queues] = await Promise.all([run([...enter, 'nft', '-j', 'list', 'table', 'bridge', TABLE]), run([...enter, 'tc', 'qdisc', 'show'])]);
  const elements = (wanted: string): readonly string[] => {
    if (sets.code !== 0) return [];
    const { nftables } = JSON.parse(sets.stdout) as {
      readonly nftables: readonly { readonly set?: { readonly name: string; readonly elem?: readonly string[] } }[];
    };
    return nftables.find(({ set }) => set?.name === wanted)?.set?.elem ?? [];
  };
  const brakes = [...queues.stdout.matchAll(/^qdisc (?:tbf|netem) \S+ dev (\S+) root .*$/gm)].map((match) => [match[1] ?? '', brakeText(match[0])] as const);
  return { from: elements('from'), to: elements('to'), slow: new Map(brakes) };
}

/** `rate 1Mbit`, `delay 50ms`, `loss 5%`, as tc shows them. */
function brakeText(line: string): string {
  return [...line.matchAll(/\b(rate|delay|loss) (\S+)/g)].map(([, what, value]) => `${what} ${value}`).join(', ');
}
