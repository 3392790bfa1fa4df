// A sandbox's interfaces as commands: one veth pair per overlay and one to the gateway bridge, which is the way out, to the resolver and for published ports.
import type { Sandbox } from '../desired.ts';
import { endpointIdOf, macOf, type Names } from '../names.ts';
import type { Step } from './commands.ts';

/** The overlays' pairs are made already, with their free ends in the host's namespace. `gateway` has the bridge's own addresses. */
export function sandboxSteps(sandbox: Sandbox, gateway: { readonly address: string; readonly address6?: string }, names: Names): readonly Step[] {
  const namespace = names.sandbox(sandbox.taskId);
  const way = `eth${sandbox.networks.length}`;
  const port = names.gatewayPort(endpointIdOf(sandbox.taskId, ''));
  // Where anything has IPv6, what has none must not get an address by itself.
  const has6 = sandbox.gatewayAddress6 !== undefined || sandbox.networks.some(({ address6 }) => address6 !== undefined);
  const devices = sandbox.networks.map(({ networkId, address, address6 }, index) => ({
    from: names.hostPort(endpointIdOf(sandbox.taskId, networkId)),
    name: `eth${index}`,
    address,
    address6,
  }));
  return [
    {
      tool: 'ip',
      lines: [
        ...devices.map(({ from, name }) => `link set ${from} netns ${namespace} name ${name}`),
        `link add ${port} type veth peer name ${way} netns ${namespace}`,
        `link set ${port} master ${names.gatewayBridge} up`,
        `link set ${port} type bridge_slave hairpin on`,
      ],
    },
    {
      tool: 'ip',
      namespace,
      lines: [
        'link set lo up',
        ...[...devices, { name: way, address: sandbox.gatewayAddress, address6: sandbox.gatewayAddress6 }].flatMap(({ name, address, address6 }) => [
          `link set ${name} address ${macOf(bare(address))}${has6 && address6 === undefined ? ' addrgenmode none' : ''}`,
          `addr add ${address} dev ${name}`,
          ...(address6 === undefined ? [] : [`addr add ${address6} dev ${name} nodad`]),
          `link set ${name} up`,
        ]),
        `route add default via ${bare(gateway.address)}`,
      ],
    },
    ...(sandbox.gatewayAddress6 === undefined || gateway.address6 === undefined
      ? []
      : [{ tool: 'ip', namespace, family: 6, lines: [`route add default via ${bare(gateway.address6)}`] } as const]),
  ];
}

function bare(address: string): string {
  return address.split('/', 1)[0] ?? address;
}
