// The traps of connections that clients take over (attach, exec, run), each against an engine whose bytes the test controls.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, it } from 'node:test';
import { json, type Route } from '../route.ts';
import { startTestApi, type TestApi, until } from '../test-api.ts';
import { answer, type FakeEngine, type Script } from './fake-engine.ts';

let api: TestApi;
let engine: FakeEngine;
const ask: TestApi['ask'] = (options, body) => api.ask(options, body);
const rawClient: TestApi['connect'] = (text) => api.connect(text);

async function start(script: Script, routes: readonly Route[] = []): Promise<void> {
  api = await startTestApi(script, { routes });
  ({ engine } = api);
}

describe('connections that are taken over', () => {
  afterEach(() => api.stop());

  const upgraded = 'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';

  it('joins the sockets after 101, byte for byte, and passes on each end by itself', async () => {
    let input = '';
    await start(({ socket, rest }) => {
      socket.write(`${upgraded}first`);
      input += rest.toString('latin1');
      socket.on('data', (chunk: Buffer) => {
        input += chunk.toString('latin1');
      });
      // Output goes on after input has ended.
      socket.on('end', () => socket.end(`after ${input}`, 'latin1'));
    });
    const client = rawClient('POST /v1.50/containers/a/attach?stdin=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    await until('the connection is taken over', () => client.received() === `${upgraded}first`);
    client.socket.write('\0\xff raw', 'latin1');
    client.socket.end();
    await until('output after the end of input', () => client.received() === `${upgraded}firstafter \0\xff raw`);
    await until('the engine’s end is passed on', () => client.socket.readableEnded);
    assert.equal(engine.calls[0]?.firstLine, 'POST /v1.41/containers/a/attach?stdin=1 HTTP/1.1');
    assert.equal(engine.calls[0]?.headers['upgrade'], 'tcp');
  });

  it('sends the body of an exec start before the taken over bytes', async () => {
    let input = '';
    await start(({ socket, rest }) => {
      input = rest.toString();
      socket.on('data', (chunk: Buffer) => {
        input += chunk.toString();
      });
      socket.write(upgraded);
    });
    const body = '{"Detach":false}';
    const client = rawClient(
      `POST /v1.50/exec/e/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n${body}`,
    );
    await until('the connection is taken over', () => client.received() === upgraded);
    client.socket.write('stdin');
    await until('all has arrived', () => input === `${body}stdin`);
    client.socket.destroy();
    await until('the engine’s connection is gone', () => engine.calls[0]?.socket.destroyed === true || engine.calls[0]?.socket.readableEnded === true);
  });

  for (const [how, first] of [
    ['after the head', 0],
    ['in two pieces', 7],
    ['with the head', 28],
  ] as const)
    it(`keeps the body of an attach, which the engine does not read, out of the container’s input when it comes ${how}`, async () => {
      const body = '{"stream":true,"stdin":true}';
      let input = '';
      await start(({ socket, rest }) => {
        input = rest.toString();
        socket.on('data', (chunk: Buffer) => {
          input += chunk.toString();
        });
        socket.write(upgraded);
      });
      const client = rawClient(
        `POST /v1.50/containers/a/attach?stdin=1 HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n${body.slice(0, first)}`,
      );
      await until('the connection is taken over', () => client.received() === upgraded);
      client.socket.write(`${body.slice(first)}typed`);
      await until('the input has arrived', () => input === 'typed');
      assert.equal(engine.calls[0]?.headers['content-length'], '0');
      client.socket.destroy();
    });

  it('lets a client take over without asking for an upgrade, as before API 1.20', async () => {
    const old = 'HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n';
    await start(({ socket }) => {
      socket.write(old);
      socket.on('data', (chunk: Buffer) => void socket.write(`echo ${chunk.toString()}`));
      socket.on('end', () => socket.end());
    });
    const client = rawClient('POST /v1.24/containers/a/attach?stdin=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n');
    await until('the connection is taken over', () => client.received() === old);
    client.socket.write('not HTTP at all');
    await until('bytes go both ways', () => client.received() === `${old}echo not HTTP at all`);
    client.socket.end();
    await until('the end is passed on', () => client.socket.readableEnded);
    assert.equal(engine.calls[0]?.headers['upgrade'], undefined);
    assert.equal(engine.calls[0]?.headers['x-skep-implied-upgrade'], undefined);
  });

  it('recognises such a client even when its head comes in pieces', async () => {
    await start(({ socket }) => void socket.end('HTTP/1.1 200 OK\r\n\r\nraw'));
    const client = rawClient('PO');
    for (const piece of ['ST /containers/a/att', 'ach HTTP/1.1\r\nHo', 'st: d\r\n\r', '\n']) {
      await delay(5);
      client.socket.write(piece);
    }
    await until('the answer is there', () => client.received() === 'HTTP/1.1 200 OK\r\n\r\nraw');
    client.socket.destroy();
  });

  it('gives the engine’s refusal and closes, so that no later request slips past us', async () => {
    await start((call) => answer(call, '404 Not Found', '{"message":"No such container: a"}\n'));
    const client = rawClient('POST /v1.41/containers/a/attach HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    await until('the connection is closed', () => client.socket.readableEnded);
    assert.match(client.received(), /^HTTP\/1\.1 404 Not Found\r\n.*Connection: close\r\n\r\n\{"message":"No such container: a"\}\n$/s);
  });

  it('answers a detached exec of a client that asked for no upgrade', async () => {
    await start((call) => answer(call, '200 OK', '', []));
    const { status } = await ask({ method: 'POST', path: '/v1.41/exec/e/start', headers: { 'Content-Type': 'application/json' } }, '{"Detach":true}');
    assert.equal(status, 200);
  });

  it('says so in HTTP when the engine is away', async () => {
    await start(() => {});
    await engine.down();
    const client = rawClient('POST /v1.41/exec/e/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    await until('the connection is closed', () => client.socket.readableEnded);
    assert.match(client.received(), /^HTTP\/1\.1 503 .*Cannot connect to the Docker engine/s);
  });

  it('cuts the client when the engine goes away', async () => {
    await start(({ socket }) => void socket.write(`${upgraded}text`));
    const client = rawClient('POST /v1.41/containers/a/attach HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n');
    await until('the connection is taken over', () => client.received().endsWith('text'));
    await engine.down();
    await until('the client is cut', () => client.socket.readableEnded || client.socket.destroyed);
  });

  it('serves a request that only offers HTTP/2 as what it is', async () => {
    await start(() => {}, [{ method: 'GET', path: '/services', handler: () => json([]) }]);
    const client = rawClient('GET /services HTTP/1.1\r\nHost: d\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n');
    await until('the answer is there', () => client.received().endsWith('[]\n'));
    client.socket.destroy();
  });
});
