// Where the API listens: unix sockets with a group, TCP with or without TLS, written as dockerd's -H does.
import { lstat, readFile, unlink, chmod, chown } from 'node:fs/promises';
import { connect, createServer as createNetServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { AppError, errorMessage } from '#lib/errors.ts';
import { type Handshakes, limitHandshakes } from '#lib/handshakes.ts';
import { listening } from '#lib/listen.ts';

export interface ServerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Authority that clients' certificates must be signed by; with `verify` (`--tlsverify`). */
  readonly ca?: Buffer;
  readonly verify: boolean;
}

export type HostSpec =
  | { readonly kind: 'unix'; readonly path: string; readonly group?: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: ServerTls };

/** The TLS ports that dockerd uses when none is given. */
const DEFAULT_TCP_PORT = 2375;
const DEFAULT_TLS_PORT = 2376;
/** Until its handshake is over nobody knows who calls. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
const HANDSHAKES = { total: 1_000, perPlace: 100 };

/** `unix:///run/skep.sock`, `tcp://0.0.0.0:2376`, or `0.0.0.0:2376`, which dockerd takes for TCP. Throws AppError `invalidArgument` for anything else. */
export function parseHost(text: string, options: { readonly group?: string; readonly tls?: ServerTls } = {}): HostSpec {
  const unix = /^unix:\/\/(\/.+)$/.exec(text);
  if (unix?.[1]) return { kind: 'unix', path: unix[1], ...(options.group === undefined ? {} : { group: options.group }) };
  const tcp = /^tcp:\/\/(\[[^\]]+\]|[^:/]*)(?::(\d+))?\/?$/.exec(text) ?? /^(\[[^\]]+\]|[^:/]*):(\d+)$/.exec(text);
  if (!tcp) throw new AppError('invalidArgument', `invalid host "${text}": use unix:///path or tcp://address:port`);
  const host = (tcp[1] ?? '').replace(/^\[|\]$/g, '') || '127.0.0.1';
  const port = Number(tcp[2] ?? (options.tls ? DEFAULT_TLS_PORT : DEFAULT_TCP_PORT));
  return { kind: 'tcp', host, port, ...(options.tls ? { tls: options.tls } : {}) };
}

const EXPOSED = `
         Access to the remote API is equivalent to root access on the host. Refer
         to the 'Docker daemon attack surface' section in the documentation for
         more information: https://docs.docker.com/go/attack-surface/`;

/** What `docker info` says about an address whose API anybody may use who reaches it, in Docker's words; undefined when nobody can. */
export function exposureWarning(host: HostSpec): string | undefined {
  if (host.kind !== 'tcp' || host.tls?.verify) return undefined;
  const address = `${host.host.includes(':') ? `[${host.host}]` : host.host}:${host.port}`;
  if (host.tls === undefined) return `WARNING: API is accessible on http://${address} without encryption.${EXPOSED}`;
  return `WARNING: API is accessible on https://${address} without TLS client verification.${EXPOSED}`;
}

export interface Listener {
  readonly server: Server;
  /** As a user would write it. */
  readonly address: string;
  /** Connections that nobody was called back for yet. */
  readonly handshakes: Handshakes;
}

/** Listens and calls back for every connection, after its TLS handshake. */
export async function listenOn(host: HostSpec, onConnection: (socket: Socket) => void): Promise<Listener> {
  const { server, handshakes } = createListener(host, onConnection);
  if (host.kind === 'tcp') {
    await listen(server, { host: host.host, port: host.port }, `tcp ${host.host}:${host.port}`);
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : host.port;
    return { server, handshakes, address: `tcp://${host.host.includes(':') ? `[${host.host}]` : host.host}:${port}` };
  }
  const gid = host.group === undefined ? undefined : await findGroup(host.group);
  await removeStaleSocket(host.path);
  await listen(server, { path: host.path }, `unix ${host.path}`);
  // Until the mode is set only root may connect: the umask never gives others the write permission that connecting needs.
  if (gid !== undefined) await chown(host.path, 0, gid);
  await chmod(host.path, 0o660);
  return { server, handshakes, address: `unix://${host.path}` };
}

function createListener(host: HostSpec, onConnection: (socket: Socket) => void): Pick<Listener, 'server' | 'handshakes'> {
  if (host.kind === 'unix' || host.tls === undefined)
    return { server: createNetServer({ allowHalfOpen: true, noDelay: true }, onConnection), handshakes: { end() {} } };
  const { verify, ...material } = host.tls;
  // Half-open matters: a client that has sent all its input still reads output.
  const server = createTlsServer(
    {
      ...material,
      allowHalfOpen: true,
      noDelay: true,
      requestCert: verify,
      rejectUnauthorized: verify,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    },
    onConnection,
  );
  return { server, handshakes: limitHandshakes(server, HANDSHAKES) };
}

async function listen(server: Server, target: { readonly path: string } | { readonly host: string; readonly port: number }, what: string): Promise<void> {
  await listening(server, (done) => server.listen(target, done)).catch((cause: unknown) => {
    throw new AppError('unavailable', `cannot listen on ${what}: ${errorMessage(cause)}`, { cause });
  });
}

/** A socket file that nobody answers on is left over from a crash. Throws when somebody does, or when the path is something else. */
async function removeStaleSocket(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined) return;
  if (!stats.isSocket()) throw new AppError('conflict', `cannot listen on unix ${path}: the path exists and is no socket`);
  if (await answers(path)) throw new AppError('conflict', `cannot listen on unix ${path}: another process is listening there`);
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
  });
}

async function findGroup(group: string): Promise<number> {
  if (/^\d+$/.test(group)) return Number(group);
  const groups = await readFile('/etc/group', 'utf8');
  const gid = groups
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === group)?.[2];
  if (gid === undefined) throw new AppError('invalidArgument', `group ${group} does not exist: make it, or give another with --group`);
  return Number(gid);
}
