// The engine's bridge that leads containers on overlays out, and published traffic in. Whoever needs it first makes it; then it is everybody's.
import { readFile } from 'node:fs/promises';
import { AppError, errorMessage } from '#lib/errors.ts';
import { formatSubnet } from '#lib/ip.ts';
import type { Logger } from '#lib/log.ts';
import { uniqueLocalPool } from '#lib/unique-local.ts';
import type { NetworkInspect } from './api-types.ts';
import { GATEWAY_BRIDGE } from './container-config.ts';
import type { EngineClient } from './engine-client.ts';
import { instanceLabel } from './labels.ts';

/** The options that Docker's own swarm mode gives it. All users of the engine share it; who made it removes it when nobody is on it any more. */
export async function makeGatewayBridge(client: EngineClient, instance: string, log: Logger, signal: AbortSignal): Promise<void> {
  if ((await findGatewayBridge(client, signal)) !== undefined) return;
  const body = {
    Name: GATEWAY_BRIDGE,
    CheckDuplicate: true,
    Driver: 'bridge',
    Options: {
      'com.docker.network.bridge.name': GATEWAY_BRIDGE,
      'com.docker.network.bridge.enable_icc': 'false',
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
    },
    Labels: { [instanceLabel]: instance },
  };
  // The same on every node would do: nobody but the node sees these addresses.
  const pool = { ...uniqueLocalPool(`gateway ${instance}`), prefix: 64 };
  const obstacle = await ipv6Obstacle();
  if (obstacle === undefined) {
    try {
      return await create(client, { ...body, EnableIPv6: true, IPAM: { Driver: 'default', Config: [{ Subnet: formatSubnet(pool) }] } }, signal);
    } catch (error) {
      log.warn({ error: errorMessage(error) }, 'the engine makes its gateway bridge without IPv6 only; published ports answer over IPv4');
    }
  } else log.info({ reason: obstacle }, 'the gateway bridge is made without IPv6; published ports answer over IPv4');
  await create(client, body, signal);
}

/** Whether the bridge has IPv6 and packets get from it to other devices. */
export async function hasGateway6(client: EngineClient, signal: AbortSignal): Promise<boolean> {
  return (await findGatewayBridge(client, signal))?.EnableIPv6 === true && (await setting('all/forwarding')) === '1';
}

function findGatewayBridge(client: EngineClient, signal: AbortSignal): Promise<NetworkInspect | undefined> {
  return client.find<NetworkInspect>({ method: 'GET', path: `/networks/${GATEWAY_BRIDGE}`, signal });
}

async function create(client: EngineClient, body: object, signal: AbortSignal): Promise<void> {
  try {
    await client.call({ method: 'POST', path: '/networks/create', body, signal });
  } catch (error) {
    // Another skepd on the same engine was faster.
    if (!(error instanceof AppError && error.code === 'conflict')) throw error;
  }
}

/**
 * Why this machine should not forward IPv6, as a bridge with IPv6 makes it do; undefined when nothing speaks against it. A machine that forwards does not
 * listen to routers any more, unless `accept_ra` is 2, and forgets at once what they have told: it might lose its own way out.
 */
async function ipv6Obstacle(): Promise<string | undefined> {
  if ((await setting('all/disable_ipv6')) !== '0') return 'this machine has no IPv6';
  if ((await setting('all/forwarding')) === '1') return undefined;
  for (const device of devicesOfLearnedRoutes(await readFile('/proc/net/ipv6_route', 'utf8').catch(() => ''))) {
    if ((await setting(`${device}/accept_ra`)) !== '2')
      return `a router's advertisements give this machine its default route on ${device}, which forwarding would end; set net.ipv6.conf.${device}.accept_ra=2 and remove the network ${GATEWAY_BRIDGE}`;
  }
  return undefined;
}

/** Flags of the kernel's routes (RTF_DEFAULT and RTF_ADDRCONF): a default route out of an advertisement. */
const LEARNED_DEFAULT = 0x50000;

/** Exported for its test: the lines of /proc/net/ipv6_route have the flags and the device last. */
export function devicesOfLearnedRoutes(text: string): readonly string[] {
  const devices = text.split('\n').flatMap((line) => {
    const [device = '', flags = '0'] = line.trim().split(/\s+/).toReversed();
    return (Number.parseInt(flags, 16) & LEARNED_DEFAULT) === LEARNED_DEFAULT ? [device] : [];
  });
  return [...new Set(devices)];
}

async function setting(path: string): Promise<string | undefined> {
  const text = await readFile(`/proc/sys/net/ipv6/conf/${path}`, 'utf8').catch(() => undefined);
  return text?.trim();
}
