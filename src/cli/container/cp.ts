// `cp`: files and folders between a container and this machine, as tar archives both ways. The engine packs and unpacks on its side, the machine's tar on this one.
// Where something goes follows cp's rules: into a folder that is there, else under the name that was given.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Client } from '#client/client.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import type { CliContext } from '../context.ts';
import { nodeFlag } from '../node-flags.ts';
import { segment } from '../shared/each.ts';
import { containerRef } from './actions.ts';

/** Bits of Go's file modes. */
const GO_DIRECTORY = 2 ** 31;
const GO_SYMLINK = 2 ** 27;

export const command: CommandSpec = {
  usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tskep cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  arguments: { minimum: 2, maximum: 2 },
  flags: [
    { name: 'archive', short: 'a', description: 'Archive mode (copy all uid/gid information)' },
    { name: 'follow-link', short: 'L', description: 'Always follow symbol link in SRC_PATH' },
    nodeFlag,
    { name: 'quiet', short: 'q', description: 'Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached' },
  ],
  completes: 'container',
  async run(invocation) {
    const [source, destination] = invocation.args.map(placeOf);
    if (source === undefined || destination === undefined) return undefined;
    if (source.path === '') throw new AppError('invalidArgument', 'source can not be empty');
    if (destination.path === '') throw new AppError('invalidArgument', 'destination can not be empty');
    if (source.container !== undefined && destination.container !== undefined)
      throw new AppError('invalidArgument', 'copying between containers is not supported');
    if (source.container === undefined && destination.container === undefined)
      throw new AppError('invalidArgument', 'must specify at least one container source');
    const from = source.container ?? destination.container ?? '';
    const client = await invocation.client();
    const path = `/containers/${segment(await containerRef(client, from))}/archive`;
    if (source.container === undefined) await copyIn(invocation, client, path, source.path, destination.path);
    else await copyOut(invocation, client, path, source.path, destination.path);
    const { flags, context } = invocation;
    if (!flags.bool('quiet') && context.stderr.isTTY === true) context.stderr.write(`Successfully copied to ${invocation.args[1]}\n`);
    return undefined;
  },
};

interface Place {
  readonly container?: string;
  readonly path: string;
}

