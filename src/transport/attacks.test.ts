// What strangers, liars and broken programs get from the managers' port, and what a node that joins gets from somebody who only says that he is a manager.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { createServer, connect as connectTls, TLSSocket } from 'node:tls';
import { type TestContext, test } from 'node:test';
import { Client, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { createJoinSecret, formatJoinToken } from '#ca/join-token.ts';
import { createCertificateRequest, signCertificateRequest } from '#ca/node-certificate.ts';
import { createRootCa, type RootCa } from '#ca/root.ts';
import { AppError } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { createSeededRandom } from '#lib/testing/fake-clock.ts';
import { systemClock } from '#platform/clock.ts';
import type { ManagerConnection } from '#protocol/messages.ts';
import { requestIdentity } from './bootstrap.ts';
import { whyNotTrusted } from './dial.ts';
import { type ManagerHandlers, startManagerServer, type TlsMaterial } from './server.ts';
import { managerService } from './service.ts';
import { type StrangerLimits, strangerLimits } from './strangers.ts';

const day = 24 * 3_600_000;
const options = { availability: 'active', cannotManage: undefined, clock: systemClock, signal: new AbortController().signal } as const;

async function identity(root: RootCa, nodeId: string, role: 'manager' | 'worker', now = Date.now()): Promise<TlsMaterial> {
  const { request, key } = await createCertificateRequest();
  return { certificate: await signCertificateRequest(root, request, { nodeId, role, clusterId: 'c1' }, { now }), key, roots: root.certificate };
}

/** A connection to the managers' port that is none of gRPC's. */
function guestOf(port: number, root: RootCa, localAddress = '127.0.0.1', more: object = {}): TLSSocket {
  const options = { port, host: '127.0.0.1', localAddress, ca: root.certificate, servername: 'swarm-manager', ALPNProtocols: ['h2'], ...more };
  return connectTls(options)
    .on('error', () => {})
    .resume();
}

/** A frame of HTTP/2. */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const numbers = [payload.length >> 16, payload.length >> 8, payload.length, type, flags, stream >> 24, stream >> 16, stream >> 8, stream];
  return Buffer.concat([Buffer.from(numbers.map((number) => number & 0xff)), payload]);
}

/** The headers of a call to `path`: POST and https from HTTP/2's table, the others in full. */
function requestHead(path: string): Buffer {
  const text = (value: string) => Buffer.from([value.length, ...Buffer.from(value)]);
  return Buffer.concat([Buffer.from([0x83, 0x87, 0x04]), text(path), Buffer.from([0x0f, 0x10]), text('application/grpc')]);
}

interface SetUp {
  readonly handlers?: Partial<ManagerHandlers>;
  readonly limits?: Partial<StrangerLimits>;
  readonly root?: RootCa;
  readonly tls?: TlsMaterial;
}

async function setUp(context: TestContext, { handlers = {}, limits, root: given, tls }: SetUp = {}) {
  const root = given ?? (await createRootCa({ now: Date.now() }));
  const calls: string[] = [];
  const connection: ManagerConnection = {
    openSession: () => assert.fail('not asked for'),
    reportStatus: async () => void calls.push('reportStatus'),
    reportDescription: async () => void calls.push('reportDescription'),
    reportNetworkApplied: async () => void calls.push('reportNetworkApplied'),
    heartbeat: async () => void calls.push('heartbeat'),
  };
  const denied = () => Promise.reject(new AppError('permissionDenied', 'not asked for'));
  const server = await startManagerServer({
    host: '127.0.0.1',
    port: 0,
    tls: tls ?? (await identity(root, 'm1', 'manager')),
    log: silentLogger,
    limits: { ...strangerLimits, ...limits },
    handlers: {
      rootCertificate: () => root.certificate,
      issueCertificate: async ({ token = '' }) => {
        calls.push(`issue ${token}`);
        throw new AppError('invalidArgument', 'no');
      },
      connect: () => connection,
      trust: async function* () {},
      leave: async () => {},
      joinManagers: denied,
      confirmManager: denied,
      tunnel: (_peer, _id, stream) => stream.destroy(),
      askTunnel: () => Promise.reject(new AppError('permissionDenied', 'not asked for')),
      relay: denied,
      ...handlers,
    },
  });
  context.after(() => server.close());
  return { root, server, calls, address: `127.0.0.1:${server.port}` };
}

