// The recorded requests of the docker CLI and of direct HTTP, sent to the whole daemon in this process (in-process.ts).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startInProcessApi } from './in-process.ts';
import { type Answer, replay, sendOver } from './replay.ts';
import { type RecordedExchange, readRecording, skipWithoutSharedData } from './shared-data.ts';

/** Not ours to answer, or answered as a stream. */
function isElsewhere({ path, node }: RecordedExchange): boolean {
  return node !== 'n1' || /\/_ping|\/events|\/auth$|\/info$|\/distribution\/|\/logs\?/.test(path);
}

/** Where API 1.50 differs from the recorded 1.41, and where one fake node differs from four real ones. */
function isKnownDifference({ method, path, body, status }: RecordedExchange, answer: Answer): boolean {
  const text = JSON.stringify(answer.body ?? '');
  return (
    // A refusal instead of a server's failure.
    (path.endsWith('/networks/create') && status === 500 && (answer.status === 403 || answer.status === 400)) ||
    // Content types are checked before anything else.
    (status === 503 && text.includes('unsupported Content-Type header')) ||
    // Filters that cannot be read are refused without Go's reason.
    text === '{"message":"invalid filter"}' ||
    // JavaScript cannot tell 2^64 - 1 from 2^64; both are refused.
    (JSON.stringify(body ?? '').includes('18446744073709552000') && answer.status === 400) ||
    // Ids that begin with what a recorded id began with.
    (/\/(secrets|configs)\/[0-9a-z]{5}$/.test(path) && status === 200) ||
    // Same refusal, another reason first: who is in no swarm is told that, whatever else is missing.
    (['/swarm/unlock', '/swarm/join'].includes(path) && answer.status === status) ||
    // Removing what is gone already was a server's failure once.
    (method === 'DELETE' && path.includes('/networks/') && status === 500 && answer.status === 404) ||
    // The version that a request names was never seen in an answer.
    text.includes('update out of sequence') ||
    // The fake engine has no local part of swarm networks.
    (method === 'GET' && /\/networks\/(ingress|o1)(\?|$)/.test(path))
  );
}

describe('recorded requests are answered as they were by Docker', { skip: skipWithoutSharedData }, () => {
  for (const [name, inSwarm] of [
    ['01-not-in-swarm', false],
    ['03-service-create-errors', true],
    ['05-secrets-configs', true],
    ['06-networks', true],
    ['09-stack', true],
  ] as const) {
    test(name, async () => {
      const api = await startInProcessApi();
      try {
        if (inSwarm) await api.init();
        const options = { send: sendOver({ socketPath: api.socketPath }), skip: isElsewhere, accept: isKnownDifference };
        assert.deepEqual(await replay(readRecording(name), options), []);
      } finally {
        await api.close();
      }
    });
  }
});