/** A path that begins with `/` or `.` is of this machine, whatever is in it. */
function placeOf(text: string): Place {
  const colon = text.indexOf(':');
  if (text.startsWith('/') || text.startsWith('.') || colon < 0) return { path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

interface RemoteFile {
  readonly name: string;
  readonly mode: number;
  readonly linkTarget: string;
}

/** Undefined when there is none. */
async function statOf(client: Client, path: string, file: string): Promise<RemoteFile | undefined> {
  try {
    const response = await client.stream('HEAD', path, { query: { path: file } });
    response.resume();
    return statIn(response.headers['x-docker-container-path-stat']);
  } catch (error) {
    // A missing container has no words in an answer without a body: the copy itself will have them.
    if (error instanceof AppError && error.code === 'notFound') return undefined;
    throw error;
  }
}

function statIn(header: string | readonly string[] | undefined): RemoteFile | undefined {
  return typeof header === 'string' ? (JSON.parse(Buffer.from(header, 'base64').toString()) as RemoteFile) : undefined;
}

const isFolder = ({ mode }: RemoteFile) => mode >= GO_DIRECTORY;
const isLink = ({ mode }: RemoteFile) => (mode & GO_SYMLINK) !== 0;
const endsAsFolder = (path: string) => path.endsWith('/') || path.endsWith('/.') || path === '.';
/** `a/.`: what is in it, and not itself. */
const isContents = (path: string) => path.endsWith('/.') || path === '.';

async function copyOut({ flags, context }: Invocation, client: Client, path: string, source: string, destination: string): Promise<void> {
  let file = source;
  const link = flags.bool('follow-link') ? await statOf(client, path, source) : undefined;
  if (link !== undefined && isLink(link)) file = resolve(dirname(source), link.linkTarget);
  const response = await client.stream('GET', path, { query: { path: file } });
  if (destination === '-') {
    for await (const chunk of response as AsyncIterable<Buffer>) context.stdout.write(chunk);
    return;
  }
  const found = statIn(response.headers['x-docker-container-path-stat']);
  const target = resolve(context.workingDirectory, destination);
  const there = await stat(target).catch(() => undefined);
  const folder = found !== undefined && isFolder(found);
  try {
    if (there === undefined && !folder && destination.endsWith('/')) throw new AppError('notFound', `no such directory: ${destination}`);
    if (there !== undefined && !there.isDirectory() && folder) throw new AppError('failedPrecondition', 'cannot copy directory');
    if (there !== undefined && !there.isDirectory() && destination.endsWith('/')) throw new AppError('failedPrecondition', 'not a directory');
    if ((await stat(dirname(target)).catch(() => undefined)) === undefined)
      throw new AppError('notFound', `invalid output path: directory "${dirname(target)}" does not exist`);
  } catch (error) {
    response.destroy();
    throw error;
  }
  const owners = flags.bool('archive') ? ['--same-owner'] : ['--no-same-owner'];
  // The archive holds one entry with all that is below it, named as its source.
  const packed = found?.name ?? basename(file);
  const into = there?.isDirectory() === true;
  const name = into && isContents(source) ? '.' : into ? (link === undefined ? packed : basename(source)) : basename(target);
  const tar = tarProcess(context, ['-x', '-C', into ? target : dirname(target), ...owners, ...renamed(packed === '/' ? '.' : packed, name)]);
  await Promise.all([pipeline(response, tar.child.stdin), tar.done]);
}

async function copyIn({ flags, context }: Invocation, client: Client, path: string, source: string, destination: string): Promise<void> {
  const there = await statOf(client, path, destination);
  const target = there !== undefined && isLink(there) ? resolve(dirname(destination), there.linkTarget) : destination;
  const resolved = there !== undefined && isLink(there) ? await statOf(client, path, target) : there;
  if (source === '-') {
    if (resolved !== undefined && !isFolder(resolved)) throw new AppError('failedPrecondition', `destination "${destination}" must be a directory`);
    await upload(client, path, { target, archive: flags.bool('archive'), source: Readable.from(context.stdin) });
    return;
  }
  const file = resolve(context.workingDirectory, source);
  const local = await stat(file).catch(() => undefined);
  if (local === undefined) throw new AppError('notFound', `lstat ${file}: no such file or directory`);
  if (!local.isDirectory() && endsAsFolder(source)) throw new AppError('failedPrecondition', 'not a directory');
  const into = resolved !== undefined && isFolder(resolved);
  if (resolved === undefined && !local.isDirectory() && endsAsFolder(destination)) throw new AppError('notFound', `no such directory: ${destination}`);
  if (resolved !== undefined && !into && local.isDirectory()) throw new AppError('failedPrecondition', 'cannot copy directory');
  if (resolved !== undefined && !into && endsAsFolder(destination)) throw new AppError('failedPrecondition', 'not a directory');
  const name = into && isContents(source) ? '.' : into ? basename(file) : basename(target);
  const owners = flags.bool('archive') ? [] : ['--owner=0', '--group=0'];
  const follow = flags.bool('follow-link') ? ['--dereference'] : [];
  const tar = tarProcess(context, ['-c', '-C', dirname(file), ...owners, ...follow, ...renamed(basename(file), name), '--', basename(file)]);
  tar.child.stdin.end();
  await Promise.all([upload(client, path, { target: into ? target : dirname(target), archive: flags.bool('archive'), source: tar.child.stdout }), tar.done]);
}

interface Upload {
  readonly target: string;
  readonly archive: boolean;
  readonly source: Readable;
}

async function upload(client: Client, path: string, { target, archive, source }: Upload): Promise<void> {
  const query = { path: target, noOverwriteDirNonDir: 'true', ...(archive ? { copyUIDGID: 'true' } : {}) };
  await client.call('PUT', path, { query, source });
}

/** The first part of each name in the archive becomes another; targets of symbolic links stay what they are. */
function renamed(from: string, to: string): readonly string[] {
  if (from === to) return [];
  const pattern = from.replaceAll(/[.*[\]^$\\|]/g, String.raw`\$&`);
  const replacement = to.replaceAll(/[&\\|]/g, String.raw`\$&`);
  return [`--transform=s|^${pattern}\\(/\\|$\\)|${replacement}\\1|S`];
}

function tarProcess({ workingDirectory }: CliContext, argv: readonly string[]) {
  const child = spawn('tar', [...argv], { cwd: workingDirectory, stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  // What it did not read is no error of its own.
  child.stdin.on('error', () => {});
  const done = (async () => {
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new AppError('unknown', complaint.trim() || `tar ended with ${code}`);
  })();
  done.catch(() => {});
  return { child, done };
}
