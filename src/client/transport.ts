// The ways to a daemon: a unix socket, TCP, TCP with TLS, or a program that forwards (ssh). Addresses are written as Docker's.
import { spawn } from 'node:child_process';
import type { ClientRequest, RequestOptions } from 'node:http';
import { Agent } from '#lib/node-http.ts';
import { Duplex } from 'node:stream';
import { AppError, errorMessage } from '#lib/errors.ts';

export interface Transport {
  readonly address: string;
  readonly hostHeader: string;
  readonly requestOptions: RequestOptions;
  /** Present for TLS: makes the request instead of `node:http`. */
  readonly secure?: (options: RequestOptions) => ClientRequest;
  /** What a failed connection means, in Docker's words. */
  explain(cause: Error): AppError;
  close(): void;
}

export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** False: any certificate of the server will do. */
  readonly verify: boolean;
}

const MAX_PORT = 65_535;

/** Throws AppError `invalidArgument` when the address is none. */
export async function createTransport(address: string, tls?: TlsMaterial): Promise<Transport> {
  const unix = /^unix:\/\/(\/.+)$/.exec(address)?.[1];
  if (unix !== undefined) return overUnix(address, unix);
  const tcp = /^(tcp|https?):\/\/(\[[^\]]+\]|[^:/]+)(?::(\d+))?\/?$/.exec(address);
  if (tcp !== null) {
    if (Number(tcp[3] ?? 0) > MAX_PORT) throw new AppError('invalidArgument', `unable to parse docker host \`${address}\`: there is no port ${tcp[3]}`);
    const secured = tls ?? (tcp[1] === 'https' ? { verify: true } : undefined);
    return overTcp(address, { host: (tcp[2] ?? '').replaceAll(/[[\]]/g, ''), port: Number(tcp[3] ?? (secured === undefined ? 2375 : 2376)) }, secured);
  }
  if (address.startsWith('ssh://')) return overSsh(address);
  throw new AppError('invalidArgument', `unable to parse docker host \`${address}\``);
}

function overUnix(address: string, socketPath: string): Transport {
  const agent = new Agent({ keepAlive: true });
  return {
    address,
    hostHeader: 'docker',
    requestOptions: { socketPath, agent },
    explain: (cause) => (isPermission(cause) ? permissionDenied(address, cause) : cannotConnect(address, cause)),
    close: () => agent.destroy(),
  };
}

async function overTcp(address: string, peer: { readonly host: string; readonly port: number }, tls: TlsMaterial | undefined): Promise<Transport> {
  const hostHeader = `${peer.host.includes(':') ? `[${peer.host}]` : peer.host}:${peer.port}`;
  if (tls === undefined) {
    const agent = new Agent({ keepAlive: true });
    return {
      address,
      hostHeader,
      requestOptions: { ...peer, agent },
      explain: (cause) => cannotConnect(address, cause, isHangUp(cause) ? ': it hung up; does it want TLS (--tlsverify)?' : ''),
      close: () => agent.destroy(),
    };
  }
  const https = await import('node:https');
  const agent = new https.Agent({ keepAlive: true });
  const { ca, cert, key, verify } = tls;
  const certificates = { ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) };
  return {
    address,
    hostHeader,
    requestOptions: { ...peer },
    secure: (options) => https.request({ ...options, agent, ...certificates, rejectUnauthorized: verify }),
    explain: (cause) => cannotConnect(address, cause, `: ${tlsReason(cause)}`),
    close: () => agent.destroy(),
  };
}

/** Connections that are no sockets: what Node would set on a socket that it keeps does not exist on them. */
class StreamAgent extends Agent {
  override keepSocketAlive(): boolean {
    return true;
  }
  override reuseSocket(): void {}
}

/** Streams (logs, events) each hold one; sshd's own limit of sessions being set up is 10. */
const MAX_SSH_CONNECTIONS = 8;

