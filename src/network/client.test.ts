// skepd's side against a stand-in for netd: the same socket and protocol, no kernel.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';
import { createDataPlane, type ManagedDataPlane } from './client.ts';
import { cluster, local } from './fixtures.ts';

const clock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep: (delayMs, signal) => delay(delayMs, undefined, signal === undefined ? {} : { signal }),
  schedule: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Writes what it is told to `received`, one line each; `hang` in the state directory makes it stop answering. */
const STAND_IN = `
import http from 'node:http';
import { appendFileSync, existsSync, rmSync, writeFileSync, mkdirSync } from 'node:fs';
const { netdVersion } = await import(${JSON.stringify(join(import.meta.dirname, 'netd/protocol.ts'))});
const state = process.argv[process.argv.indexOf('--state-dir') + 1];
const port = Number(process.argv[process.argv.indexOf('--data-path-port') + 1]);
const settings = { pluginDirectory: process.argv[process.argv.indexOf('--plugin-dir') + 1], dataPathPort: port };
mkdirSync(state + '/network', { recursive: true });
writeFileSync(state + '/network/netd.pid', String(process.pid));
rmSync(state + '/netd.sock', { force: true });
http.createServer((request, response) => {
  if (existsSync(state + '/hang')) return;
  if (request.url === '/alive') {
    response.write('{"portsInUse":["tcp/22"]}\\n{"ports');
    return void setTimeout(() => response.write('InUse":["tcp/22","tcp/80"]}\\n'), 20);
  }
  if (request.url === '/status') return void response.end(JSON.stringify({ version: netdVersion(), pid: process.pid, settings, driverName: 'skep', dnsAddress: '169.254.53.53' }));
  let body = '';
  request.on('data', (chunk) => (body += chunk)).on('end', () => {
    if (body.includes('"version":666')) return void response.writeHead(500).end(JSON.stringify({ message: 'the kernel says no' }));
    appendFileSync(state + '/received', request.url + ' ' + (body && JSON.parse(body).version) + '\\n');
    response.end('{}', () => request.method === 'POST' && process.exit());
  });
}).listen(state + '/netd.sock');
`;

async function withDataPlane(
  work: (context: {
    dataPlane: ManagedDataPlane;
    received: () => string[];
    pid: () => number;
    folder: string;
    connect: (dataPathPort?: number) => Promise<ManagedDataPlane>;
  }) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skep-client-'));
  const script = join(folder, 'stand-in.mjs');
  writeFileSync(script, STAND_IN);
  const connections: ManagedDataPlane[] = [];
  const connect = async (dataPathPort = 4789) => {
    const settings = { pluginDirectory: '/nowhere', dataPathPort };
    const netdCommand = [process.execPath, '--disable-warning=ExperimentalWarning', script];
    const dataPlane = await createDataPlane({
      stateDirectory: folder,
      netdCommand,
      settings,
      clock,
      log: silentLogger,
      answerTimeoutMs: 300,
      healthCheckMs: 50,
    });
    connections.push(dataPlane);
    return dataPlane;
  };
  const pid = () => Number(readFileSync(join(folder, 'network/netd.pid'), 'utf8'));
  const received = () => readFileSync(join(folder, 'received'), 'utf8').trim().split('\n');
  try {
    await work({ dataPlane: await connect(), received, pid, folder, connect });
  } finally {
    for (const connection of connections) await connection.close();
    try {
      process.kill(pid(), 'SIGKILL');
    } catch {
      // It has ended.
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

const signal = () => AbortSignal.timeout(20_000);
async function until(condition: () => boolean): Promise<void> {
  for (const limit = Date.now() + 20_000; !condition(); await delay(10)) assert.ok(Date.now() < limit, 'waited in vain');
}

test('states are handed over in order; an older one is ignored', async () => {
  await withDataPlane(async ({ dataPlane, received }) => {
    await dataPlane.applyCluster({ ...cluster, version: 5 }, signal());
    await dataPlane.applyCluster({ ...cluster, version: 4 }, signal());
    await dataPlane.applyLocal({ ...local, version: 2 }, signal());
    assert.deepEqual(received(), ['/cluster 5', '/local 2']);
  });
});

test('what netd refuses is the caller’s error', async () => {
  await withDataPlane(async ({ dataPlane }) => {
    await assert.rejects(dataPlane.applyCluster({ ...cluster, version: 666 }, signal()), /the kernel says no/);
  });
});

test('what netd says of ports that others have is known, and again after netd was started anew', async () => {
  await withDataPlane(async ({ dataPlane, pid }) => {
    const told: (readonly string[])[] = [];
    dataPlane.onPortsInUse(() => told.push(dataPlane.portsInUse()));
    await until(() => dataPlane.portsInUse().length === 2);
    assert.deepEqual(told.at(-1), ['tcp/22', 'tcp/80']);
    process.kill(pid(), 'SIGKILL');
    // The new one begins with one port.
    await until(() => told.length > 2 && dataPlane.portsInUse().length === 2);
  });
});

test('a netd that ends is started again and told the newest states', async () => {
  await withDataPlane(async ({ dataPlane, received, pid }) => {
    await dataPlane.applyCluster({ ...cluster, version: 5 }, signal());
    const before = pid();
    process.kill(before, 'SIGKILL');
    await until(() => pid() !== before && received().length === 2);
    assert.deepEqual(received(), ['/cluster 5', '/cluster 5']);
    await dataPlane.applyCluster({ ...cluster, version: 6 }, signal());
    assert.equal(received().at(-1), '/cluster 6');
  });
});

test('a netd that no longer answers is killed and started again', async () => {
  await withDataPlane(async ({ dataPlane, pid, folder }) => {
    const before = pid();
    writeFileSync(join(folder, 'hang'), '');
    await until(() => {
      try {
        process.kill(before, 0);
        return false;
      } catch {
        return true;
      }
    });
    rmSync(join(folder, 'hang'));
    await until(() => pid() !== before);
    await dataPlane.applyCluster(cluster, signal());
  });
});

test('a netd of our code and settings is used again; one of other settings is replaced', async () => {
  await withDataPlane(async ({ dataPlane, pid, received, connect }) => {
    const before = pid();
    await dataPlane.close();
    const same = await connect();
    assert.equal(pid(), before);
    await same.close();
    await connect(4790);
    assert.notEqual(pid(), before);
    assert.equal(received().at(-1), '/stop');
  });
});

test('destroy ends netd', async () => {
  await withDataPlane(async ({ dataPlane, received, pid }) => {
    const before = pid();
    await dataPlane.destroy(signal());
    assert.equal(received().at(-1), '/destroy');
    await until(() => {
      try {
        process.kill(before, 0);
        return false;
      } catch {
        return true;
      }
    });
  });
});

test('a command that cannot run is said at once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-client-'));
  mkdirSync(folder, { recursive: true });
  const settings = { pluginDirectory: '/nowhere', dataPathPort: 4789 };
  await assert.rejects(
    createDataPlane({ stateDirectory: folder, netdCommand: ['/no/such/node'], settings, clock, log: silentLogger }),
    /skep-netd cannot be started/,
  );
  rmSync(folder, { recursive: true });
});
