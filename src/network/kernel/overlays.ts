// Brings overlay namespaces to what they must be, and containers' veth pairs into them. Remembers what it has applied, so that a state that changes
// nothing costs nothing; `verify` looks at the kernel whatever was applied before.
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Overlay } from '../desired.ts';
import type { Names } from '../names.ts';
import { BRIDGE, planOverlayLinks, type ActualOverlay } from '../render/overlay-links.ts';
import { OVERLAY_TABLE, renderOverlayRules } from '../render/overlay-nft.ts';
import { addNamespace, applySteps, ensureBridgeFilter, removeNamespace, setSysctls } from './apply.ts';
import { observeNamespaces, observeOverlay } from './observe.ts';
import { type Rules, tableRules } from './rules.ts';

export interface Overlays {
  apply(overlay: Overlay, verify: boolean): Promise<void>;
  /** Removes our namespaces that are for none of these networks. */
  removeOthers(vxlanIds: ReadonlySet<number>): Promise<void>;
  /** Makes an endpoint's veth pair: one end on the overlay's bridge, the other in the host's namespace under the resolved name, for the engine to take. */
  attach(overlay: Overlay, endpointId: string): Promise<string>;
  /** Removes an endpoint's veth pair. Removing none is no error. */
  detach(vxlanId: number, endpointId: string): Promise<void>;
}

/** Bridged IPv4 passes our rules; the bridge takes part as a router does, but sends nobody away (no redirects, no reverse path checks). */
const SYSCTLS = {
  'bridge/bridge-nf-call-iptables': '1',
  'ipv4/ip_forward': '1',
  'ipv4/conf/all/rp_filter': '0',
  'ipv4/conf/default/rp_filter': '0',
  'ipv4/conf/all/arp_ignore': '0',
  'ipv4/conf/default/arp_ignore': '0',
  'ipv4/conf/all/send_redirects': '0',
  'ipv4/conf/default/send_redirects': '0',
  'ipv6/conf/default/disable_ipv6': '1',
} as const;

/** Likewise for IPv6. Addresses are given once by the managers, so nothing waits to see whether another has them; there are no routers to listen to. */
const SYSCTLS6 = {
  ...SYSCTLS,
  'bridge/bridge-nf-call-ip6tables': '1',
  'ipv6/conf/default/disable_ipv6': '0',
  'ipv6/conf/all/forwarding': '1',
  'ipv6/conf/all/accept_ra': '0',
  'ipv6/conf/default/accept_ra': '0',
  'ipv6/conf/all/accept_dad': '0',
  'ipv6/conf/default/accept_dad': '0',
  'ipv6/conf/all/accept_redirects': '0',
  'ipv6/conf/default/accept_redirects': '0',
} as const;

/** What is known to be in place. */
interface Applied {
  /** As text that can be compared. */
  links: string | undefined;
  readonly rules: Rules;
}

export function createOverlays({ names }: { readonly names: Names }): Overlays {
  const applied = new Map<number, Applied>();

  async function apply(overlay: Overlay, verify: boolean): Promise<void> {
    const namespace = names.namespace(overlay.vxlanId);
    const known = applied.get(overlay.vxlanId);
    const now: Applied = known ?? { links: undefined, rules: tableRules(OVERLAY_TABLE, namespace) };
    applied.set(overlay.vxlanId, now);
    // Backends come and go far more often than anything else; they are in the rules only.
    const { virtualIps, virtualIps6, lost: _lost, ...rest } = overlay;
    const links = JSON.stringify([rest, [virtualIps, virtualIps6].map((all) => all?.map(({ address }) => address))]);
    if (verify || now.links !== links) {
      now.links = undefined;
      const actual = await ensureNamespace(namespace, known === undefined, virtualIps6 === undefined ? SYSCTLS : SYSCTLS6);
      if (actual.links.length <= 1) now.rules.forget();
      await applySteps(planOverlayLinks(overlay, actual, names));
      now.links = links;
    }
    await now.rules.ensure(renderOverlayRules(overlay), verify);
  }

  return {
    apply,
    async removeOthers(vxlanIds) {
      for (const namespace of await observeNamespaces(names)) {
        const vxlanId = names.vxlanIdOf(namespace);
        if (vxlanId === undefined || vxlanIds.has(vxlanId)) continue;
        await removeNamespace(namespace);
        applied.delete(vxlanId);
      }
    },
    async attach(overlay, endpointId) {
      await apply(overlay, false);
      try {
        await addVeth(overlay, endpointId, names);
      } catch {
        // The namespace is not what it was, or a pair of an earlier try is in the way: look, repair, and try once more.
        await removeVeth(overlay.vxlanId, endpointId, names);
        await apply(overlay, true);
        await addVeth(overlay, endpointId, names);
      }
      return names.hostPort(endpointId);
    },
    detach: (vxlanId, endpointId) => removeVeth(vxlanId, endpointId, names),
  };
}

/** The namespace as it is now, made first if need be (then it has nothing but `lo`). A name without a namespace behind it (a crash may leave one) is made anew. */
async function ensureNamespace(namespace: string, isFirstLook: boolean, sysctls: Readonly<Record<string, string>>): Promise<ActualOverlay> {
  const isNew = await addNamespace(namespace);
  if (isNew || isFirstLook) {
    await ensureBridgeFilter();
    try {
      await setSysctls(namespace, sysctls);
    } catch (error) {
      if (isNew || !/Invalid argument/.test(errorMessage(error))) throw error;
      await removeNamespace(namespace);
      await addNamespace(namespace);
      await setSysctls(namespace, sysctls);
    }
  }
  return observeOverlay(namespace);
}

async function addVeth(overlay: Overlay, endpointId: string, names: Names): Promise<void> {
  const namespace = names.namespace(overlay.vxlanId);
  const port = overlayPort(endpointId);
  await applySteps([
    { tool: 'ip', lines: [`link add ${names.hostPort(endpointId)} mtu ${overlay.mtu} type veth peer name ${port} mtu ${overlay.mtu} netns ${namespace}`] },
    {
      tool: 'ip',
      namespace,
      lines: [
        `link set ${port} master ${BRIDGE}${overlay.virtualIps6 === undefined ? '' : ' addrgenmode none'} up`,
        `link set ${port} type bridge_slave hairpin on`,
      ],
    },
  ]);
}

/** Either end takes the other with it; where the pair is, depends on how far the engine came. */
async function removeVeth(vxlanId: number, endpointId: string, names: Names): Promise<void> {
  const missing = (error: unknown) => {
    if (!/Cannot find device|Cannot open network namespace/.test(errorMessage(error))) throw new AppError('internal', errorMessage(error), { cause: error });
  };
  await applySteps([{ tool: 'ip', namespace: names.namespace(vxlanId), lines: [`link del ${overlayPort(endpointId)}`] }]).catch(missing);
  await applySteps([{ tool: 'ip', lines: [`link del ${names.hostPort(endpointId)}`] }]).catch(missing);
}

/** The overlay's end of an endpoint's veth pair, in the overlay's own namespace. */
function overlayPort(endpointId: string): string {
  return `p-${endpointId.slice(0, 12)}`;
}