/** Each connection is a process: `ssh user@host -- skep dial-stdio`, which forwards to the daemon's socket there. */
function overSsh(address: string): Transport {
  const url = parseSshAddress(address);
  const complaints: string[] = [];
  const agent = new StreamAgent({ keepAlive: true, maxSockets: MAX_SSH_CONNECTIONS });
  const children = new Set<() => void>();
  const connect = () => {
    const child = spawn('ssh', sshArguments(url), { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stderr.on('data', (chunk: Buffer) => complaints.push(chunk.toString()));
    const connection = Duplex.from({ writable: child.stdin, readable: child.stdout });
    child.on('error', (error) => connection.destroy(error));
    child.on('exit', (code) => {
      if (code !== 0 && code !== null) connection.destroy(new Error(`ssh ended with status ${code}`));
    });
    const end = () => child.kill();
    children.add(end);
    child.on('close', () => children.delete(end));
    return connection;
  };
  agent.createConnection = connect as never;
  return {
    address,
    hostHeader: 'docker',
    requestOptions: { agent },
    explain: (cause) =>
      new AppError('unavailable', `cannot reach the daemon through ${address}: ${complaints.join('').trim() || errorMessage(cause)}`, { cause }),
    close() {
      agent.destroy();
      for (const end of children) end();
    },
  };
}

export interface SshAddress {
  readonly host: string;
  readonly user?: string;
  readonly port?: string;
  /** The socket on the other side; absent: the one that `skep` there takes. */
  readonly path?: string;
}

export function parseSshAddress(address: string): SshAddress {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || url.hostname === '') throw new AppError('invalidArgument', `invalid ssh address ${address}: no host specified`);
  if (url.password !== '') throw new AppError('invalidArgument', `invalid ssh address: plain-text password is not supported`);
  if (url.hostname.startsWith('-') || url.username.startsWith('-')) throw new AppError('invalidArgument', `invalid ssh address ${address}`);
  return {
    host: url.hostname,
    ...(url.username === '' ? {} : { user: decodeURIComponent(url.username) }),
    ...(url.port === '' ? {} : { port: url.port }),
    ...(url.pathname === '' || url.pathname === '/' ? {} : { path: url.pathname }),
  };
}

export function sshArguments({ host, user, port, path }: SshAddress): readonly string[] {
  const remote = path === undefined ? ['skep', 'dial-stdio'] : ['skep', '--host', `unix://${path}`, 'dial-stdio'];
  return ['-o', 'ConnectTimeout=30', '-T', ...(user === undefined ? [] : ['-l', user]), ...(port === undefined ? [] : ['-p', port]), '--', host, ...remote];
}

function isHangUp(cause: Error): boolean {
  return 'code' in cause && (cause.code === 'ECONNRESET' || String(cause.code).startsWith('HPE_'));
}

/** OpenSSL's reason without the places in its sources. */
function tlsReason(cause: Error): string {
  return 'reason' in cause && typeof cause.reason === 'string' ? `tls: ${cause.reason}` : cause.message;
}

function isPermission(cause: Error): boolean {
  return 'code' in cause && cause.code === 'EACCES';
}

function permissionDenied(address: string, cause: Error): AppError {
  return new AppError('unavailable', `permission denied while trying to connect to the Docker daemon socket at ${address}: connect: permission denied`, {
    cause,
  });
}

/** No address for a name is not a daemon that does not run: whoever reads that looks in the wrong place. */
function cannotConnect(address: string, cause: Error, detail = ''): AppError {
  if ('code' in cause && (cause.code === 'ENOTFOUND' || cause.code === 'EAI_AGAIN') && 'hostname' in cause)
    return new AppError('unavailable', `error during connect: ${address}: lookup ${String(cause.hostname)}: no such host`, { cause });
  return new AppError('unavailable', `Cannot connect to the Docker daemon at ${address}. Is the docker daemon running?${detail}`, { cause });
}
