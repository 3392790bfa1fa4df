// `swarm join`.
import type { CommandSpec } from '../command.ts';
import { joinFlags } from './flags.ts';
import { availabilityOf } from './init.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] HOST:PORT',
  arguments: { minimum: 1, maximum: 1 },
  flags: joinFlags,
  async run({ flags, args, context, client }) {
    const daemon = await client();
    await daemon.call('POST', '/swarm/join', {
      body: {
        ListenAddr: flags.text('listen-addr') || '0.0.0.0:2377',
        AdvertiseAddr: flags.text('advertise-addr'),
        DataPathAddr: flags.text('data-path-addr'),
        RemoteAddrs: [...args],
        JoinToken: flags.text('token'),
        Availability: availabilityOf(flags.text('availability')),
      },
    });
    const { Swarm } = await daemon.call<{ Swarm: { ControlAvailable: boolean } }>('GET', '/info');
    context.stdout.write(`This node joined a swarm as a ${Swarm.ControlAvailable ? 'manager' : 'worker'}.\n`);
    return undefined;
  },
};
