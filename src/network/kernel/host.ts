// Brings the host's namespace to what it must be: rules for published ports, settings of the gateway bridge, Docker's own filter, the mesh.
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Host, PublishedPort } from '../desired-host.ts';
import { hex, MARK_OWNER_MASK, type Names } from '../names.ts';
import { renderHostRules } from '../render/host-nft.ts';
import { renderHostRules6 } from '../render/host-nft6.ts';
import { planMesh } from '../render/mesh-links.ts';
import { applySteps, getSysctl, setSysctl } from './apply.ts';
import { type HostLinks, observeMesh } from './observe.ts';
import { portKey, type PortHolder } from './ports.ts';
import { tableRules } from './rules.ts';
import { run } from './run.ts';

export interface HostApplier {
  /** `verify` looks at the kernel whatever was applied before. */
  apply(host: Host, links: HostLinks, verify: boolean): Promise<void>;
}

export const NOTHING_ON_HOST: Host = { ports: [], gatewaySubnets: [], withoutEgress: [] };

export function createHostApplier({ names, ports, log }: { readonly names: Names; readonly ports: PortHolder; readonly log: Logger }): HostApplier {
  const rules = tableRules(names.table);
  const acceptsForwarding = new Map<Filter, boolean>();
  let meshKey: string | undefined;

  async function applyForwarding(filter: Filter, wanted: boolean, verify: boolean): Promise<void> {
    if (!verify && acceptsForwarding.get(filter) === wanted) return;
    acceptsForwarding.delete(filter);
    if (await acceptForwarding(filter, wanted, names, log)) acceptsForwarding.set(filter, wanted);
  }

  async function applyMesh(host: Host, links: HostLinks, verify: boolean): Promise<void> {
    const key = JSON.stringify(host.mesh ?? null);
    if (!verify && meshKey === key) return;
    meshKey = undefined;
    await applySteps(planMesh(host.mesh, await observeMesh(names, links), names));
    if (host.mesh !== undefined) {
      // The larger of the device's and the general setting holds: loosely where sources are checked at all, for the sources are clients anywhere.
      await setSysctl(`ipv4/conf/${names.meshDevice}/rp_filter`, (await getSysctl('ipv4/conf/all/rp_filter')) === '0' ? '0' : '2');
      await setSysctl(`ipv4/conf/${names.meshDevice}/route_localnet`, '1');
    }
    meshKey = key;
  }

  return {
    async apply(host, links, verify) {
      const { refused, refused6 } = await ports.hold(host.ports, host.six !== undefined);
      const served: Host = { ...host, ports: host.ports.filter((port) => !refused.has(portKey(port))).map((port) => withoutRefused6(port, refused6)) };
      const serves = served.ports.length > 0;
      await allOf([
        // The mesh's device before the rules that name it is not needed: rules compare names. All parts are tried, whatever fails.
        () => rules.ensure(renderHostRules(served, names) + renderHostRules6(served, names), verify),
        () => applyForwarding('iptables', serves || host.mesh !== undefined, verify),
        () => applyForwarding('ip6tables', host.six !== undefined && (serves || host.mesh !== undefined), verify),
        () => (serves ? openGatewayBridge(links, names.gatewayBridge) : Promise.resolve()),
        // What containers send each other over it passes our rules, whatever the general setting is.
        () => (host.six === undefined ? Promise.resolve() : filterBridge6(links, names.gatewayBridge)),
        () => applyMesh(served, links, verify),
      ]);
    },
  };
}

/** Docker's filters of both families. */
type Filter = 'iptables' | 'ip6tables';

/** Another program has the port over IPv6 only: then it is ours over IPv4 only. */
function withoutRefused6({ six, ...port }: PublishedPort, refused6: ReadonlySet<string>): PublishedPort {
  return six === undefined || refused6.has(portKey(port)) ? port : { ...port, six };
}

async function filterBridge6({ links }: HostLinks, bridge: string): Promise<void> {
  if (!links.some(({ name }) => name === bridge)) return;
  await applySteps([{ tool: 'ip', lines: [`link set ${bridge} type bridge nf_call_ip6tables 1`] }]);
}

/** Runs all, then rejects with what went wrong in any. */
async function allOf(parts: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: string[] = [];
  for (const part of parts) await part().catch((error: unknown) => failures.push(errorMessage(error)));
  if (failures.length > 0) throw new AppError('internal', failures.join('; '));
}

/** Lets 127.0.0.1:PORT reach containers, and a container its own node's published port even when it is behind it itself. */
async function openGatewayBridge({ links }: HostLinks, bridge: string): Promise<void> {
  if (!links.some(({ name }) => name === bridge)) return;
  await setSysctl(`ipv4/conf/${bridge}/route_localnet`, '1');
  const without = links.filter(({ master, hairpin }) => master === bridge && !hairpin);
  if (without.length === 0) return;
  // A container may end between looking and setting.
  await applySteps([{ tool: 'ip', lines: without.map(({ name }) => `link set ${name} type bridge_slave hairpin on`) }]).catch(ignoreMissing);
}

function ignoreMissing(error: unknown): void {
  if (!errorMessage(error).includes('Cannot find device')) throw error;
}

/**
 * Docker drops forwarded packets that it does not know; its chain DOCKER-USER is for such exceptions. Resolves with false while there is no such
 * chain: the engine has not started yet, or filters otherwise.
 */
async function acceptForwarding(filter: Filter, wanted: boolean, names: Names, log: Logger): Promise<boolean> {
  const mark = `${hex(names.mark)}/${hex(MARK_OWNER_MASK)}`;
  const rule = ['DOCKER-USER', '-m', 'connmark', '--mark', mark, '-m', 'comment', '--comment', names.driver, '-j', 'ACCEPT'];
  const iptables = (...args: readonly string[]) => run([filter, '-w', '5', ...args]);
  try {
    const there = (await iptables('-C', ...rule)).code === 0;
    if (there === wanted) return true;
    const { code, stderr } = await iptables(wanted ? '-I' : '-D', ...rule);
    if (code !== 0) log.debug({ error: stderr.trim() }, 'no DOCKER-USER chain');
    // Engines that leave IPv6 alone have none there, and drop nothing either.
    return code === 0 || filter === 'ip6tables';
  } catch (error) {
    log.debug({ error: errorMessage(error) }, `no ${filter}`);
    return !wanted;
  }
}

/** Takes back what `apply` has set outside our own table, devices and rules. */
export async function closeGatewayBridge(links: HostLinks, bridge: string): Promise<void> {
  if (links.links.some(({ name }) => name === bridge)) await setSysctl(`ipv4/conf/${bridge}/route_localnet`, '0').catch(() => {});
}