/** Sends bytes as they are to a method; resolves with the status code and what was said. */
async function send(context: TestContext, address: string, tls: Partial<TlsMaterial>, method: keyof typeof managerService, bytes: Buffer) {
  const { roots = '', key, certificate } = tls;
  const own = key === undefined || certificate === undefined ? [null, null] : [Buffer.from(key), Buffer.from(certificate)];
  const channel = { 'grpc.ssl_target_name_override': 'swarm-manager', 'grpc.default_authority': 'swarm-manager', 'grpc.max_send_message_length': -1 };
  const client = new Client(address, credentials.createSsl(Buffer.from(roots), ...(own as [Buffer | null, Buffer | null])), channel);
  context.after(() => client.close());
  return new Promise<readonly [status, string]>((resolve) => {
    const raw = (value: Buffer) => value;
    client.makeUnaryRequest(managerService[method].path, raw, raw, bytes, new Metadata(), { deadline: Date.now() + 20_000 }, (error: ServiceError | null) =>
      resolve([error?.code ?? status.OK, error?.details ?? '']),
    );
  });
}

test('TLS before 1.3 is refused', async (context) => {
  const { server, root } = await setUp(context);
  const socket = connectTls({ port: server.port, host: '127.0.0.1', ca: root.certificate, servername: 'swarm-manager', maxVersion: 'TLSv1.2' });
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  assert.match(String(error.code), /PROTOCOL_VERSION/);
});

test('messages that are too long, no JSON, or of another form are refused, and the manager goes on', async (context) => {
  const { root, address, calls } = await setUp(context);
  const member = await identity(root, 'w1', 'worker');
  const guest = { roots: root.certificate };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  assert.equal((await send(context, address, guest, 'issueCertificate', Buffer.alloc(100_000, 0x20)))[0], status.RESOURCE_EXHAUSTED);
  assert.equal((await send(context, address, member, 'heartbeat', Buffer.alloc(33 * 1024 * 1024, 0x20)))[0], status.RESOURCE_EXHAUSTED);
  assert.equal((await send(context, address, member, 'heartbeat', Buffer.from('{"sessionId":')))[0], status.INTERNAL);
  assert.equal((await send(context, address, member, 'heartbeat', Buffer.from('['.repeat(60_000))))[0], status.INTERNAL);
  assert.equal((await send(context, address, member, 'heartbeat', Buffer.from('['.repeat(60_000) + ']'.repeat(60_000))))[0], status.INTERNAL);
  const good = {
    hostname: 'h',
    dataPathAddress: '192.0.2.1',
    platform: { os: 'linux', architecture: 'x' },
    resources: {},
    engine: { version: '1', labels: {}, plugins: [] },
  };
  const update = (fields: object) => ({ sessionId: 's', updates: [{ taskId: 't', status: { state: 'running', timestamp: 1, message: '', ...fields } }] });
  for (const [method, value, complaint] of [
    ['issueCertificate', [], 'request must be an object'],
    ['issueCertificate', { request: 7 }, 'request.request must be a text'],
    ['issueCertificate', { request: '', availability: 'often' }, 'request.availability must be one of active, pause, drain'],
    ['heartbeat', [], 'sessionId must be a text'],
    ['reportStatus', { sessionId: 's' }, 'updates must be a list'],
    ['reportStatus', update({ state: 'new' }), 'updates[0].status.state must be one that agents report'],
    ['reportStatus', update({ state: 'toString' }), 'updates[0].status.state must be one that agents report'],
    ['reportStatus', update({ timestamp: 1e300 }), 'updates[0].status.timestamp must be a time'],
    ['reportStatus', update({ hostPorts: [{ protocol: 'tcp', targetPort: 'x' }] }), 'updates[0].status.hostPorts[0].targetPort must be a port'],
    ['reportDescription', { sessionId: 's' }, 'description must be an object'],
    ['reportDescription', { sessionId: 's', description: { ...good, hostname: {} } }, 'description.hostname must be a text'],
    [
      'reportDescription',
      { sessionId: 's', description: { ...good, dataPathAddress: '1.2.3.4; reboot' } },
      'description.dataPathAddress must be an IP address',
    ],
    [
      'reportDescription',
      { sessionId: 's', description: { ...good, encryption: { publicKey: 'x\nPostUp = reboot', port: 1 } } },
      'encryption.publicKey must be a WireGuard key',
    ],
    ['reportNetworkApplied', { sessionId: 's', version: 'x' }, 'version must be a number'],
    ['joinManagers', { request: '', advertiseAddr: 'x:1,y=https://z' }, 'request.advertiseAddr must be host:port'],
  ] as const) {
    const [code, text] = await send(context, address, method === 'issueCertificate' ? guest : member, method, json(value));
    assert.equal(code, status.INVALID_ARGUMENT, `${method} ${JSON.stringify(value)}: ${text}`);
    assert.ok(text.startsWith('malformed message: ') && text.includes(complaint), text);
  }
  assert.deepEqual(calls, []);
  assert.deepEqual(await send(context, address, member, 'reportDescription', json({ sessionId: 's', description: { ...good, ofTheFuture: 1 } })), [
    status.OK,
    '',
  ]);
  assert.deepEqual(await send(context, address, member, 'reportStatus', json(update({}))), [status.OK, '']);
  assert.deepEqual(calls, ['reportDescription', 'reportStatus']);
});

