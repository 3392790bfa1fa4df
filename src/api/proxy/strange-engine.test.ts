// An engine that answers what no engine should, and clients that leave in the middle: whoever asked gets an error, and the daemon goes on.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { startTestApi, type TestApi, until } from '../test-api.ts';
import { answer, type Script } from './fake-engine.ts';

let api: TestApi;

async function start(script: Script): Promise<void> {
  api = await startTestApi(script, { routes: [] });
}

const attach = 'POST /containers/a/attach?stdin=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';

describe('an engine that answers nonsense', () => {
  afterEach(() => api.stop());

  for (const [what, bytes] of [
    ['a status that is none', 'HTTP/1.1 042 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['a reason with a control character', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n'],
    ['trailers that are announced and cannot come', 'HTTP/1.1 200 OK\r\nTrailer: X-Late\r\nContent-Length: 0\r\n\r\n'],
    ['an upgrade that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01'],
    ['the half of a head', 'HTTP/1.1 200'],
  ] as const)
    it(`is out of reach to its client when it sends ${what}`, async () => {
      await start(({ firstLine, socket, ...call }) => {
        if (firstLine.includes('/strange')) socket.end(bytes, 'latin1');
        else answer({ firstLine, socket, ...call }, '200 OK', '[]');
      });
      const { status, json } = await api.ask({ path: '/strange' });
      assert.equal(status, 503);
      assert.match(String((json as { readonly message?: unknown }).message), /^Cannot connect to the Docker engine at /);
      assert.equal((await api.ask({ path: '/images/json' })).status, 200);
    });

  it('is let go when what it says to a takeover never ends its head', async () => {
    await start(({ firstLine, socket, ...call }) => {
      if (!firstLine.includes('/attach')) return answer({ firstLine, socket, ...call }, '200 OK', '[]');
      socket.write(`HTTP/1.1 101 UPGRADED\r\nX-Long: ${'x'.repeat(1_500_000)}`);
    });
    const client = api.connect(attach);
    await until('the client is let go', () => client.socket.destroyed || client.socket.readableEnded);
    client.socket.destroy();
    assert.equal((await api.ask({ path: '/images/json' })).status, 200);
  });
});

describe('a client that resets its connection', () => {
  afterEach(() => api.stop());

  it('may do so before it is told that it is not taken over', async () => {
    await start((call) => answer(call, '200 OK', '[]'));
    for (let round = 0; round < 5; round++) {
      const { socket } = api.connect(attach.replace('/containers', '/v1.99/containers'));
      // Both ends are in this process: it has gone before the other one looks at what it wrote.
      await new Promise<void>((resolve) => socket.once('connect', resolve));
      socket.destroy();
      await new Promise<void>((resolve) => socket.once('close', () => resolve()));
      assert.equal((await api.ask({ path: '/images/json' })).status, 200);
    }
  });
});
