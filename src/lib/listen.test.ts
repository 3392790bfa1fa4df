import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { listening } from './listen.ts';

test('an address that is taken is the error of who wanted to listen', async (context) => {
  const [first, second] = [createServer(), createServer()];
  context.after(() => first.close());
  await listening(first, (done) => first.listen(0, '127.0.0.1', done));
  const address = first.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await assert.rejects(
    listening(second, (done) => second.listen(port, '127.0.0.1', done)),
    { code: 'EADDRINUSE' },
  );
  await assert.rejects(
    listening(second, (done) => second.listen(70_000, done)),
    { code: 'ERR_SOCKET_BAD_PORT' },
  );
});

test('a server that has errors later serves on, and says so', async (context) => {
  const server = createServer((socket) => socket.on('error', () => {}).end('here'));
  context.after(() => server.close());
  const heard: string[] = [];
  await listening(
    server,
    (done) => server.listen(0, '127.0.0.1', done),
    ({ message }) => heard.push(message),
  );
  // As when no file descriptor is left for a connection: one for each, again and again.
  for (const message of ['accept EMFILE', 'accept ENFILE', 'accept EMFILE']) server.emit('error', new Error(message));
  assert.deepEqual(heard, ['accept EMFILE', 'accept ENFILE', 'accept EMFILE']);
  const [answer] = (await once(connect((server.address() as AddressInfo).port, '127.0.0.1'), 'data')) as [Buffer];
  assert.equal(String(answer), 'here');
});
