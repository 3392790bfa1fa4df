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
  if (await forwardsIpv6()) {
    try {
      return await create(client, { ...body, EnableIPv6: true, IPAM: { Driver: 'default', Config: [{ Subnet: formatSubnet(pool) }] } }, signal);
    } catch (error) {
      log.warn({ error: errorMessage(error) }, 'the engine does not make its gateway bridge with IPv6; published ports answer over IPv4');
    }
  } else
    log.info(
      {},
      `the gateway bridge is made without IPv6, which this machine does not forward (net.ipv6.conf.all.forwarding); published ports answer over IPv4`,
    );
  await create(client, body, signal);
}

/** Whether the bridge has IPv6 and packets get from it to other devices. */
export async function hasGateway6(client: EngineClient, signal: AbortSignal): Promise<boolean> {
  return (await findGatewayBridge(client, signal))?.EnableIPv6 === true && (await forwardsIpv6());
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
 * Whether the machine forwards IPv6 already. A bridge with IPv6 makes an engine turn that on, which is the administrator's to decide: the machine would
 * route for everybody who is next to it, and would lose a default route that it has out of a router's advertisement.
 */
export async function forwardsIpv6(): Promise<boolean> {
  const text = await readFile('/proc/sys/net/ipv6/conf/all/forwarding', 'utf8').catch(() => '0');
  return text.trim() === '1';
}
