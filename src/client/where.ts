// Which daemon is meant: -H, --context, DOCKER_HOST, DOCKER_CONTEXT, the context in use, else skepd's socket; with the TLS files that belong to it.
// Precedence and wording are the docker CLI's.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, errorMessage } from '#lib/errors.ts';
import { contextFolders, readContext } from './contexts.ts';
import type { TlsMaterial } from './transport.ts';

export interface WhereOptions {
  readonly host?: string;
  readonly context?: string;
  readonly tls?: boolean;
  readonly tlsVerify?: boolean;
  readonly tlsCaFile?: string;
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
  /** Folder of the client's configuration, usually ~/.docker. */
  readonly configFolder: string;
  /** From config.json. */
  readonly currentContext?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface Where {
  readonly context: string;
  readonly address: string;
  readonly tls?: TlsMaterial;
}

export const DEFAULT_HOST = 'unix:///run/skep/skep.sock';

export function whereOf(options: WhereOptions): Where {
  if (options.host !== undefined && options.context !== undefined)
    throw new AppError('invalidArgument', 'conflicting options: cannot specify both --host and --context');
  const name = contextName(options);
  if (name !== 'default') return contextOf(options, name);
  const address = defaultAddress(options);
  const tls = tlsOfOptions(options);
  return { context: 'default', address, ...(tls === undefined ? {} : { tls }) };
}

/** The name of the context in use, whether there is one of that name or not. */
export function contextName({ host, context, environment, currentContext }: WhereOptions): string {
  if (context !== undefined) return context;
  if (host !== undefined || nonEmpty(environment['DOCKER_HOST']) !== undefined) return 'default';
  return nonEmpty(environment['DOCKER_CONTEXT']) ?? nonEmpty(currentContext) ?? 'default';
}

/** Where the context `default` leads. */
export function defaultAddress({ host, environment }: Pick<WhereOptions, 'host' | 'environment'>): string {
  return normalize(host ?? nonEmpty(environment['DOCKER_HOST']) ?? DEFAULT_HOST);
}

/** The address in full. Throws where there can be no way to it. */
export function checkAddress(host: string): string {
  const address = normalize(host);
  if (/^(unix:\/\/\/|tcp:\/\/[^/]|ssh:\/\/[^/])/.test(address)) return address;
  throw new AppError('invalidArgument', `unable to parse docker host \`${host}\``);
}

/** `host:port` and `:port` are TCP, as with docker, and what is left out is what it usually is. */
function normalize(written: string): string {
  const host = written.trim();
  if (host === '' || host === 'unix://') return DEFAULT_HOST;
  if (host === 'tcp://') return 'tcp://localhost:2375';
  if (host.includes('://')) return host;
  return host.startsWith('/') ? `unix://${host}` : `tcp://${host.startsWith(':') ? `localhost${host}` : host}`;
}

function tlsOfOptions({ tls, tlsVerify, tlsCaFile, tlsCertFile, tlsKeyFile, configFolder, environment }: WhereOptions): TlsMaterial | undefined {
  const verify = tlsVerify ?? nonEmpty(environment['DOCKER_TLS_VERIFY']) !== undefined;
  const wanted = verify || (tls ?? nonEmpty(environment['DOCKER_TLS']) !== undefined);
  if (!wanted) return undefined;
  const folder = nonEmpty(environment['DOCKER_CERT_PATH']) ?? configFolder;
  const ca = readIf(tlsCaFile ?? join(folder, 'ca.pem'), tlsCaFile !== undefined || verify);
  const cert = readIf(tlsCertFile ?? join(folder, 'cert.pem'), tlsCertFile !== undefined);
  const key = readIf(tlsKeyFile ?? join(folder, 'key.pem'), tlsKeyFile !== undefined);
  return material({ verify, ca, cert, key });
}

function contextOf({ configFolder }: WhereOptions, name: string): Where {
  const endpoint = readContext(configFolder, name).Endpoints.docker;
  const address = endpoint?.Host;
  if (address === undefined || address === '') throw new AppError('invalidArgument', `context "${name}" has no Docker endpoint`);
  const folder = join(contextFolders(configFolder, name).tls, 'docker');
  if (!existsSync(folder) && !endpoint?.SkipTLSVerify) return { context: name, address };
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((base) => readIf(join(folder, base), false));
  return { context: name, address, tls: material({ verify: !endpoint?.SkipTLSVerify, ca, cert, key }) };
}

function material({ verify, ca, cert, key }: { verify: boolean; ca: string | undefined; cert: string | undefined; key: string | undefined }): TlsMaterial {
  return { verify, ...(ca === undefined ? {} : { ca }), ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) };
}

function readIf(file: string, mustExist: boolean): string | undefined {
  if (!mustExist && !existsSync(file)) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error && error.code === 'ENOENT' ? `open ${file}: no such file or directory` : errorMessage(error);
    throw new AppError('invalidArgument', `failed to read TLS material: ${why}`, { cause: error });
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
