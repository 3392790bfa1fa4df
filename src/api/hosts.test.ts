import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import { execFileSync, spawnSync } from 'node:child_process';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { exposureWarning, listenOn, parseHost, type ServerTls } from './hosts.ts';

test('hosts are written as for dockerd', () => {
  assert.deepEqual(parseHost('unix:///run/x.sock', { group: 'docker' }), { kind: 'unix', path: '/run/x.sock', group: 'docker' });
  assert.deepEqual(parseHost('tcp://0.0.0.0:2375'), { kind: 'tcp', host: '0.0.0.0', port: 2375 });
  assert.deepEqual(parseHost('tcp://[::1]:99'), { kind: 'tcp', host: '::1', port: 99 });
  assert.deepEqual(parseHost('tcp://10.0.0.1'), { kind: 'tcp', host: '10.0.0.1', port: 2375 });
  assert.deepEqual(parseHost('0.0.0.0:2375'), { kind: 'tcp', host: '0.0.0.0', port: 2375 });
  assert.throws(() => parseHost('localhost'), /invalid host "localhost"/);
  assert.throws(() => parseHost('fd://'), /invalid host "fd:\/\/"/);
  assert.throws(() => parseHost('unix://relative'), /invalid host/);
});

test('addresses that ask nobody for a certificate are warned of in the words of docker info', () => {
  const tls = { cert: Buffer.alloc(0), key: Buffer.alloc(0) };
  const first = (text: string, verify?: boolean) => exposureWarning(parseHost(text, verify === undefined ? {} : { tls: { ...tls, verify } }))?.split('\n')[0];
  assert.equal(first('tcp://0.0.0.0:2375'), 'WARNING: API is accessible on http://0.0.0.0:2375 without encryption.');
  assert.equal(first('tcp://[::]:2376', false), 'WARNING: API is accessible on https://[::]:2376 without TLS client verification.');
  assert.equal(first('tcp://0.0.0.0:2376', true), undefined);
  assert.equal(first('unix:///run/x.sock'), undefined);
});

describe('a unix socket', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skep-hosts-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('is for its owner and group only', async () => {
    const path = join(folder, 'mode.sock');
    const { server, address } = await listenOn({ kind: 'unix', path, group: String(process.getgid?.() ?? 0) }, (socket) => socket.destroy());
    assert.equal(address, `unix://${path}`);
    assert.equal((await stat(path)).mode & 0o777, 0o660);
    server.close();
  });

  it('replaces one that a crash left behind, and refuses one that somebody answers on', async () => {
    const path = join(folder, 'stale.sock');
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    assert.ok((await stat(path)).isSocket());
    const { server } = await listenOn({ kind: 'unix', path }, (socket) => socket.destroy());
    await assert.rejects(
      listenOn({ kind: 'unix', path }, () => {}),
      /another process is listening there/,
    );
    server.close();
  });

  it('refuses a path that is no socket', async () => {
    const path = join(folder, 'file');
    await writeFile(path, 'precious');
    await assert.rejects(
      listenOn({ kind: 'unix', path }, () => {}),
      /exists and is no socket/,
    );
    assert.equal(await readFile(path, 'utf8'), 'precious');
  });

  it('refuses a group that does not exist', async () => {
    await assert.rejects(
      listenOn({ kind: 'unix', path: join(folder, 'g.sock'), group: 'no-such-group' }, () => {}),
      /group no-such-group does not exist/,
    );
  });
});

/** A certificate for 127.0.0.1 that is its own authority, made by openssl. */
function selfSigned(folder: string, name: string): { readonly cert: string; readonly key: string } {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-keyout', key, '-out', cert, ...subject],
    { stdio: 'ignore' },
  );
  return { cert, key };
}

describe('a TLS port', { skip: spawnSync('openssl', ['version']).status !== 0 && 'needs openssl' }, () => {
  let folder: string;
  let server: Awaited<ReturnType<typeof listenOn>>;
  let port: number;
  let client: { cert: Buffer; key: Buffer };
  let authority: Buffer;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skep-tls-'));
    const own = selfSigned(folder, 'server');
    const other = selfSigned(folder, 'client');
    client = { cert: await readFile(other.cert), key: await readFile(other.key) };
    authority = await readFile(own.cert);
    const tls: ServerTls = { cert: authority, key: await readFile(own.key), ca: client.cert, verify: true };
    // Answers only once the client has ended its side: what attach and exec need.
    const afterTheEnd = (socket: Socket) => {
      socket.on('error', () => {});
      socket.resume();
      socket.once('end', () => socket.end('after the end'));
    };
    server = await listenOn({ kind: 'tcp', host: '127.0.0.1', port: 0, tls }, afterTheEnd);
    port = Number(new URL(server.address.replace('tcp:', 'http:')).port);
  });
  after(async () => {
    server.server.close();
    await rm(folder, { recursive: true });
  });

  it('lets a client with a known certificate in, and keeps its own side open after the client’s end', async () => {
    const socket = tlsConnect({ socket: connect({ host: '127.0.0.1', port, allowHalfOpen: true }), host: '127.0.0.1', ca: authority, ...client });
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString();
    });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    socket.end('bye');
    await new Promise((resolve) => socket.once('close', resolve));
    assert.equal(received, 'after the end');
  });

  it('refuses a client without one', async () => {
    const socket: TLSSocket = tlsConnect({ host: '127.0.0.1', port, ca: authority });
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    assert.match(error.message, /certificate required|alert/i);
  });

  it('is not kept busy by connections that never say who they are', async () => {
    const silent = Array.from({ length: 101 }, () => connect({ host: '127.0.0.1', port, localAddress: '127.0.0.9' }).on('error', () => {}));
    await new Promise((resolve) => silent[0]?.once('close', resolve));
    const socket: TLSSocket = tlsConnect({ host: '127.0.0.1', port, ca: authority, ...client });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    for (const each of [...silent, socket]) each.destroy();
  });

  it('closes at once, whoever has not ended his handshake', { timeout: 5_000 }, async () => {
    const silent = connect({ host: '127.0.0.1', port }).resume();
    const isClosed = new Promise((resolve) => silent.once('close', resolve));
    await new Promise((resolve) => server.server.once('connection', resolve));
    const closed = new Promise((resolve) => server.server.close(resolve));
    server.handshakes.end();
    await Promise.all([closed, isClosed]);
  });
});
