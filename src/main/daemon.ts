// The daemon: reads its options, takes its state directory, serves the API, and takes up its place in the swarm. Composition only.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { createEngineConnection } from '#engine-link/link.ts';
import { type HostSpec, parseHost, type ServerTls } from '#api/hosts.ts';
import { swarmRoutes } from '#api/routes/index.ts';
import { createApiServer } from '#api/server.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { ownLevel } from '#protocol/level.ts';
import { systemClock, systemRandom } from '#platform/clock.ts';
import { ensurePrivateDirectory, writeFileAtomically } from '#platform/files.ts';
import { systemInterfaces } from '#platform/interfaces.ts';
import { createLogger } from '#platform/log.ts';
import { collectWhenQuiet } from '#platform/quiet-memory.ts';
import { lockStateDirectory } from '#platform/state-lock.ts';
import { createContainerNetworks } from './container-networks.ts';
import { engineTls, findEngine } from './engine-address.ts';
import { createMembership } from './membership.ts';
import { createNodeFactory } from './node-runtime.ts';
import { type DaemonOptions, readOptions, type TlsFiles } from './options.ts';
import { createStateDirectory } from './state-directory.ts';
import { gitCommit, skepVersion } from './version.ts';
import { createWorkerFactory } from './worker.ts';

/** Group of our sockets when nobody names one and it exists, as with dockerd. */
const DEFAULT_GROUP = 'docker';
/** As long as dockerd waits for its part of the swarm before it answers at all. */
const SETTLING_MS = 20_000;

/** Resolves when the daemon serves and has taken up its place; it ends with a signal. */
export async function runDaemon(argv: readonly string[]): Promise<void> {
  const options = readOptions(argv, skepVersion);
  const log = createLogger({ level: options.logLevel, name: 'skepd' });
  const hosts = hostsOf(options, log);
  const engineAddress = findEngine(options.engine, options.hosts, process.env);
  ensurePrivateDirectory(options.stateDirectory);
  const lock = lockStateDirectory(options.stateDirectory);
  const directory = createStateDirectory(options.stateDirectory);
  writeFileAtomically(directory.pidFile, `${process.pid}\n`);

  const tls = engineTls(engineAddress, process.env);
  const engine = createEngineConnection({ address: engineAddress, ...(tls === undefined ? {} : { tls }), clock: systemClock });
  // A test plays a newer daemon with this.
  const level = ownLevel(process.env['SKEP_TEST_LEVEL']);
  const createWorker = createWorkerFactory({ engine, options, directory, daemon: { version: skepVersion, level }, clock: systemClock, log });
  const nodes = createNodeFactory({
    directory,
    createWorker,
    level,
    snapshots: options.snapshots,
    externalIdentity: () => externalIdentity(options),
    clock: systemClock,
    random: systemRandom,
    log,
  });
  const membership = createMembership({
    directory,
    nodes,
    interfaces: systemInterfaces,
    engineAnswers: () => engine.facts(),
    defaults: options,
    clock: systemClock,
    random: systemRandom,
    log,
  });
  const settled = Promise.withResolvers<void>();
  const server = createApiServer({
    membership,
    engine,
    settled: settled.promise,
    routes: swarmRoutes,
    log,
    clock: systemClock,
    identity: { version: skepVersion, gitCommit: gitCommit() },
    engineOf(nodeId) {
      const engines = membership.engines();
      if (engines === undefined) throw new AppError('unavailable', 'only a manager reaches the engines of other nodes');
      return engines.linkTo(nodeId);
    },
    containerNetworks: createContainerNetworks({ membership, engine, clock: systemClock, dnsAddress: () => membership.dnsAddress() }),
  });
  stopOnSignals(async () => {
    await server.close();
    await membership.stop();
    engine.close();
    rmSync(directory.pidFile, { force: true });
    lock.release();
  }, log);
  for (const host of hosts) {
    if (host.kind === 'unix') mkdirSync(dirname(host.path), { recursive: true });
    const { address } = await server.listen(host);
    log.info({ address, engine: engineAddress, version: skepVersion }, 'the API is served');
  }
  collectWhenQuiet(systemClock);
  const cancel = systemClock.schedule(SETTLING_MS, settled.resolve);
  try {
    await membership.resume();
  } finally {
    cancel();
    settled.resolve();
  }
}

function hostsOf({ hosts, group, tls }: DaemonOptions, log: Logger): readonly HostSpec[] {
  const chosen = group !== '' ? group : hasGroup(DEFAULT_GROUP) ? DEFAULT_GROUP : undefined;
  const serverTls = tls === undefined ? undefined : readTls(tls);
  return hosts.map((text) => {
    const host = parseHost(text, { ...(chosen === undefined ? {} : { group: chosen }), ...(serverTls === undefined ? {} : { tls: serverTls }) });
    if (host.kind === 'tcp' && host.tls?.verify !== true && !/^(127\.|localhost$|::1$)/.test(host.host))
      log.warn({ address: text }, 'whoever reaches this address is root on this machine: use --tlsverify');
    return host;
  });
}

/** Read anew each time: such certificates are renewed, too. */
function externalIdentity({ externalCaCert, externalCaKey }: DaemonOptions) {
  if (externalCaCert === '' || externalCaKey === '') return undefined;
  return { certificate: readGiven(externalCaCert).toString(), key: readGiven(externalCaKey).toString() };
}

function readGiven(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new AppError('invalidArgument', `cannot read ${file}: ${errorMessage(error)}`, { cause: error });
  }
}

function readTls({ verify, caFile, certFile, keyFile }: TlsFiles): ServerTls {
  return { cert: readGiven(certFile), key: readGiven(keyFile), verify, ...(verify || existsSync(caFile) ? { ca: readGiven(caFile) } : {}) };
}

function hasGroup(name: string): boolean {
  return (
    existsSync('/etc/group') &&
    readFileSync('/etc/group', 'utf8')
      .split('\n')
      .some((line) => line.startsWith(`${name}:`))
  );
}

/** The first signal stops in order; the second one at once. */
function stopOnSignals(stop: () => Promise<void>, log: Logger): void {
  // dockerd reads its configuration anew at this signal, and the terminal that we were started from may go.
  process.on('SIGHUP', () => log.info({}, 'there is nothing to read anew'));
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      log.info({ signal }, 'stopping; containers go on');
      stop().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ error: errorMessage(error) }, 'could not stop in order');
          process.exit(1);
        },
      );
    });
  }
}
