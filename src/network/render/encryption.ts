// The WireGuard mesh of encrypted networks: one device in the host's namespace with an address per node, through which their VXLAN packets go.
import type { Encryption } from '../desired.ts';
import { encryptionAddressOf, type Names } from '../names.ts';
import { steps, type Step } from './commands.ts';
import type { ActualLink } from './overlay-links.ts';

/** The text for `wg syncconf`. It has the private key in it: for standard input only. */
export function renderWireGuard({ port, peers }: Encryption, privateKey: string): string {
  const peer = ({ index, publicKey, endpoint }: Encryption['peers'][number]) => [
    '',
    '[Peer]',
    `PublicKey = ${publicKey}`,
    `Endpoint = ${endpoint}`,
    `AllowedIPs = ${encryptionAddressOf(index)}/32`,
  ];
  return ['[Interface]', `PrivateKey = ${privateKey}`, `ListenPort = ${port}`, ...peers.flatMap(peer), ''].join('\n');
}

/** Address, size and state of the device, which exists. `actual` is absent right after it was made. */
export function planEncryptionLink({ index, mtu }: Encryption, actual: ActualLink | undefined, { encryptionDevice: device }: Names): readonly Step[] {
  const address = `${encryptionAddressOf(index)}/16`;
  const others = (actual?.addresses ?? []).filter((other) => other !== address);
  return steps({
    tool: 'ip',
    lines: [
      ...others.map((other) => `addr del ${other} dev ${device}`),
      ...(actual?.addresses.includes(address) ? [] : [`addr replace ${address} dev ${device}`]),
      ...(actual?.mtu === mtu && actual.up ? [] : [`link set ${device} mtu ${mtu} up`]),
    ],
  });
}
