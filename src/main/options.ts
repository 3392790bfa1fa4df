// What skepd can be told: on the command line, in the environment, in a file; in this order of precedence. One table, so that the three agree.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import type * as Yaml from 'yaml';
import { DEFAULT_KEPT_LOG_LIMITS, type KeptLogLimits } from '#engine/kept-log-limits.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { type LogLevel, logLevels } from '#platform/log.ts';
import { age, bytes, interval, snapshotCount, stateDirectory } from './option-values.ts';
import type { SnapshotOptions } from './snapshots.ts';

export interface TlsFiles {
  readonly verify: boolean;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

export interface DaemonOptions {
  /** unix:///path or tcp://host:port, at least one. */
  readonly hosts: readonly string[];
  /** Group name or id of our unix sockets. */
  readonly group: string;
  /** Address of the container engine; empty: look for one. */
  readonly engine: string;
  readonly stateDirectory: string;
  readonly hostname: string;
  /** Defaults for `swarm init` and `swarm join`; empty: what the client says. */
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
  readonly dataPathPort: number;
  readonly defaultAddrPools: readonly string[];
  readonly snapshots: SnapshotOptions;
  /** Certificate and key that are shown to an external CA; empty: the manager's own. */
  readonly externalCaCert: string;
  readonly externalCaKey: string;
  readonly logLevel: LogLevel;
  /** How much is kept of the logs of tasks whose containers are gone. */
  readonly keptLogs: KeptLogLimits;
  readonly tls?: TlsFiles;
}

export const DEFAULT_HOST = 'unix:///run/skep/skep.sock';
export const DEFAULT_STATE_DIRECTORY = '/var/lib/skep';
export const DEFAULT_CONFIG_FILE = '/etc/skep/skepd.yaml';
const DEFAULT_SNAPSHOT_INTERVAL_MS = 12 * 3_600_000;
const DEFAULT_SNAPSHOT_KEEP = 5;
const CERTIFICATE_FOLDER = '/etc/skep/tls';

interface RawOptions {
  host?: string[];
  group?: string;
  engine?: string;
  stateDir?: string;
  hostname?: string;
  listenAddr?: string;
  advertiseAddr?: string;
  dataPathAddr?: string;
  dataPathPort?: number;
  defaultAddrPool?: string[];
  snapshotInterval?: number;
  snapshotKeep?: number;
  externalCaCert?: string;
  externalCaKey?: string;
  logLevel?: LogLevel;
  keptLogSize?: number;
  keptLogsTotal?: number;
  keptLogsAge?: number;
  tls?: boolean;
  tlsverify?: boolean;
  tlscacert?: string;
  tlscert?: string;
  tlskey?: string;
  configFile?: string;
}

const collect = (value: string, previous: string[] | undefined) => [...(previous ?? []), ...value.split(',').filter((part) => part !== '')];

function integer(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 65_535) throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
  return number;
}

/** Every option once; the environment variable of `--data-path-port` is SKEP_DATA_PATH_PORT and so on. */
export const optionTable = [
  new Option('-H, --host <address>', 'where to serve the API: unix:///path or tcp://host:port; may be given several times').argParser(collect),
  new Option('-G, --group <group>', 'group of the unix sockets'),
  new Option('--engine <address>', 'the container engine: unix:///path or tcp://host:port; default: DOCKER_HOST or the usual sockets'),
  new Option('--state-dir <path>', `where this daemon keeps its state (default: ${DEFAULT_STATE_DIRECTORY})`),
  new Option('--hostname <name>', "the node's name (default: the machine's)"),
  new Option('--listen-addr <address>', 'address or interface that managers listen on, with optional port'),
  new Option('--advertise-addr <address>', 'address or interface that is told to other nodes, with optional port'),
  new Option('--data-path-addr <address>', 'address or interface for the traffic between containers'),
  new Option('--data-path-port <port>', 'UDP port for the traffic between containers (default: 4789)').argParser(integer),
  new Option('--default-addr-pool <cidr>', 'pool that subnets of overlay networks come from; may be given several times').argParser(collect),
  new Option('--snapshot-interval <duration>', "how often a manager keeps a snapshot of the swarm's state on its disk; 0 for never (default: 12h)").argParser(
    interval,
  ),
  new Option('--snapshot-keep <number>', 'how many snapshots are kept (default: 5)').argParser(snapshotCount),
  new Option('--kept-log-size <bytes>', 'how much of the log of a task is kept when its container is removed; 0: nothing (default: 1m)').argParser(bytes),
  new Option('--kept-logs-total <bytes>', 'how much is kept of such logs on this node (default: 256m)').argParser(bytes),
  new Option('--kept-logs-age <duration>', 'how long such logs are kept, for example 12h or 30d (default: 7d)').argParser(age),
  new Option('--external-ca-cert <file>', "certificate that external CAs are shown (default: the manager's own)"),
  new Option('--external-ca-key <file>', 'its key'),
  new Option('--log-level <level>', 'how much is logged').choices(logLevels),
  new Option('--tls', 'use TLS on tcp:// hosts'),
  new Option('--tlsverify', 'use TLS on tcp:// hosts and demand a certificate of every client'),
  new Option('--tlscacert <file>', 'certificate authority that clients must be signed by'),
  new Option('--tlscert <file>', "the server's certificate"),
  new Option('--tlskey <file>', "the server's key"),
  new Option('--config-file <file>', `YAML or JSON with the same names (default: ${DEFAULT_CONFIG_FILE}, if it is there)`),
].map((option) =>
  option.env(
    `SKEP_${option
      .attributeName()
      .replaceAll(/[A-Z]/g, (letter) => `_${letter}`)
      .toUpperCase()}`,
  ),
);

