// `swarm init`.
import type { Swarm } from '#docker-api/swarm.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { changedSpec, initFlags } from './flags.ts';
import { joinInstructions, unlockInstructions } from './instructions.ts';

const AVAILABILITIES = ['active', 'pause', 'drain'];
/** What docker sends when nothing is said. */
const defaults = {
  Orchestration: { TaskHistoryRetentionLimit: 5 },
  Raft: { SnapshotInterval: 10_000 },
  Dispatcher: { HeartbeatPeriod: 5e9 },
  CAConfig: { NodeCertExpiry: 2160 * 3600e9 },
};

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: initFlags,
  async run({ flags, context, client }) {
    const pools = flags.values<readonly string[]>('default-addr-pool').flat();
    const availability = availabilityOf(flags.text('availability'));
    const body = {
      ListenAddr: flags.text('listen-addr') || '0.0.0.0:2377',
      AdvertiseAddr: flags.text('advertise-addr'),
      DataPathAddr: flags.text('data-path-addr'),
      DataPathPort: flags.value<number>('data-path-port') ?? 0,
      DefaultAddrPool: pools,
      ForceNewCluster: flags.bool('force-new-cluster'),
      Spec: changedSpec(defaults, flags),
      AutoLockManagers: flags.bool('autolock'),
      SubnetSize: flags.value<number>('default-addr-pool-mask-length') ?? 24,
      Availability: availability,
    };
    const daemon = await client();
    const node = await daemon.call<string>('POST', '/swarm/init', { body }).catch((error: unknown) => {
      const help = /could not (choose an IP address to advertise|find the system's IP address)/;
      if (error instanceof AppError && help.test(error.message)) throw new AppError(error.code, `${error.message} - specify one with --advertise-addr`);
      throw error;
    });
    context.stdout.write(`Swarm initialized: current node (${node}) is now a manager.\n\n`);
    const swarm = await daemon.call<Swarm>('GET', '/swarm');
    context.stdout.write(await joinInstructions(daemon, 'worker', swarm.JoinTokens.Worker, context.programName));
    context.stdout.write(`To add a manager to this swarm, run '${context.programName} swarm join-token manager' and follow the instructions.\n\n`);
    if (flags.bool('autolock')) {
      const { UnlockKey } = await daemon.call<{ UnlockKey: string }>('GET', '/swarm/unlockkey');
      context.stdout.write(unlockInstructions(UnlockKey, context.programName));
    }
    return undefined;
  },
};

/** As the API wants it; empty is active. */
export function availabilityOf(text: string): string {
  const value = text.toLowerCase();
  if (value === '') return 'active';
  if (!AVAILABILITIES.includes(value))
    throw new AppError('invalidArgument', `invalid availability ${JSON.stringify(text)}, only active, pause and drain are supported`);
  return value;
}
