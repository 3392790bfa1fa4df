import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test, type TestContext } from 'node:test';
import { systemClock } from '#platform/clock.ts';
import { enterFront } from './front.ts';

async function listening(context: TestContext, timeoutMs: number): Promise<number> {
  const http = createHttpServer((_request, response) => void response.end('hello'));
  const server = createServer({ allowHalfOpen: true }, (socket) => enterFront(socket, http, { clock: systemClock, timeoutMs }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('a connection that says nothing, or begins a request and goes silent, or sends it letter by letter, is dropped', async (context) => {
  const port = await listening(context, 300);
  for (const begin of ['', 'PO', 'POST /v1.41/containers/x/attach?stream=1 HTTP/1.1\r\nHost: x\r\n']) {
    const socket = connect({ host: '127.0.0.1', port }).on('error', () => {});
    socket.resume().write(begin);
    const dripping = setInterval(() => begin.length > 2 && socket.writable && socket.write('X'), 50);
    await once(socket, 'close');
    clearInterval(dripping);
  }
});

test('one that has made a request is not', async (context) => {
  const port = await listening(context, 50);
  const socket = connect({ host: '127.0.0.1', port });
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  await systemClock.sleep(200);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  assert.equal(socket.destroyed, false);
  socket.destroy();
});