test('connections that say nothing are closed, and so are guests that stay', async (context) => {
  const { address, server, root } = await setUp(context, { limits: { handshakeMs: 2_000, guestLifeMs: 400 } });
  const silent = connectTcp({ port: server.port, host: '127.0.0.1' });
  silent.on('error', () => {});
  // One says nothing after TLS, one sends half of what begins HTTP/2.
  const guests = [1, 2].map(() => guestOf(server.port, root));
  guests[1]?.write('PRI * HTTP/2.0\r\n');
  await Promise.all([silent, ...guests].map((socket) => once(socket, 'close')));
  assert.equal((await send(context, address, await identity(root, 'w1', 'worker'), 'heartbeat', Buffer.from('{"sessionId":"s"}')))[0], status.OK);
});

test('who opens more connections than his address may have loses his own oldest, and others still get in', async (context) => {
  const room = { total: 6, perPlace: 4 };
  const { address, server, root } = await setUp(context, { limits: { handshakes: room, guests: room, perMember: 2 } });
  const elsewhere = guestOf(server.port, root, '127.0.0.2');
  await once(elsewhere, 'secureConnect');
  for (const open of [() => connectTcp({ port: server.port, host: '127.0.0.1', localAddress: '127.0.0.3' }), () => guestOf(server.port, root, '127.0.0.3')]) {
    const many = [];
    for (let index = 0; index < 8; index++) {
      const socket = open();
      socket.on('error', () => {}).resume();
      many.push(once(socket, 'close').then(() => index));
      await once(socket, socket instanceof TLSSocket ? 'secureConnect' : 'connect');
      context.after(() => socket.destroy());
    }
    assert.deepEqual(new Set([await many[0], await many[1], await many[2], await many[3]]), new Set([0, 1, 2, 3]));
    assert.equal((await send(context, address, { roots: root.certificate }, 'rootCertificate', Buffer.from('{}')))[0], status.OK);
    assert.equal((await send(context, address, await identity(root, 'w1', 'worker'), 'heartbeat', Buffer.from('{"sessionId":"s"}')))[0], status.OK);
  }
  assert.equal(elsewhere.destroyed, false);
  elsewhere.destroy();
  const { key, certificate } = await identity(root, 'w2', 'worker');
  const own = [1, 2, 3].map(() => guestOf(server.port, root, '127.0.0.1', { key, cert: certificate }));
  context.after(() => own.forEach((socket) => void socket.destroy()));
  await Promise.race(own.map((socket) => once(socket, 'close')));
  assert.equal(own.filter(({ destroyed }) => destroyed).length, 1);
});

