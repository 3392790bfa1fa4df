// `attach`: the streams of a container's own process. Ctrl-C goes to the process, as with docker; a terminal leaves it behind with the detach keys.
import { AppError } from '#lib/errors.ts';
import type { Client } from '#client/client.ts';
import type { CommandSpec } from '../command.ts';
import type { CliContext } from '../context.ts';
import { nodeFlag } from '../node-flags.ts';
import { segment } from '../shared/each.ts';
import { findContainer } from './find.ts';
import { joinStreams } from './streams.ts';

interface Inspected {
  readonly State: { readonly Running: boolean; readonly Paused: boolean; readonly Restarting: boolean };
  readonly Config: { readonly Tty: boolean; readonly OpenStdin: boolean };
}

/** Between the end of a process's streams and its own. */
const END_PATIENCE_MS = 1_000;

export const command: CommandSpec = {
  usage: '[OPTIONS] CONTAINER',
  arguments: { minimum: 1, maximum: 1 },
  flags: [
    { name: 'detach-keys', type: 'string', description: 'Override the key sequence for detaching a container' },
    { name: 'no-stdin', description: 'Do not attach STDIN' },
    nodeFlag,
    { name: 'sig-proxy', description: 'Proxy all received signals to the process', default: 'true' },
  ],
  completes: 'container',
  async run({ flags, args, context, client: clientOf }) {
    const [reference = ''] = args;
    const client = await clientOf();
    const { Id } = await findContainer(client, reference);
    const path = `/containers/${segment(Id)}`;
    const { State, Config } = await client.call<Inspected>('GET', `${path}/json`);
    if (!State.Running) throw new AppError('failedPrecondition', 'You cannot attach to a stopped container, start it first');
    if (State.Paused) throw new AppError('failedPrecondition', 'You cannot attach to a paused container, unpause it first');
    if (State.Restarting) throw new AppError('failedPrecondition', 'You cannot attach to a restarting container, wait until it is running');
    const input = !flags.bool('no-stdin') && Config.OpenStdin;
    if (input && Config.Tty && !context.stdin.isTTY) throw new AppError('invalidArgument', 'the input device is not a TTY');
    const keys = flags.has('detach-keys') ? { detachKeys: flags.text('detach-keys') } : {};
    const proxied = !flags.has('sig-proxy') || flags.bool('sig-proxy');
    return followContainer(client, context, { id: Id, tty: Config.Tty, output: true, input, proxied, ...keys });
  },
};

export interface Followed {
  readonly id: string;
  readonly tty: boolean;
  readonly output: boolean;
  readonly input: boolean;
  /** Ctrl-C is the process's. */
  readonly proxied: boolean;
  readonly detachKeys?: string;
  /** Starts the container, once its streams are ours. */
  readonly begin?: () => Promise<unknown>;
}

/** Joins the streams of a container's process to the program's own, until the process ends or is left behind. Resolves with its exit code, 0 if it goes on. */
export async function followContainer(client: Client, context: CliContext, { id, tty, output, input, proxied, detachKeys, begin }: Followed): Promise<number> {
  const path = `/containers/${segment(id)}`;
  const query = {
    stream: 1,
    ...(output ? { stdout: 1, stderr: 1 } : {}),
    ...(input ? { stdin: 1 } : {}),
    ...(detachKeys === undefined ? {} : { detachKeys }),
  };
  const { connection, head } = await client.upgrade(`${path}/attach`, { query });
  const restore =
    proxied && !tty ? context.onInterrupt(() => void client.call('POST', `${path}/kill`, { query: { signal: 'INT' } }).catch(() => {})) : () => {};
  const gone = new AbortController();
  const waited = begin === undefined ? {} : { query: { condition: 'next-exit' } };
  const exitCode = client.call<{ StatusCode: number }>('POST', `${path}/wait`, { ...waited, signal: gone.signal }).then(
    ({ StatusCode }) => StatusCode,
    () => 0,
  );
  try {
    const resize = (w: number, h: number) => client.call('POST', `${path}/resize`, { query: { w, h } });
    const joined = joinStreams(context, { connection, head, tty, input, resize });
    await begin?.();
    await joined;
  } finally {
    restore();
  }
  // The streams of a process end a moment before it does; whoever detached leaves it running.
  const code = await Promise.race([exitCode, context.clock.sleep(END_PATIENCE_MS).then(() => 0)]);
  gone.abort();
  return code;
}
