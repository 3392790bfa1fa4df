// The traps of proxying, each against an engine whose bytes the test controls.
import assert from 'node:assert/strict';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, it } from 'node:test';
import { json, type Route } from '../route.ts';
import { startTestApi, type TestApi, until } from '../test-api.ts';
import { answer, type EngineCall, type FakeEngine, type Script } from './fake-engine.ts';

let api: TestApi;
let engine: FakeEngine;
let path: string;
const ask: TestApi['ask'] = (options, body) => api.ask(options, body);
const rawClient: TestApi['connect'] = (text) => api.connect(text);

async function start(script: Script, routes: readonly Route[] = []): Promise<void> {
  api = await startTestApi(script, { routes });
  ({ engine, path } = api);
}

describe('the proxy', () => {
  afterEach(() => api.stop());

  /** Reads `bytes` bytes of a call's body. */
  async function bodyOf(call: EngineCall, bytes: number): Promise<Buffer> {
    const chunks = [call.rest];
    let length = call.rest.length;
    while (length < bytes) {
      const chunk = await new Promise<Buffer>((resolve) => call.socket.once('data', resolve));
      chunks.push(chunk);
      length += chunk.length;
    }
    return Buffer.concat(chunks);
  }

  describe('ordinary requests', () => {
    it('rewrites the version to one the engine speaks, and leaves an unversioned path alone', async () => {
      await start((call) => answer(call, '200 OK', '[]'));
      await ask({ path: '/v1.50/images/json?all=1&x=%2F' });
      await ask({ path: '/v1.30/images/json' });
      await ask({ path: '/images/json' });
      assert.deepEqual(
        engine.calls.map(({ firstLine }) => firstLine),
        ['GET /v1.41/images/json?all=1&x=%2F HTTP/1.1', 'GET /v1.30/images/json HTTP/1.1', 'GET /images/json HTTP/1.1'],
      );
    });

    it('for all nodes, refuses what must be for one; a container is found wherever it is, whatever is done with it', async () => {
      await start((call) => answer(call, '200 OK', '{}'));
      const all = { 'X-Skep-Node': '*' };
      for (const [method, url] of [
        ['POST', '/v1.41/containers/create'],
        ['DELETE', '/v1.41/images/x'],
      ] as const) {
        const { status, body } = await ask({ method, path: url, headers: all });
        assert.equal(status, 400);
        assert.match(body.toString(), /name one node/);
      }
      for (const [method, url] of [
        ['DELETE', '/v1.41/containers/web?force=1'],
        ['GET', '/v1.41/containers/created/json'],
      ] as const)
        await ask({ method, path: url, headers: all });
      const reached = engine.calls.map(({ firstLine }) => firstLine).filter((line) => / .*containers/.test(line));
      assert.deepEqual(reached, ['DELETE /v1.41/containers/web?force=1 HTTP/1.1', 'GET /v1.41/containers/created/json HTTP/1.1']);
    });

    it('a POST that says nothing about a body has none for the engine either', async () => {
      await start((call) => answer(call, '204 No Content', ''));
      const client = rawClient('POST /v1.41/containers/a/start HTTP/1.1\r\nHost: d\r\n\r\n');
      await until('the answer is there', () => client.received().includes('204'));
      client.socket.destroy();
      assert.deepEqual([engine.calls[0]?.headers['content-length'], engine.calls[0]?.headers['transfer-encoding']], ['0', undefined]);
    });

    it('passes on status, headers and body as they are, errors included', async () => {
      await start((call) =>
        answer(call, '404 Not Found', '{"message":"No such image: x"}\n', [
          'Content-Type: application/json',
          'X-Odd:  two  words',
          'X-Twice: 1',
          'X-Twice: 2',
          'Api-Version: 1.41',
        ]),
      );
      const { status, rawHeaders, body } = await ask({ path: '/v1.41/images/x/json', headers: { 'X-Registry-Auth': 'abc' } });
      assert.equal(status, 404);
      assert.equal(body.toString(), '{"message":"No such image: x"}\n');
      assert.deepEqual(rawHeaders.slice(0, 10), [
        'Content-Type',
        'application/json',
        'X-Odd',
        'two  words',
        'X-Twice',
        '1',
        'X-Twice',
        '2',
        'Api-Version',
        '1.50',
      ]);
      assert.equal(engine.calls[0]?.headers['x-registry-auth'], 'abc');
    });

    it('streams an answer chunk by chunk, and its trailers at the end', async () => {
      await start(async ({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\none\r\n');
        await new Promise((resolve) => socket.once('data', resolve));
        socket.write('3\r\ntwo\r\n0\r\nX-Sum: 6\r\n\r\n');
      });
      const client = rawClient('GET /v1.41/images/get HTTP/1.1\r\nHost: d\r\n\r\n');
      await until('the first chunk is there before the answer is complete', () => client.received().includes('one'));
      assert.ok(!client.received().includes('two'));
      engine.calls[0]?.socket.emit('data', Buffer.alloc(0));
      await until('the rest is there', () => client.received().endsWith('0\r\nX-Sum: 6\r\n\r\n'));
      client.socket.destroy();
    });

    it('sends headers at once, before there is a body', async () => {
      await start(({ socket }) => {
        socket.resume();
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      });
      const client = rawClient('POST /v1.41/containers/a/wait HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n');
      await until('the headers are there', () => client.received().includes('\r\n\r\n'));
      client.socket.destroy();
      await until('the engine’s connection is cut with the client’s', () => engine.calls[0]?.socket.readableEnded ?? false);
    });

    it('keeps a client’s connection for one request after the other, ours and the engine’s mixed', async () => {
      await start((call) => answer(call, '200 OK', '[1]'), [{ method: 'GET', path: '/services', handler: () => json(['ours']) }]);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const bodies: string[] = [];
      for (const url of ['/images/json', '/v1.41/services', '/images/json', '/_ping', '/images/json'])
        bodies.push((await ask({ path: url, agent })).body.toString());
      assert.deepEqual(bodies, ['[1]', '["ours"]\n', '[1]', 'OK', '[1]']);
      agent.destroy();
    });

    it('tries a repeatable request again when the engine had closed a kept connection', async () => {
      await start((call) => answer(call, '200 OK', '{}'));
      assert.equal((await ask({ path: '/images/json' })).status, 200);
      assert.ok(engine.forsakeConnections() > 0);
      assert.equal((await ask({ path: '/images/json' })).status, 200);
      assert.equal(engine.calls.length, 2);
    });

    it('sends a small body along with the head, so that a refusal by an engine that does not read it is not lost', async () => {
      let came = '';
      await start((call) => {
        came = call.rest.toString();
        answer(call, '404 Not Found', '{"message":"page not found"}', ['Connection: close']);
        call.socket.destroySoon();
      });
      const client = rawClient('PUT /v1.41/nope HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\n\r\n');
      await delay(5);
      client.socket.write('body');
      await until('the answer is there', () => client.received().endsWith('{"message":"page not found"}'));
      assert.match(client.received(), /^HTTP\/1\.1 404/);
      assert.equal(came, 'body');
      client.socket.destroy();
    });

    it('uploads a body of known length byte for byte', async () => {
      const upload = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
      let got: Buffer | undefined;
      await start(async (call) => {
        got = await bodyOf(call, upload.length);
        answer(call, '200 OK', '');
      });
      await ask({ method: 'PUT', path: '/v1.41/containers/a/archive?path=/', headers: { 'Content-Length': upload.length } }, upload);
      assert.ok(got?.equals(upload));
      assert.equal(engine.calls[0]?.headers['transfer-encoding'], undefined);
    });

    it('uploads a chunked body with its trailers', async () => {
      let seen = '';
      await start(async (call) => {
        seen = call.rest.toString();
        call.socket.on('data', (chunk: Buffer) => {
          seen += chunk.toString();
          if (seen.endsWith('\r\n\r\n')) answer(call, '200 OK', '');
        });
        if (seen.endsWith('\r\n\r\n')) answer(call, '200 OK', '');
      });
      const client = rawClient(
        'POST /v1.41/images/load HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: end\r\n\r\n',
      );
      await until('the engine has answered', () => client.received().startsWith('HTTP/1.1 200'));
      assert.match(seen, /^5\r\nhello\r\n0\r\nX-T: end\r\n\r\n$/);
      client.socket.destroy();
    });

    it('lets the engine say whether an upload may go on', async () => {
      let body: Buffer | undefined;
      await start(async (call) => {
        assert.equal(call.headers['expect'], '100-continue');
        assert.equal(call.rest.length, 0);
        call.socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        body = await bodyOf(call, 5);
        answer(call, '200 OK', 'done', []);
      });
      const client = rawClient('POST /v1.41/images/load HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
      await until('the engine’s leave is passed on', () => client.received() === 'HTTP/1.1 100 Continue\r\n\r\n');
      client.socket.write('bytes');
      await until('the answer is there', () => client.received().endsWith('done'));
      assert.equal(body?.toString(), 'bytes');
      client.socket.destroy();
    });

    it('passes on an early refusal of an upload that is still coming', async () => {
      await start((call) => {
        call.socket.pause();
        answer(call, '400 Bad Request', '{"message":"no"}', ['Connection: close']);
        call.socket.end();
      });
      const call = request({ socketPath: path, method: 'POST', path: '/v1.41/build', headers: { 'Content-Length': 50_000_000 } });
      call.on('error', () => {});
      const chunk = Buffer.alloc(100_000);
      const feed = setInterval(() => call.write(chunk), 1);
      const status = await new Promise<number>((resolve) => call.once('response', (response: IncomingMessage) => resolve(response.statusCode ?? 0)));
      clearInterval(feed);
      call.destroy();
      assert.equal(status, 400);
    });

    it('holds a fast engine back for a slow reader', async () => {
      let written = 0;
      await start(({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000), Buffer.from('\r\n')]);
        const fill = () => {
          while (!socket.destroyed && written < 500_000_000) {
            written += chunk.length;
            if (!socket.write(chunk)) return void socket.once('drain', fill);
          }
        };
        fill();
      });
      const client = connect({ path });
      client.on('error', () => {});
      client.write('GET /v1.41/containers/a/export HTTP/1.1\r\nHost: d\r\n\r\n');
      await new Promise((resolve) => client.once('data', resolve));
      client.pause();
      let before = -1;
      while (before !== written) {
        before = written;
        await delay(50);
      }
      assert.ok(written < 20_000_000, `${written} bytes went ahead of a reader that does not read`);
      client.destroy();
      await until('the engine’s connection is cut with the client’s', () => engine.calls[0]?.socket.destroyed ?? false);
    });

    it('cuts the client’s connection when the engine’s is cut in the middle of an answer', async () => {
      await start(({ socket }) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf', () => socket.destroy());
      });
      await assert.rejects(ask({ path: '/v1.41/containers/a/export' }), /aborted|ECONNRESET|socket hang up/);
    });

    it('says that the engine is away, and finds it again', async () => {
      await start((call) => answer(call, '200 OK', '[]'));
      await engine.down();
      for (const options of [{ path: '/v1.41/images/json' }, { method: 'POST', path: '/images/prune' }]) {
        const { status, body } = await ask(options);
        assert.equal(status, 503);
        assert.match(JSON.parse(body.toString()).message, /^Cannot connect to the Docker engine at unix:\/\//);
      }
      await engine.up();
      assert.equal((await ask({ path: '/v1.41/images/json' })).status, 200);
    });
  });
});
