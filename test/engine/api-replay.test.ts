// The recorded requests of the docker CLI and of direct HTTP, sent to a real skepd on a real engine.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Answer, replay, sendOver } from '../api/replay.ts';
import { type RecordedExchange, readRecording, skipWithoutSharedData } from '../api/shared-data.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

/** Not ours to answer, answered as a stream, or asking a registry that cannot be reached. */
function isElsewhere({ path, node }: RecordedExchange): boolean {
  return node !== 'n1' || /\/_ping|\/events|\/auth$|\/info$|\/distribution\/|\/logs\?/.test(path);
}

function isKnownDifference({ method, path, body, status, answer: recorded }: RecordedExchange, answer: Answer): boolean {
  const text = JSON.stringify(answer.body ?? '');
  const recordedText = JSON.stringify(recorded ?? '');
  return (
    (path.endsWith('/networks/create') && status === 500 && (answer.status === 403 || answer.status === 400)) ||
    (status === 503 && text.includes('unsupported Content-Type header')) ||
    text === '{"message":"invalid filter"}' ||
    (JSON.stringify(body ?? '').includes('18446744073709552000') && answer.status === 400) ||
    (/\/(secrets|configs)\/[0-9a-z]{5}$/.test(path) && status === 200) ||
    (['/swarm/unlock', '/swarm/join'].includes(path) && answer.status === status) ||
    // The addresses that the recorded swarm was told to use are not this machine's.
    (path === '/swarm/init' && recordedText.includes('message') && answer.status === status) ||
    (method === 'DELETE' && path.includes('/networks/') && status === 500 && answer.status === 404) ||
    text.includes('update out of sequence') ||
    // Which networks have containers on the one node depends on where four nodes had theirs.
    (method === 'GET' && /\/networks\/(ingress|o1)(\?|$)/.test(path))
  );
}

describe('recorded requests are answered by skepd as they were by Docker', { skip: skipWithoutSharedData, timeout: 300_000 }, () => {
  let skepd: TestSkepd;

  before(async () => {
    skepd = await startSkepd();
    for (const tag of ['tiny:1', 'tiny:2'])
      await skepd.engine.importBusybox(tag, `CMD ${JSON.stringify(['sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait'])}`);
  });
  after(() => skepd?.stop());

  const differences = (recording: string) =>
    replay(readRecording(recording), { send: sendOver({ socketPath: skepd.socket }), skip: isElsewhere, accept: isKnownDifference, patienceMs: 15_000 });

  test('01-not-in-swarm', async () => assert.deepEqual(await differences('01-not-in-swarm'), []));

  for (const recording of ['03-service-create-errors', '05-secrets-configs', '06-networks', '09-stack']) {
    test(recording, async () => {
      await skepd.init();
      try {
        assert.deepEqual(await differences(recording), []);
      } finally {
        await skepd.docker('swarm', 'leave', '--force');
      }
    });
  }
});
