// States for the tests of this folder: one application on one or two nodes.
import type { ClusterNetworkState, LocalNetworkState, OverlayNetwork } from '#protocol/network-state.ts';
import type { NetworkInputs } from './desired.ts';

export const overlayNetwork: OverlayNetwork = {
  networkId: 'net-a',
  name: 'App',
  vxlanId: 4097,
  subnets: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1' }],
  internal: false,
  attachable: false,
  encrypted: false,
  endpoints: [
    { taskId: 't1', nodeId: 'one', address: '10.0.1.11', names: ['web.1.t1', 'host-a'] },
    { taskId: 't2', nodeId: 'two', address: '10.0.1.12', names: ['web.2.t2'] },
  ],
};

const backends = [
  { taskId: 't2', nodeId: 'two', address: '10.0.1.12' },
  { taskId: 't1', nodeId: 'one', address: '10.0.1.11' },
];

export const cluster: ClusterNetworkState = {
  version: 7,
  nodes: [
    { nodeId: 'one', index: 1, dataPathAddress: '192.0.2.1' },
    { nodeId: 'two', index: 2, dataPathAddress: '192.0.2.2' },
  ],
  networks: [overlayNetwork],
  services: [
    { serviceId: 's1', networkId: 'net-a', name: 'Web', aliases: ['www'], virtualIp: '10.0.1.2', backends },
    { serviceId: 's2', networkId: 'net-a', name: 'rr', aliases: ['www2'], backends },
    { serviceId: 's3', networkId: 'net-a', name: 'none', aliases: [], virtualIp: '10.0.1.3', backends: [] },
  ],
  ingress: [
    { serviceId: 's1', protocol: 'udp', publishedPort: 9000, targetPort: 90, backends },
    { serviceId: 's1', protocol: 'tcp', publishedPort: 8080, targetPort: 80, backends },
  ],
};

export const local: LocalNetworkState = {
  version: 3,
  endpoints: [{ taskId: 't1', containerId: 'c1', gatewayAddress: '172.18.0.2', pid: 1, networkIds: ['net-a'] }],
};

export const inputs: NetworkInputs = {
  cluster,
  local,
  driverNetworks: [{ engineNetworkId: 'e1', networkId: 'net-a', vxlanId: 4097, gateways: ['10.0.1.1/24'] }],
  hostAddresses: new Map([['192.0.2.1', { mtu: 1500 }]]),
  gatewaySubnets: ['172.18.0.0/16'],
  dataPathPort: 4789,
};

const keyOf = (letter: string) => `${letter.repeat(42)}A=`;

/** The same with the network encrypted, and both nodes able to. */
export const encrypted: NetworkInputs = {
  ...inputs,
  cluster: {
    ...cluster,
    nodes: cluster.nodes.map((node) => ({ ...node, encryption: { publicKey: keyOf(String(node.index)), endpoint: `${node.dataPathAddress}:51830` } })),
    networks: [{ ...overlayNetwork, encrypted: true }],
  },
  encryptionPort: 51830,
};

/** The same with this node alone. */
export const alone: NetworkInputs = { ...inputs, cluster: { ...cluster, nodes: cluster.nodes.slice(0, 1) } };

/** The same with IPv6 on the network, and nodes that know each other by addresses of IPv6. */
export const both: NetworkInputs = {
  ...inputs,
  cluster: {
    ...cluster,
    nodes: cluster.nodes.map((node) => ({ ...node, dataPathAddress: `2001:db8::${node.index}` })),
    networks: [{ ...overlayNetwork, endpoints: overlayNetwork.endpoints.map((endpoint) => ({ ...endpoint, address6: sixOf(endpoint.address) })) }],
    services: cluster.services.map(({ backends: all, virtualIp, ...service }) => ({
      ...service,
      ...(virtualIp === undefined ? {} : { virtualIp, virtualIp6: sixOf(virtualIp) }),
      backends: all.map((backend) => ({ ...backend, address6: sixOf(backend.address) })),
    })),
  },
  driverNetworks: [{ engineNetworkId: 'e1', networkId: 'net-a', vxlanId: 4097, gateways: ['10.0.1.1/24', 'fd00:1::1/64'] }],
  hostAddresses: new Map([['2001:db8::1', { mtu: 1500 }]]),
};

function sixOf(address: string): string {
  return `fd00:1::${address.split('.')[3]}`;
}

/** The same with gateway bridges that have IPv6: ports are published over it. */
export const publishing6: NetworkInputs = {
  ...inputs,
  cluster: { ...cluster, nodes: cluster.nodes.map((node) => ({ ...node, publishes6: true })) },
  local: { ...local, endpoints: local.endpoints.map((endpoint) => ({ ...endpoint, gatewayAddress6: 'fd00:9::2' })) },
  gatewaySubnets6: ['fd00:9::/64'],
};
