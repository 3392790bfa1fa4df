// Forgets tracked connections that lead nowhere any more, so that a client of a dead task is led to a living one at its next packet.
import type { Logger } from '#lib/log.ts';
import { errorMessage } from '#lib/errors.ts';
import { familyOf } from '#lib/ip.ts';
import { inNamespace, run } from './run.ts';

export interface Connections {
  /** Forgets connections that these addresses answered. */
  forgetAnsweredBy(addresses: readonly string[], namespace?: string): Promise<void>;
  /** Forgets UDP flows to these ports, which began before the ports were published and would never see the new rules. */
  forgetUdpTo(ports: readonly number[]): Promise<void>;
}

/** `conntrack` is not part of every system; without it such flows end by their own timeout. */
export function createConnections({ log }: { readonly log: Logger }): Connections {
  let available = true;
  async function remove(namespace: string | undefined, filter: readonly string[]): Promise<void> {
    if (!available) return;
    try {
      // Exit code 1 means that there was none.
      await run(inNamespace(namespace, ['conntrack', '-D', ...filter]));
    } catch (error) {
      available = false;
      log.warn({ error: errorMessage(error) }, 'tracked connections of dead tasks are not removed; install conntrack');
    }
  }
  return {
    async forgetAnsweredBy(addresses, namespace) {
      for (const address of addresses) await remove(namespace, [...(familyOf(address) === 6 ? ['-f', 'ipv6'] : []), '--reply-src', address]);
    },
    async forgetUdpTo(ports) {
      for (const port of ports) for (const family of ['ipv4', 'ipv6']) await remove(undefined, ['-f', family, '-p', 'udp', '--orig-port-dst', String(port)]);
    },
  };
}
