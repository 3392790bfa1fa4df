// `context create`: a name for a daemon elsewhere, kept where the docker CLI keeps its own.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkContextName,
  contextFolders,
  type DaemonContext,
  listContexts,
  readContext,
  TLS_FILES,
  type TlsFile,
  tlsFilesOf,
  writeContext,
} from '#client/contexts.ts';
import { checkAddress } from '#client/where.ts';
import { AppError } from '#lib/errors.ts';
import { type CommandSpec, type Invocation } from '../command.ts';

const TLS_KEYS: Readonly<Record<string, TlsFile>> = { ca: 'ca.pem', cert: 'cert.pem', key: 'key.pem' };

export const command: CommandSpec = {
  usage: '[OPTIONS] CONTEXT',
  arguments: { minimum: 1, maximum: 1 },
  flags: [
    { name: 'description', type: 'string', description: 'Description of the context' },
    { name: 'docker', type: 'stringToString', description: 'Set the endpoint: host=…, and for TLS ca=FILE,cert=FILE,key=FILE or skip-tls-verify=true' },
    { name: 'from', type: 'string', description: 'Create context from a named context' },
  ],
  async run(invocation) {
    const { args, flags, context, config } = invocation;
    const [name = ''] = args;
    checkContextName(name);
    if (listContexts(config.folder).some(({ Name }) => Name === name)) throw new AppError('alreadyExists', `context "${name}" already exists`);
    const settings = settingsOf(flags.text('docker'));
    const from = flags.text('from') || settings.get('from');
    const base = from === undefined ? undefined : readContext(config.folder, from);
    const description = flags.text('description') || base?.Metadata.Description;
    const made: DaemonContext = {
      Name: name,
      Metadata: description ? { Description: description } : {},
      Endpoints: {
        docker: settings.has('host') || base === undefined ? endpointOf(settings, invocation) : (base.Endpoints.docker ?? { SkipTLSVerify: false }),
      },
    };
    writeContext(config.folder, made, settings.has('host') || from === undefined ? tlsOf(settings, context.workingDirectory) : copiedTls(config.folder, from));
    context.stdout.write(`${name}\n`);
    context.stderr.write(`Successfully created context "${name}"\n`);
    return undefined;
  },
};

/** `host=…,ca=…`: the values have no commas. */
function settingsOf(text: string): ReadonlyMap<string, string> {
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
function endpointOf(settings: ReadonlyMap<string, string>, { where }: Invocation): NonNullable<DaemonContext['Endpoints']['docker']> {
  const skip = settings.get('skip-tls-verify') ?? 'false';
  if (!['true', 'false', '1', '0'].includes(skip))
    throw new AppError('invalidArgument', `unable to create docker endpoint config: skip-tls-verify: invalid syntax "${skip}"`);
  const host = settings.get('host') ?? where.address;
  return { Host: checkAddress(host), SkipTLSVerify: skip === 'true' || skip === '1' };
}

function tlsOf(settings: ReadonlyMap<string, string>, directory: string): ReadonlyMap<TlsFile, Uint8Array> {
  const files = new Map<TlsFile, Uint8Array>();
  for (const [key, file] of Object.entries(TLS_KEYS)) {
    const path = settings.get(key);
    if (path === undefined || path === '') continue;
    try {
      files.set(file, readFileSync(path.startsWith('/') ? path : join(directory, path)));
    } catch (error) {
      throw new AppError('invalidArgument', `unable to create docker endpoint config: open ${path}: no such file or directory`, { cause: error });
    }
  }
  return files;
}

function copiedTls(folder: string, from: string): ReadonlyMap<TlsFile, Uint8Array> {
  const { tls } = contextFolders(folder, from);
  return new Map(TLS_FILES.filter((file) => tlsFilesOf(folder, from).includes(file)).map((file) => [file, readFileSync(join(tls, 'docker', file))]));
}
