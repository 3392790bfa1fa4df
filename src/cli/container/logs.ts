// `logs`: of a container; of a service or a task when no container has that name.
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { nodeFlag } from '../node-flags.ts';
import { findSource, logFlags, printLogs } from '../service/logs.ts';
import { segment } from '../shared/each.ts';
import { logFrames } from '../shared/log-stream.ts';
import { parseMoment } from '../values/moment.ts';
import { findContainer, type FoundContainer } from './find.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] CONTAINER|SERVICE|TASK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [
    ...logFlags,
    nodeFlag,
    { name: 'until', type: 'string', description: 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)' },
  ],
  completes: 'container',
  async run(invocation) {
    const { flags, args, context } = invocation;
    const [reference = ''] = args;
    const client = await invocation.client();
    let container: FoundContainer;
    try {
      container = await findContainer(client, reference);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'notFound') throw error;
      const source = await findSource(client, reference).catch(() => undefined);
      if (source === undefined) throw error;
      return printLogs(invocation, client, source);
    }
    const moment = (name: string) => (flags.has(name) ? { [name]: parseMoment(flags.text(name), context.clock.now()) } : {});
    const stream = await client.stream('GET', `/containers/${segment(container.Id)}/logs`, {
      query: {
        stdout: 1,
        stderr: 1,
        tail: flags.text('tail') || 'all',
        ...moment('since'),
        ...moment('until'),
        ...(flags.bool('follow') ? { follow: 1 } : {}),
        ...(flags.bool('timestamps') ? { timestamps: 1 } : {}),
        ...(flags.bool('details') ? { details: 1 } : {}),
      },
    });
    if (container.Config.Tty) for await (const chunk of stream as AsyncIterable<Buffer>) context.stdout.write(chunk);
    else for await (const { output, data } of logFrames(stream)) (output === 'stderr' ? context.stderr : context.stdout).write(data);
    return undefined;
  },
};
