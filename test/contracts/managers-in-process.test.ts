// Managers that come back after their swarm was forced to begin anew without them: whole daemons in this process, each with a
// real etcd.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { epochOf } from '#ca/epoch.ts';
import { type InProcessApi, initRequest, startInProcessApi } from '../api/in-process.ts';

interface ShownNode {
  readonly ID: string;
  readonly Spec: { readonly Role: string };
  readonly Status: { readonly State: string };
}

const PATIENCE_MS = 60_000;

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; !(await holds()); await new Promise((resolve) => setTimeout(resolve, 100)))
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
}

/** Machines of loopback addresses that nobody else has; a daemon can end and come back on each. */
function machines(context: TestContext, count: number) {
  const network = `127.${randomInt(1, 250)}.${randomInt(1, 250)}`;
  return Array.from({ length: count }, (_, index) => {
    const address = `${network}.${index + 1}`;
    const stateFolder = mkdtempSync(join(tmpdir(), 'skep-superseded-'));
    let api: InProcessApi | undefined;
    const end = async () => {
      await api?.close();
      api = undefined;
    };
    context.after(async () => {
      await end();
      rmSync(stateFolder, { recursive: true, force: true });
    });
    const call = async (method: string, path: string, body?: unknown) => {
      assert(api !== undefined);
      const { status, body: answer } = await api.http(method, path, body);
      return { status, answer: answer as { readonly message: string; readonly JoinTokens: Readonly<Record<'Manager' | 'Worker', string>> } };
    };
    const certificate = join(stateFolder, 'certificates', 'node.crt');
    return {
      address,
      end,
      call,
      async start() {
        api = await startInProcessApi({ address, stateFolder });
      },
      join: async (manager: string, token: string) => {
        const { status, answer } = await call('POST', '/swarm/join', { ListenAddr: '0.0.0.0:2377', RemoteAddrs: [`${manager}:2377`], JoinToken: token });
        assert.equal(status, 200, JSON.stringify(answer));
      },
      nodes: async () => (await call('GET', '/nodes')).answer as unknown as readonly ShownNode[],
      epoch: () => epochOf(readFileSync(certificate, 'utf8')),
    };
  });
}

test('an old majority that comes back after --force-new-cluster elsewhere gives up, and its managers are workers of the swarm that goes on', async (context) => {
  const [one, two, three, worker] = machines(context, 4);
  assert(one && two && three && worker);
  const all = [one, two, three, worker];
  await Promise.all(all.map((machine) => machine.start()));
  assert.equal((await one.call('POST', '/swarm/init', initRequest)).status, 200);
  const { Manager, Worker } = (await one.call('GET', '/swarm')).answer.JoinTokens;
  for (const machine of [two, three]) await machine.join(one.address, Manager);
  await worker.join(one.address, Worker);
  assert.deepEqual(
    all.map((machine) => machine.epoch()),
    [0, 0, 0, 0],
  );

  await Promise.all([two, three].map((machine) => machine.end()));
  assert.equal((await one.call('POST', '/swarm/init', { ...initRequest, ForceNewCluster: true })).status, 200);
  assert.equal((await one.call('POST', '/configs/create', { Name: 'after', Data: 'YQ==' })).status, 201);
  await until('manager and worker have certificates of the new epoch', async () => one.epoch() > 0 && worker.epoch() === one.epoch());

  // Two of three: on their own they have a quorum, and know of nothing.
  await Promise.all([two, three].map((machine) => machine.start()));
  await until('both are workers', async () =>
    (await Promise.all([two, three].map((machine) => machine.call('GET', '/swarm')))).every(({ status }) => status === 503),
  );
  await until('all are nodes of one swarm', async () => {
    const shown = (await one.nodes()).map(({ Spec, Status }) => `${Spec.Role} ${Status.State}`).toSorted();
    return shown.join(', ') === 'manager ready, worker ready, worker ready, worker ready';
  });
  assert.deepEqual(
    all.map((machine) => machine.epoch()),
    all.map(() => one.epoch()),
  );
  // And may be managers again.
  const [next] = (await one.nodes()).filter(({ Spec }) => Spec.Role === 'worker');
  assert(next !== undefined);
  const { Version } = (await one.call('GET', `/nodes/${next.ID}`)).answer as unknown as { readonly Version: { readonly Index: number } };
  assert.equal((await one.call('POST', `/nodes/${next.ID}/update?version=${Version.Index}`, { Role: 'manager', Availability: 'active' })).status, 200);
  await until(
    'there is a second manager',
    async () => (await Promise.all(all.map((machine) => machine.call('GET', '/swarm')))).filter(({ status }) => status === 200).length === 2,
  );
});
