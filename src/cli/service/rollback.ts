// `service rollback`.
import type { CommandSpec } from '../command.ts';
import { detachServiceFlag, quietProgressFlag } from '../shared/options.ts';
import { readService, writeService } from './change.ts';
import { waitOn } from './progress.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] SERVICE',
  arguments: { minimum: 1, maximum: 1 },
  flags: [detachServiceFlag, quietProgressFlag],
  completes: 'service',
  async run(invocation) {
    const { flags, args, context } = invocation;
    const [reference = ''] = args;
    const client = await invocation.client();
    const service = await readService(client, reference);
    for (const warning of await writeService(client, service, service.Spec, { rollback: true })) context.stderr.write(`${warning}\n`);
    context.stdout.write(`${reference}\n`);
    return flags.bool('detach') ? undefined : waitOn(invocation, reference, { quiet: flags.bool('quiet') });
  },
};
