import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createEngineConnection } from '#engine-link/link.ts';
import { systemClock } from '#platform/clock.ts';
import { createEngineClient, type EngineClient } from './engine-client.ts';

const signal = new AbortController().signal;

async function withEngine(answer: (request: IncomingMessage, response: ServerResponse) => void, use: (client: EngineClient) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'skep-client-'));
  const socketPath = join(folder, 'engine.sock');
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  try {
    await use(createEngineClient({ link: createEngineConnection({ address: `unix://${socketPath}`, clock: systemClock }) }));
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  }
}

const reply = (status: number, body?: object) => (_request: IncomingMessage, response: ServerResponse) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body && JSON.stringify(body));
};

test('queries, bodies and credentials arrive as they were given', () =>
  withEngine(
    (request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => reply(200, { url: request.url, body, auth: request.headers['x-registry-auth'] })(request, response));
    },
    async (client) => {
      const query = { filters: '{"a":["b&c"]}', all: 1, absent: undefined };
      const answer = await client.call<{ url: string; body: string; auth: string }>({
        method: 'POST',
        path: '/x',
        query,
        body: { a: [1] },
        registryAuth: 'abc',
        signal,
      });
      const url = new URL(answer.url, 'http://engine');
      assert.deepEqual([url.pathname, Object.fromEntries(url.searchParams)], ['/x', { filters: '{"a":["b&c"]}', all: '1' }]);
      assert.deepEqual([answer.body, answer.auth], ['{"a":[1]}', 'abc']);
    },
  ));

test('the engine’s refusals come in its own words with a code', async () => {
  for (const [status, code] of [
    [400, 'invalidArgument'],
    [404, 'notFound'],
    [409, 'conflict'],
    [500, 'unknown'],
  ] as const)
    await withEngine(reply(status, { message: 'its own words' }), (client) =>
      assert.rejects(client.call({ method: 'GET', path: '/x', signal }), { name: 'AppError', code, message: 'its own words' }),
    );
});

test('nothing to do is a success, and what is not there can be asked for', async () => {
  await withEngine(reply(304), async (client) => assert.equal(await client.call({ method: 'POST', path: '/x', signal }), undefined));
  await withEngine(reply(404, { message: 'no' }), async (client) => assert.equal(await client.find({ method: 'GET', path: '/x', signal }), undefined));
});

test('an engine that is not there or is shutting down is unavailable', async () => {
  const away = createEngineClient({ link: createEngineConnection({ address: 'unix:///nonexistent/engine.sock', clock: systemClock }) });
  await assert.rejects(away.call({ method: 'GET', path: '/x', signal }), { code: 'unavailable' });
  await withEngine(
    (request) => request.socket.destroy(),
    (client) => assert.rejects(client.call({ method: 'GET', path: '/x', signal }), { code: 'unavailable' }),
  );
  const words = 'failed to update store for object type *libnetwork.endpoint: open : no such file or directory';
  await withEngine(reply(500, { message: words }), (client) => assert.rejects(client.call({ method: 'GET', path: '/x', signal }), { code: 'unavailable' }));
});

test('a call ends with the reason of its signal', () =>
  withEngine(
    () => {},
    async (client) => {
      const giveUp = new AbortController();
      const call = client.call({ method: 'GET', path: '/x', signal: giveUp.signal });
      setImmediate(() => giveUp.abort(new Error('enough')));
      await assert.rejects(call, /enough/);
      await assert.rejects(client.call({ method: 'GET', path: '/x', signal: AbortSignal.abort(new Error('before')) }), /before/);
    },
  ));
