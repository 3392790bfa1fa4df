// Makes one swarm of a cluster's nodes. Each step looks at how things are: whoever is in it already is left alone, so it can be repeated after any interruption.
import { AppError, errorMessage } from '#lib/errors.ts';
import { ask } from './daemon.ts';
import { addressOf, type DevCluster, type DevNode } from './description.ts';
import { type NodePlace, nodePlaceOf, type Place } from './names.ts';
import type { Wait } from './wait.ts';

const PORT = 2377;
/** A manager may have to wait until an interrupted join before its own is given up. */
const JOIN_PATIENCE_MS = 200_000;

interface SwarmInfo {
  readonly LocalNodeState: string;
  readonly ControlAvailable: boolean;
  readonly Error: string;
}

interface Tokens {
  readonly Manager: string;
  readonly Worker: string;
}

export interface Forming {
  readonly place: Place;
  readonly cluster: DevCluster;
  readonly wait: Wait;
  /** One line about what has been done. */
  readonly say: (line: string) => void;
}

export async function formSwarm({ place, cluster, wait, say }: Forming): Promise<void> {
  const { nodes } = cluster;
  const states = new Map(await Promise.all(nodes.map(async (node) => [node, await settledInfo(nodePlaceOf(place, node.name), wait)] as const)));
  const members = nodes.filter((node) => states.get(node)?.LocalNodeState === 'active');
  const locked = nodes.find((node) => states.get(node)?.LocalNodeState === 'locked');
  if (locked !== undefined)
    throw new AppError(
      'failedPrecondition',
      `${locked.name} is locked: export DOCKER_HOST=unix://${nodePlaceOf(place, locked.name).socket} and run \`docker swarm unlock\``,
    );
  const failed = nodes.filter((node) => states.get(node)?.LocalNodeState === 'error');
  const outside = nodes.filter((node) => !members.includes(node) && !failed.includes(node));
  if (outside.length === 0 && failed.length === 0) return;
  const managers = members.filter((node) => states.get(node)?.ControlAvailable);
  for (const node of failed) {
    const text = `${node.name} cannot reach its swarm: ${states.get(node)?.Error}`;
    if (managers.length === 0) throw new AppError('unavailable', text);
    say(text);
  }
  const founder = managers[0] ?? (await found({ place, cluster, wait, say }, outside, members));
  const manager = nodePlaceOf(place, founder.name);
  const tokens = await leaderAnswers(manager, wait);
  const remote = `${addressOf(cluster, founder)}:${PORT}`;
  const joining = outside.filter((node) => node !== founder);
  const join = async (node: DevNode, token: string) => {
    const body = { ListenAddr: `0.0.0.0:${PORT}`, AdvertiseAddr: addressOf(cluster, node), RemoteAddrs: [remote], JoinToken: token };
    const at = nodePlaceOf(place, node.name);
    await ask(at, (client) => client.call('POST', '/swarm/join', { body })).catch((error: unknown) => {
      if (!/Timeout was reached/.test(errorMessage(error))) throw error;
    });
    await wait(`${node.name} has joined`, async () => (await infoOf(at)).LocalNodeState === 'active', JOIN_PATIENCE_MS);
    say(`${node.name}: joined as a ${node.role}`);
  };
  const workers = joining.filter(({ role }) => role === 'worker').map((node) => join(node, tokens.Worker));
  const one = (async () => {
    // etcd takes in one member at a time.
    for (const node of joining.filter(({ role }) => role === 'manager')) await join(node, tokens.Manager);
  })();
  const failure = (await Promise.allSettled([one, ...workers])).find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  await wait('all nodes are ready', () => allReady(manager, joining));
}

/** A daemon that has just started finds its way back to its swarm, and several managers wait for each other. */
async function settledInfo(node: NodePlace, wait: Wait): Promise<SwarmInfo> {
  let info: SwarmInfo | undefined;
  await wait(`skepd of ${node.name} knows its swarm`, async () => {
    info = await infoOf(node);
    return !['pending', 'error'].includes(info.LocalNodeState);
  }).catch((error: unknown) => {
    if (info?.LocalNodeState !== 'error') throw error;
  });
  return info as SwarmInfo;
}

export async function infoOf(node: NodePlace): Promise<SwarmInfo> {
  return (await ask(node, (client) => client.call<{ Swarm: SwarmInfo }>('GET', '/info'))).Swarm;
}

async function found({ place, cluster, say }: Forming, outside: readonly DevNode[], members: readonly DevNode[]): Promise<DevNode> {
  const first = outside.find(({ role }) => role === 'manager');
  if (members.length > 0 || first === undefined)
    throw new AppError(
      'failedPrecondition',
      `${members.map(({ name }) => name).join(', ')} still belong${members.length === 1 ? 's' : ''} to a swarm whose managers have left; \`skep dev down\` and begin again`,
    );
  const body = { ListenAddr: `0.0.0.0:${PORT}`, AdvertiseAddr: addressOf(cluster, first) };
  await ask(nodePlaceOf(place, first.name), (client) => client.call('POST', '/swarm/init', { body }));
  say(`${first.name}: made the swarm`);
  return first;
}

/** The swarm's tokens, once its managers have a leader. */
async function leaderAnswers(manager: NodePlace, wait: Wait): Promise<Tokens> {
  let tokens: Tokens | undefined;
  let last = '';
  await wait(`${manager.name} tells the join tokens`, async () => {
    try {
      tokens = (await ask(manager, (client) => client.call<{ JoinTokens: Tokens }>('GET', '/swarm'))).JoinTokens;
    } catch (error) {
      last = errorMessage(error);
    }
    return tokens !== undefined;
  }).catch((error: unknown) => {
    throw last === '' ? error : new AppError('unavailable', `${manager.name}: ${last}`);
  });
  return tokens as Tokens;
}

async function allReady(manager: NodePlace, nodes: readonly DevNode[]): Promise<boolean> {
  const known = await ask(manager, (client) =>
    client.call<readonly { readonly Description: { readonly Hostname?: string }; readonly Status: { readonly State: string } }[]>('GET', '/nodes'),
  );
  return nodes.every(({ name }) => known.some(({ Description, Status }) => Description.Hostname === name && Status.State === 'ready'));
}