/** Parses the arguments after the program's name. Prints help or the version and ends the process when asked to. Throws AppError on bad input. */
export function readOptions(argv: readonly string[], version: string): DaemonOptions {
  const command = new Command('skepd').description('Skep: swarm mode for any Docker-compatible engine').version(`skepd version ${version}`, '-v, --version');
  for (const option of optionTable) command.addOption(option);
  command.allowExcessArguments(false).parse([...argv], { from: 'user' });
  const given = command.opts<RawOptions>();
  return complete({ ...readConfigFile(given.configFile), ...given });
}

function complete(raw: RawOptions): DaemonOptions {
  const hosts = raw.host ?? [DEFAULT_HOST];
  const tls = tlsFiles(raw);
  return {
    hosts,
    group: raw.group ?? '',
    engine: raw.engine ?? '',
    stateDirectory: stateDirectory(raw.stateDir ?? DEFAULT_STATE_DIRECTORY),
    hostname: raw.hostname ?? hostname(),
    listenAddr: raw.listenAddr ?? '',
    advertiseAddr: raw.advertiseAddr ?? '',
    dataPathAddr: raw.dataPathAddr ?? '',
    dataPathPort: raw.dataPathPort ?? 0,
    defaultAddrPools: raw.defaultAddrPool ?? [],
    snapshots: { intervalMs: raw.snapshotInterval ?? DEFAULT_SNAPSHOT_INTERVAL_MS, keep: raw.snapshotKeep ?? DEFAULT_SNAPSHOT_KEEP },
    externalCaCert: raw.externalCaCert ?? '',
    externalCaKey: raw.externalCaKey ?? '',
    logLevel: raw.logLevel ?? 'info',
    keptLogs: {
      taskBytes: raw.keptLogSize ?? DEFAULT_KEPT_LOG_LIMITS.taskBytes,
      totalBytes: raw.keptLogsTotal ?? DEFAULT_KEPT_LOG_LIMITS.totalBytes,
      maxAgeMs: raw.keptLogsAge ?? DEFAULT_KEPT_LOG_LIMITS.maxAgeMs,
    },
    ...(tls === undefined ? {} : { tls }),
  };
}

function tlsFiles(raw: RawOptions): TlsFiles | undefined {
  if (!raw.tls && !raw.tlsverify) return undefined;
  return {
    verify: raw.tlsverify ?? false,
    caFile: raw.tlscacert ?? `${CERTIFICATE_FOLDER}/ca.pem`,
    certFile: raw.tlscert ?? `${CERTIFICATE_FOLDER}/cert.pem`,
    keyFile: raw.tlskey ?? `${CERTIFICATE_FOLDER}/key.pem`,
  };
}

/** The file's values by option name, in either spelling: `data-path-port` or `dataPathPort`. */
function readConfigFile(asked: string | undefined): RawOptions {
  const path = asked ?? DEFAULT_CONFIG_FILE;
  if (asked === undefined && !existsSync(path)) return {};
  let values: unknown;
  try {
    // Loaded only where there is a file: the library takes 5 MB, and a daemon runs for months.
    const { parse: parseYaml } = createRequire(import.meta.url)('yaml') as typeof Yaml;
    values = parseYaml(readFileSync(path, 'utf8')) ?? {};
  } catch (error) {
    throw new AppError('invalidArgument', `cannot read the configuration file ${path}: ${errorMessage(error)}`, { cause: error });
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) throw new AppError('invalidArgument', `${path} must hold names and values`);
  return Object.fromEntries(Object.entries(values).map(([name, value]) => fileEntry(path, name, value)));
}

function fileEntry(path: string, name: string, value: unknown): [string, unknown] {
  const option = optionTable.find((candidate) => [candidate.name(), candidate.attributeName()].includes(name) && name !== 'config-file');
  if (option === undefined) throw new AppError('invalidArgument', `${path}: unknown option ${name}`);
  const isList = option.attributeName() === 'host' || option.attributeName() === 'defaultAddrPool';
  if (isList) return [option.attributeName(), [value].flat().map(String)];
  if (option.isBoolean()) {
    if (typeof value !== 'boolean') throw new AppError('invalidArgument', `${path}: ${name} must be true or false`);
    return [option.attributeName(), value];
  }
  if (typeof value !== 'string' && typeof value !== 'number') throw new AppError('invalidArgument', `${path}: ${name} must be one value`);
  if (option.argChoices && !option.argChoices.includes(String(value)))
    throw new AppError('invalidArgument', `${path}: ${name} must be one of ${option.argChoices.join(', ')}`);
  return [option.attributeName(), parsed(path, option, String(value))];
}

/** As on the command line. */
function parsed(path: string, option: Option, value: string): unknown {
  if (option.parseArg === undefined) return value;
  try {
    return option.parseArg(value, undefined);
  } catch (error) {
    throw new AppError('invalidArgument', `${path}: ${option.name()} is ${JSON.stringify(value)}. ${errorMessage(error)}`, { cause: error });
  }
}
