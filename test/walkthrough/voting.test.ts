// examples/voting on a real engine, deployed as its README says: an order by health, a queue that outlives its worker.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ensureImages } from '../../scripts/example.ts';
import { run, until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const composeFile = join(import.meta.dirname, '../../examples/voting/compose.yaml');
const COME_UP_MS = 90_000;

describe('the voting application', { skip: process.getuid?.() !== 0 && 'needs root', timeout: 600_000 }, () => {
  let skepd: TestSkepd;
  before(async () => {
    skepd = await startSkepd({ engineOptions: { name: 'voting' } });
    await ensureImages(`unix://${skepd.engine.socket}`, [composeFile]);
    await skepd.init();
  });
  after(() => skepd?.stop());

  const skep = async (...args: readonly string[]) => {
    const argv = [join(import.meta.dirname, '../../bin/skep'), '-H', `unix://${skepd.socket}`, ...args];
    const { code, stdout, stderr } = await run(argv, { timeoutMs: 300_000 });
    assert.equal(code, 0, `skep ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  const curl = async (port: number, path: string, ...more: readonly string[]) =>
    (await skepd.engine.client.exec(['curl', '-sS', '--max-time', '10', ...more, `http://${skepd.engine.address}:${port}${path}`])).stdout.trim();
  const vote = (choice: 'a' | 'b') => curl(5000, '/', '-o', '/dev/null', '-w', '%{http_code}', '-d', `vote=${choice}`);
  const result = () => curl(5001, '/result');

  test('a deploy waits for what depends_on names, and everything comes up', async () => {
    const output = await skep('stack', 'deploy', '--resolve-image', 'never', '-c', composeFile, 'voting');
    for (const service of ['vote', 'result', 'worker', 'redis', 'db']) assert.match(output, new RegExp(`voting_${service}: .* converged`), output);
  });

  test('a container is meant by its service where that has one task, and by its task otherwise', async () => {
    assert.equal((await skep('exec', 'voting_redis', 'redis-cli', 'ping')).trim(), 'PONG');
    const { code, stderr } = await run([join(import.meta.dirname, '../../bin/skep'), '-H', `unix://${skepd.socket}`, 'exec', 'voting_vote', 'true']);
    assert.deepEqual([code, stderr.trim()], [1, 'service voting_vote has 2 tasks: name one of them, for example voting_vote.1']);
    await skep('exec', 'voting_vote.2', 'true');
  });

  test('votes are counted', async () => {
    for (const choice of ['a', 'a', 'b'] as const) assert.equal(await vote(choice), '200');
    await until('three votes are counted', async () => (await result()) === '{"Cats": 2, "Dogs": 1}', COME_UP_MS);
  });

  test('votes wait while nobody counts, and are counted after', async () => {
    await skep('service', 'scale', 'voting_worker=0');
    assert.equal(await vote('b'), '200');
    assert.equal((await skep('exec', 'voting_redis', 'redis-cli', 'llen', 'votes')).trim(), '1');
    assert.equal(await result(), '{"Cats": 2, "Dogs": 1}');
    await skep('service', 'scale', 'voting_worker=1');
    await until('the vote is counted', async () => (await result()) === '{"Cats": 2, "Dogs": 2}', COME_UP_MS);
  });

  test('it goes, and leaves its volumes', async () => {
    await skep('stack', 'rm', 'voting');
    await until('no container is left', async () => (await skepd.engine.docker('ps', '-aq')) === '', COME_UP_MS);
    assert.deepEqual((await skepd.engine.docker('volume', 'ls', '-q')).split('\n').sort(), ['voting_data', 'voting_queue']);
  });
});
