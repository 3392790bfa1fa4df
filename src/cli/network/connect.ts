// `network connect` and `network disconnect`: a plain container, or a task's, in a network that it was not made with.
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { containerRef } from '../container/actions.ts';
import { nodeFlag } from '../node-flags.ts';
import { segment } from '../shared/each.ts';
import { commaSeparated, mapOf } from '../shared/options.ts';

export const connect: CommandSpec = {
  usage: '[OPTIONS] NETWORK CONTAINER',
  arguments: { minimum: 2, maximum: 2 },
  flags: [
    { name: 'alias', type: 'strings', description: 'Add network-scoped alias for the container' },
    { name: 'driver-opt', type: 'strings', description: 'driver options for the network' },
    { name: 'gw-priority', type: 'int', description: 'Highest gw-priority provides the default gateway. Accepts positive and negative values.' },
    { name: 'ip', type: 'string', description: 'IPv4 address (e.g., "172.30.100.104")' },
    { name: 'ip6', type: 'string', description: 'IPv6 address (e.g., "2001:db8::33")' },
    { name: 'link', type: 'list', description: 'Add link to another container' },
    { name: 'link-local-ip', type: 'strings', description: 'Add a link-local address for the container' },
    nodeFlag,
  ],
  completes: 'network',
  async run({ flags, args, client: clientOf }) {
    const [network = '', container = ''] = args;
    const strings = (name: string) => commaSeparated(flags, name);
    const options = strings('driver-opt');
    if (options.some((option) => !/^[^=]+=/.test(option))) throw new AppError('invalidArgument', 'invalid key/value pair format in driver options');
    const client = await clientOf();
    const body = {
      Container: await containerRef(client, container),
      EndpointConfig: {
        IPAMConfig: { IPv4Address: flags.text('ip'), IPv6Address: flags.text('ip6'), LinkLocalIPs: strings('link-local-ip') },
        Links: flags.texts('link'),
        Aliases: strings('alias'),
        DriverOpts: mapOf(options),
        GwPriority: flags.value<number>('gw-priority') ?? 0,
      },
    };
    await client.call('POST', `/networks/${segment(network)}/connect`, { body });
    return undefined;
  },
};

export const disconnect: CommandSpec = {
  usage: '[OPTIONS] NETWORK CONTAINER',
  arguments: { minimum: 2, maximum: 2 },
  flags: [{ name: 'force', short: 'f', description: 'Force the container to disconnect from a network' }, nodeFlag],
  completes: 'network',
  async run({ flags, args, client: clientOf }) {
    const [network = '', container = ''] = args;
    const client = await clientOf();
    const body = { Container: await containerRef(client, container), Force: flags.bool('force') };
    await client.call('POST', `/networks/${segment(network)}/disconnect`, { body });
    return undefined;
  },
};
