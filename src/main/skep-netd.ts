// Entry point of skep-netd, the node's data plane. skepd starts it (network/client.ts) and it outlives skepd; nobody calls it by hand, but
// `--destroy` removes what a killed skepd has left on the machine.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadCompiled } from './compile-cache.ts';

// As skepd does.
process.umask(process.umask() | 0o022);

const { collectWhenQuiet, createLogFile, errorMessage, lockStateDirectory, LOG_FILE, startNetd, systemClock } = await loadCompiled(
  import.meta.filename,
  () => import('./netd-parts.ts'),
  [() => import('#network/client.ts')],
);
const { values } = parseArgs({
  options: {
    'state-dir': { type: 'string' },
    'plugin-dir': { type: 'string', default: '/run/docker/plugins' },
    'data-path-port': { type: 'string', default: '4789' },
    'encryption-port': { type: 'string' },
    'log-level': { type: 'string', default: 'info' },
    'own-gateway': { type: 'boolean', default: false },
    destroy: { type: 'boolean', default: false },
  },
});
const stateDirectory = values['state-dir'];
if (stateDirectory === undefined) {
  console.error('skep-netd: --state-dir is missing');
  process.exit(2);
}
const directory = join(stateDirectory, 'network');
mkdirSync(directory, { recursive: true, mode: 0o700 });

const level = values['log-level'] === 'debug' ? 'debug' : 'info';
const log = createLogFile({ path: join(stateDirectory, LOG_FILE), clock: systemClock, level });
const settings = {
  pluginDirectory: values['plugin-dir'],
  dataPathPort: Number(values['data-path-port']),
  ...(values['encryption-port'] === undefined ? {} : { encryptionPort: Number(values['encryption-port']) }),
  ...(values['own-gateway'] ? { ownGateway: true as const } : {}),
};
try {
  if (values.destroy) {
    // Whether one runs or not: the client starts what is missing, and the one that runs then removes everything and ends.
    const { createDataPlane } = await import('#network/client.ts');
    const netdCommand = [process.execPath, ...process.execArgv, import.meta.filename];
    const dataPlane = await createDataPlane({ stateDirectory, netdCommand, settings, clock: systemClock, log });
    await dataPlane.destroy(new AbortController().signal);
    process.exit(0);
  }
  const lock = lockStateDirectory(directory);
  const netd = await startNetd({ stateDirectory, settings, clock: systemClock, log });
  collectWhenQuiet(systemClock);
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve());
  });
  // The terminal that skepd was started from may go.
  process.on('SIGHUP', () => {});
  await Promise.race([netd.ended, signalled]);
  await netd.close();
  lock.release();
  log.info({}, 'data plane ends; the network stays as it is');
  process.exit(0);
} catch (error) {
  log.error({ error: errorMessage(error), stack: error instanceof Error ? error.stack : undefined }, 'data plane cannot run');
  process.exit(1);
}