test('a guest has few streams and little room for headers, and a member that resets streams without end is cut off', async (context) => {
  const { server, root, address } = await setUp(context);
  const { key, certificate } = await identity(root, 'w1', 'worker');
  const path = managerService.rootCertificate.path;
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const guest = connectHttp2(`https://127.0.0.1:${server.port}`, { ca: root.certificate, servername: 'swarm-manager' });
  guest.on('error', () => {});
  context.after(() => guest.destroy());
  const [settings] = (await once(guest, 'remoteSettings')) as [{ maxConcurrentStreams?: number }];
  assert.equal(settings.maxConcurrentStreams, 8);
  // 100 KB of headers are more than anybody has to say.
  const bomb = guest.request({ ...headers, ...Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x-${index}`, 'a'.repeat(1_000)])) });
  bomb.end();
  await assert.rejects(once(bomb, 'close'), { code: 'ERR_HTTP2_STREAM_ERROR' });
  const member = guestOf(server.port, root, '127.0.0.1', { key, cert: certificate });
  await once(member, 'secureConnect');
  member.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]));
  // Each stream is begun and reset at once, so that there is never more than one.
  const resets = async () => {
    for (let stream = 1; member.writable; stream += 2) {
      const isFull = !member.write(Buffer.concat([frame(1, 4, stream, requestHead(path)), frame(3, 0, stream, Buffer.from([0, 0, 0, 8]))]));
      if (isFull || stream % 200 === 1) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all([resets(), once(member, 'close')]);
  assert.equal((await send(context, address, { roots: root.certificate }, 'rootCertificate', Buffer.from('{}')))[0], status.OK);
});

test('a certificate that says manager is worth nothing when another root signed it', async (context) => {
  const { root, address, calls } = await setUp(context);
  const foreign = await createRootCa({ now: Date.now() });
  const stranger = { ...(await identity(foreign, 'm1', 'manager')), roots: root.certificate };
  assert.equal((await send(context, address, stranger, 'joinManagers', Buffer.from('{}')))[0], status.UNAVAILABLE);
  assert.deepEqual(calls, []);
  assert.match(
    String(await whyNotTrusted(address, stranger, systemClock, options.signal)),
    /does not take the certificate of this node: the swarm's root was replaced without it/,
  );
  const lost = { ...stranger, roots: foreign.certificate };
  assert.match(String(await whyNotTrusted(address, lost, systemClock, options.signal)), /shows a certificate of a root that this node does not trust/);
  assert.equal(await whyNotTrusted(address, await identity(root, 'w1', 'worker'), systemClock, options.signal), undefined);
  assert.equal(await whyNotTrusted('127.0.0.1:1', stranger, systemClock, options.signal), undefined);
});

test('who stands between a node and its manager gets no token: neither with a root of his own, nor with the true root and no certificate of it', async (context) => {
  const root = await createRootCa({ now: Date.now() });
  const token = formatJoinToken(root.certificate, createJoinSecret(createSeededRandom(1)));
  const own = await createRootCa({ now: Date.now() });
  const liar = await setUp(context, { root: own });
  await assert.rejects(requestIdentity({ ...options, address: liar.address, token }), /remote CA does not match fingerprint\. Expected: [0-9a-f]{64}$/);
  const tls = await identity(own, 'm1', 'manager');
  const impostor = await setUp(context, { root: own, tls, handlers: { rootCertificate: () => root.certificate } });
  await assert.rejects(requestIdentity({ ...options, address: impostor.address, token }), { code: 'unavailable' });
  // A worker of the swarm that lies about being a manager.
  const worker = await setUp(context, { root, tls: await identity(root, 'w1', 'worker') });
  await assert.rejects(requestIdentity({ ...options, address: worker.address, token }), { code: 'unavailable' });
  assert.deepEqual([...liar.calls, ...impostor.calls, ...worker.calls], []);
});

test('a node whose clock is wrong is told so, and by how much', async (context) => {
  const root = await createRootCa({ now: Date.now() + 3 * day });
  const token = formatJoinToken(root.certificate, createJoinSecret(createSeededRandom(1)));
  const ahead = await setUp(context, { root, tls: await identity(root, 'm1', 'manager', Date.now() + 3 * day) });
  await assert.rejects(requestIdentity({ ...options, address: ahead.address, token }), {
    code: 'failedPrecondition',
    message:
      /^the certificate of the manager at \S+ is valid from \S+ to \S+, and this node's clock shows \S+, at least 2 days 22 h behind: check the clocks of both$/,
  });
});

test('a server that accepts and says nothing does not hold a join up for ever', async (context) => {
  const root = await createRootCa({ now: Date.now() });
  const tls = await identity(root, 'm1', 'manager');
  const sockets: TLSSocket[] = [];
  const mute = createServer({ cert: tls.certificate, key: tls.key, ALPNProtocols: ['h2'] }, (socket) => {
    sockets.push(socket);
    socket.resume().on('error', () => {});
  });
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  context.after(() => {
    mute.close();
    for (const socket of sockets) socket.destroy();
  });
  const bound = mute.address();
  const address = `127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
  const token = formatJoinToken(root.certificate, createJoinSecret(createSeededRandom(1)));
  await assert.rejects(requestIdentity({ ...options, address, token }), ({ code }: AppError) => ['deadlineExceeded', 'unavailable'].includes(code));
});

test('whoever is in a handshake when the server closes is cut off, not served by nobody for ever', { timeout: 20_000 }, async (context) => {
  const { server, root } = await setUp(context, { limits: { handshakeMs: 300_000, guestLifeMs: 300_000 } });
  const silent = connectTcp(server.port, '127.0.0.1').resume();
  await once(silent, 'connect');
  // At every stage of a handshake.
  const guests: TLSSocket[] = [];
  for (let count = 0; count < 40; count++) {
    guests.push(guestOf(server.port, root));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const ends = [silent, ...guests].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
  await server.close();
  await Promise.all(ends);
});
