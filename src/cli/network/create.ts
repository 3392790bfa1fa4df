// `network create`.
import { BlockList, isIP } from 'node:net';
import type { IpamConfig } from '#docker-api/network.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { commaSeparated, mapOf } from '../shared/options.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] NETWORK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [
    { name: 'attachable', description: 'Enable manual container attachment' },
    { name: 'aux-address', type: 'map', description: 'Auxiliary IPv4 or IPv6 addresses used by Network driver', default: 'map[]' },
    { name: 'config-from', type: 'string', description: 'The network from which to copy the configuration' },
    { name: 'config-only', description: 'Create a configuration only network' },
    { name: 'driver', short: 'd', type: 'string', description: 'Driver to manage the Network', default: '"bridge"' },
    { name: 'gateway', type: 'strings', description: 'IPv4 or IPv6 Gateway for the master subnet' },
    { name: 'ingress', description: 'Create swarm routing-mesh network' },
    { name: 'internal', description: 'Restrict external access to the network' },
    { name: 'ip-range', type: 'strings', description: 'Allocate container ip from a sub-range' },
    { name: 'ipam-driver', type: 'string', description: 'IP Address Management Driver', default: '"default"' },
    { name: 'ipam-opt', type: 'map', description: 'Set IPAM driver specific options', default: 'map[]' },
    { name: 'ipv4', description: 'Enable or disable IPv4 address assignment', default: 'true' },
    { name: 'ipv6', description: 'Enable or disable IPv6 address assignment' },
    { name: 'label', type: 'list', description: 'Set metadata on a network' },
    { name: 'opt', short: 'o', type: 'map', description: 'Set driver specific options', default: 'map[]' },
    { name: 'scope', type: 'string', description: "Control the network's scope" },
    { name: 'subnet', type: 'strings', description: 'Subnet in CIDR format that represents a network segment' },
  ],
  async run({ flags, args, context, client }) {
    const strings = (name: string) => commaSeparated(flags, name);
    const configFrom = flags.text('config-from');
    const body = {
      Name: args[0],
      Driver: flags.has('driver') ? flags.text('driver') : 'bridge',
      Scope: flags.text('scope'),
      ...(flags.has('ipv4') ? { EnableIPv4: flags.bool('ipv4') } : {}),
      ...(flags.has('ipv6') ? { EnableIPv6: flags.bool('ipv6') } : {}),
      IPAM: {
        Driver: flags.text('ipam-driver') || 'default',
        Options: mapOf(flags.texts('ipam-opt')),
        Config: ipamConfig({
          subnets: strings('subnet'),
          ranges: strings('ip-range'),
          gateways: strings('gateway'),
          auxiliary: mapOf(flags.texts('aux-address')),
        }),
      },
      Internal: flags.bool('internal'),
      Attachable: flags.bool('attachable'),
      Ingress: flags.bool('ingress'),
      ConfigOnly: flags.bool('config-only'),
      ...(configFrom === '' ? {} : { ConfigFrom: { Network: configFrom } }),
      Options: mapOf(flags.texts('opt')),
      Labels: mapOf(flags.texts('label')),
    };
    const { Id, Warning } = await (await client()).call<{ Id: string; Warning?: string }>('POST', '/networks/create', { body });
    if (Warning) context.stderr.write(`WARNING: ${Warning}\n`);
    context.stdout.write(`${Id}\n`);
    return undefined;
  },
};

export interface IpamOptions {
  readonly subnets: readonly string[];
  readonly ranges: readonly string[];
  readonly gateways: readonly string[];
  readonly auxiliary: Readonly<Record<string, string>>;
}

/** One configuration per subnet; ranges, gateways and auxiliary addresses go to the subnet that holds them. Throws AppError with docker's words. */
export function ipamConfig({ subnets, ranges, gateways, auxiliary }: IpamOptions): IpamConfig[] {
  const refuse = (message: string): never => {
    throw new AppError('invalidArgument', message);
  };
  if (subnets.length < ranges.length || subnets.length < gateways.length) refuse('every ip-range or gateway must have a corresponding subnet');
  const configs = new Map<string, { Subnet: string; IPRange?: string; Gateway?: string; AuxiliaryAddresses?: Record<string, string> }>();
  for (const subnet of subnets) {
    for (const other of configs.keys()) {
      if (contains(other, addressOf(subnet)) || contains(subnet, addressOf(other))) refuse('multiple overlapping subnet configuration is not supported');
    }
    configs.set(subnet, { Subnet: subnet });
  }
  const holderOf = (address: string) => [...configs.values()].find(({ Subnet }) => contains(Subnet, address));
  for (const range of ranges) {
    const config = holderOf(addressOf(range)) ?? refuse(`no matching subnet for range ${range}`);
    if (config.IPRange !== undefined) refuse(`cannot configure multiple ranges (${range}, ${config.IPRange}) on the same subnet (${config.Subnet})`);
    config.IPRange = range;
  }
  for (const gateway of gateways) {
    const config = holderOf(gateway) ?? refuse(`no matching subnet for gateway ${gateway}`);
    if (config.Gateway !== undefined) refuse(`cannot configure multiple gateways (${gateway}, ${config.Gateway}) for the same subnet (${config.Subnet})`);
    config.Gateway = gateway;
  }
  for (const [name, address] of Object.entries(auxiliary)) {
    const config = holderOf(address) ?? refuse(`no matching subnet for aux-address ${address}`);
    config.AuxiliaryAddresses = { ...config.AuxiliaryAddresses, [name]: address };
  }
  return [...configs.values()];
}

function addressOf(subnet: string): string {
  return subnet.split('/')[0] ?? '';
}

function contains(subnet: string, address: string): boolean {
  const [network = '', bits = ''] = subnet.split('/');
  const family = isIP(network);
  if (family === 0 || !/^\d+$/.test(bits)) throw new AppError('invalidArgument', `invalid CIDR address: ${subnet}`);
  if (isIP(address) !== family) return false;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, Number(bits), kind);
  return list.check(address, kind);
}
