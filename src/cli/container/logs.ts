// `logs`: of a container; of a service or a task when no container has that name.
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { nodeFlag } from '../node-flags.ts';
import { findSource, logFlags, printLogs } from '../service/logs.ts';
import { segment } from '../shared/each.ts';
import { logFrames } from '../shared/log-stream.ts';
import { parseMoment } from '../values/moment.ts';
import { findContainer } from './find.ts';

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
    const container = await findContainer(client, reference).catch(unlessMissing);
    if (container instanceof AppError) {
      const source = await findSource(client, reference).catch(() => undefined);
      if (source !== undefined) return printLogs(invocation, client, source);
    }
    const moment = (name: string) => (flags.has(name) ? { [name]: parseMoment(flags.text(name), context.clock.now()) } : {});
    const id = container instanceof AppError ? reference : container.Id;
    // A daemon of ours keeps the log of a task's container that is gone.
    const stream = await client.stream('GET', `/containers/${segment(id)}/logs`, {
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
    const isTty = container instanceof AppError ? stream.headers['content-type'] === 'application/vnd.docker.raw-stream' : container.Config.Tty;
    if (isTty) for await (const chunk of stream as AsyncIterable<Buffer>) context.stdout.write(chunk);
    else for await (const { output, data } of logFrames(stream)) (output === 'stderr' ? context.stderr : context.stdout).write(data);
    return undefined;
  },
};

/** `error` itself where there is no such container. */
function unlessMissing(error: unknown): AppError {
  if (error instanceof AppError && error.code === 'notFound') return error;
  throw error;
}
