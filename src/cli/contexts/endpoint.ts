// `--docker host=…,ca=…` of `context create` and `context update`: where a context leads, and the TLS files that belong to it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonContext, TlsFile } from '#client/contexts.ts';
import { checkAddress } from '#client/where.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { FlagSpec } from '../command.ts';
import { fileReason } from '../shared/file-error.ts';

const TLS_KEYS: Readonly<Record<string, TlsFile>> = { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' };

export const dockerFlag: FlagSpec = {
  name: 'docker',
  type: 'stringToString',
  description: 'Set the endpoint: host=…, and for TLS ca=FILE,cert=FILE,key=FILE or skip-tls-verify=true',
};

/** `host=…,ca=…`: the values have no commas. */
export function settingsOf(text: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  for (const part of text === '' ? [] : text.split(',')) {
    const equals = part.indexOf('=');
    if (equals < 0) throw new AppError('invalidArgument', `invalid argument "${text}" for "--docker" flag: ${part} must be formatted as key=value`);
    const key = part.slice(0, equals);
    if (!['from', 'host', 'skip-tls-verify', ...Object.keys(TLS_KEYS)].includes(key))
      throw new AppError('invalidArgument', `unable to create docker endpoint config: unrecognized config key: ${key}`);
    settings.set(key, part.slice(equals + 1));
  }
  return settings;
}

/** Without a host, the daemon that is in use now. */
export function endpointOf(
  settings: ReadonlyMap<string, string>,
  where: () => { readonly address: string },
): NonNullable<DaemonContext['Endpoints']['docker']> {
  const skip = settings.get('skip-tls-verify') ?? 'false';
  if (!['true', 'false', '1', '0'].includes(skip))
    throw new AppError('invalidArgument', `unable to create docker endpoint config: skip-tls-verify: invalid syntax "${skip}"`);
  const host = settings.get('host') ?? where().address;
  return { Host: checked(host), SkipTLSVerify: skip === 'true' || skip === '1' };
}

function checked(host: string): string {
  try {
    return checkAddress(host);
  } catch (error) {
    throw new AppError('invalidArgument', `unable to create docker endpoint config: unable to apply docker endpoint options: ${errorMessage(error)}`);
  }
}

/** The files that the settings name, as they are kept. */
export function tlsOf(settings: ReadonlyMap<string, string>, directory: string): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const [key, file] of Object.entries(TLS_KEYS)) {
    const path = settings.get(key);
    if (path === undefined || path === '') continue;
    try {
      files.set(`docker/${file}`, readFileSync(path.startsWith('/') ? path : join(directory, path)));
    } catch (error) {
      throw new AppError('invalidArgument', `unable to create docker endpoint config: open ${path}: ${fileReason(error)}`, { cause: error });
    }
  }
  return files;
}
