import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { type AddressInfo, connect, createServer, Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createJoinSecret, formatJoinToken } from '#ca/join-token.ts';
import { createCertificateRequest, digestOfKey, signCertificateRequest } from '#ca/node-certificate.ts';
import { createRootCa, type RootCa } from '#ca/root.ts';
import type { NodeDescription } from '#domain/objects.ts';
import { AppError } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { createSeededRandom } from '#lib/testing/fake-clock.ts';
import { systemClock } from '#platform/clock.ts';
import type { ManagerConnection, SessionMessage } from '#protocol/messages.ts';
import { requestIdentity } from './bootstrap.ts';
import { createManagerClient } from './client.ts';
import { decode, encode } from './codec.ts';
import { type ManagerHandlers, type Peer, startManagerServer } from './server.ts';
import { joinTunnel } from './tunnel.ts';

const description: NodeDescription = {
  hostname: 'two',
  dataPathAddress: '192.0.2.2',
  platform: { os: 'linux', architecture: 'x86_64' },
  resources: {},
  engine: { version: '20.10', labels: {}, plugins: [] },
};
const now = Date.now();

async function identity(root: RootCa, nodeId: string, role: 'manager' | 'worker', now = Date.now()) {
  const { request, key } = await createCertificateRequest();
  return { certificate: await signCertificateRequest(root, request, { nodeId, role, clusterId: 'c1' }, { now }), key, roots: root.certificate };
}

async function setUp(context: TestContext, handlers: Partial<ManagerHandlers> = {}) {
  const root = await createRootCa({ now });
  const server = await startManagerServer({
    host: '127.0.0.1',
    port: 0,
    tls: await identity(root, 'm1', 'manager'),
    log: silentLogger,
    handlers: {
      rootCertificate: () => root.certificate,
      issueCertificate: () => Promise.reject(new AppError('invalidArgument', 'not asked for')),
      connect: () => {
        throw new AppError('permissionDenied', 'not asked for');
      },
      trust: async function* () {},
      leave: async () => {},
      joinManagers: () => Promise.reject(new AppError('permissionDenied', 'not asked for')),
      confirmManager: () => Promise.reject(new AppError('permissionDenied', 'not asked for')),
      tunnel: (_peer, _id, stream) => stream.destroy(),
      askTunnel: () => Promise.reject(new AppError('unavailable', 'not asked for')),
      relay: () => Promise.reject(new AppError('unavailable', 'not asked for')),
      ...handlers,
    },
  });
  context.after(() => server.close());
  const address = `127.0.0.1:${server.port}`;
  const clientOf = (tls: Parameters<typeof createManagerClient>[1]) => {
    const client = createManagerClient(address, tls);
    context.after(() => client.close());
    return client;
  };
  return { root, address, clientOf, server };
}

const never = { reportDescription: async () => {}, reportNetworkApplied: async () => {}, heartbeat: async () => {}, reportStatus: async () => {} };

test('bytes survive the way, at any depth, and nothing else is taken for bytes', () => {
  const value = { secrets: [{ data: Buffer.from([0, 255, 7]), name: 'x' }], plain: { $bytes: 'aa', more: 1 }, none: undefined };
  assert.deepEqual(decode(encode(value)), { secrets: [{ data: new Uint8Array([0, 255, 7]), name: 'x' }], plain: { $bytes: 'aa', more: 1 } });
});

test('a process that ended is told from one that is heard of no more, and from one that only ends its session', async (context) => {
  const endings: (boolean | undefined)[] = [];
  const { root, address, clientOf } = await setUp(context, {
    connect: ({ hasClosed }) => ({
      ...never,
      async *openSession(_description, signal) {
        yield { kind: 'bye', reason: 'only a beginning' };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        endings.push(hasClosed?.());
      },
    }),
  });
  const tls = await identity(root, 'w1', 'worker');
  const stop = new AbortController();
  for await (const _message of clientOf(tls).openSession(description, stop.signal)) stop.abort();
  while (endings.length < 1) await delay(10);
  // A cable between them, which ends with its machine's process, or is taken out.
  const [, port] = address.split(':');
  const fate = new EventEmitter();
  const cable = createServer((near) => {
    const far = connect(Number(port), '127.0.0.1');
    near.pipe(far).pipe(near);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
    fate.once('ended', () => far.destroy());
    fate.once('cut', () => {
      near.unpipe();
      far.unpipe();
    });
  });
  await new Promise<void>((resolve) => cable.listen(0, '127.0.0.1', resolve));
  context.after(() => cable.close());
  for (const happens of ['ended', 'cut']) {
    const client = createManagerClient(`127.0.0.1:${(cable.address() as AddressInfo).port}`, tls);
    const before = endings.length;
    const session = client.openSession(description, new AbortController().signal)[Symbol.asyncIterator]();
    await session.next();
    fate.emit(happens);
    await assert.rejects(session.next());
    while (endings.length === before) await delay(10);
    client.close();
    fate.removeAllListeners();
  }
  assert.deepEqual(endings, [false, true, false]);
});

test('a node with a certificate of the swarm is who it says, and gets its session in order', async (context) => {
  const peers: Peer[] = [];
  const messages: SessionMessage[] = [
    { kind: 'session', sessionId: 's', nodeId: 'w1', heartbeatPeriodMs: 5_000, managers: [] },
    { kind: 'complete', assignments: { tasks: [], secrets: [{ id: 'x', version: 1, name: 'x', data: new Uint8Array([1, 2]) }], configs: [] } },
  ];
  let closed = false;
  const connection: ManagerConnection = {
    ...never,
    async *openSession(given, signal) {
      assert.deepEqual(given, description);
      yield* messages;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      closed = true;
    },
    reportStatus: (sessionId) => Promise.reject(new AppError('notFound', `no session ${sessionId}`)),
  };
  const { root, clientOf } = await setUp(context, {
    connect(peer) {
      peers.push(peer);
      return connection;
    },
  });
  const client = clientOf(await identity(root, 'w1', 'worker'));
  const stop = new AbortController();
  const received: SessionMessage[] = [];
  for await (const message of client.openSession(description, stop.signal)) {
    received.push(message);
    if (received.length === messages.length) stop.abort();
  }
  assert.deepEqual(received, messages);
  const { keyDigest, hasClosed, ...peer } = peers[0] as Peer;
  assert.match(keyDigest, /^[0-9a-f]{64}$/);
  assert.equal(hasClosed?.(), false);
  assert.deepEqual(peer, { nodeId: 'w1', roleName: 'swarm-worker', clusterId: 'c1', address: '127.0.0.1', isExpired: false, epoch: 0 });
  await assert.rejects(client.reportStatus('nonsense', []), { code: 'notFound', message: 'no session nonsense' });
  while (!closed) await new Promise((resolve) => setImmediate(resolve));
});

test('a node that is no member is told so when it opens a session', async (context) => {
  const { root, clientOf } = await setUp(context);
  const client = clientOf(await identity(root, 'w1', 'worker'));
  const open = async () => {
    for await (const message of client.openSession(description, new AbortController().signal)) assert.fail(message.kind);
  };
  await assert.rejects(open, { code: 'permissionDenied', message: 'not asked for' });
});

test('an expired certificate of the swarm is good for asking for another one only; its key is told', async (context) => {
  const asked: (Peer | undefined)[] = [];
  const { root, clientOf } = await setUp(context, {
    async issueCertificate(_request, peer) {
      asked.push(peer);
      return { nodeId: 'w1', role: 'worker', clusterId: 'c1', dataPathPort: 4789, certificate: '' };
    },
  });
  const day = 24 * 3_600_000;
  const expired = await identity(root, 'w1', 'worker', now - 100 * day);
  const client = clientOf(expired);
  await client.issueCertificate({ request: 'x' });
  assert.deepEqual([asked[0]?.nodeId, asked[0]?.isExpired], ['w1', true]);
  assert.equal(asked[0]?.keyDigest, digestOfKey(new X509Certificate(expired.certificate).publicKey));
  await assert.rejects(client.heartbeat('s'), { code: 'unauthenticated', message: 'the certificate of node w1 has expired; it must be renewed first' });
  const foreign = await createRootCa({ now });
  const stranger = { ...(await identity(foreign, 'w1', 'worker', now - 100 * day)), roots: root.certificate };
  await assert.rejects(clientOf(stranger).issueCertificate({ request: 'x' }), { code: 'unavailable' });
});

test('connections of a node can be closed, and those of others stay', async (context) => {
  let heard = 0;
  const { root, clientOf, server } = await setUp(context, {
    connect: () => ({ ...never, heartbeat: async () => void heard++, openSession: () => assert.fail('not asked for') }),
  });
  const [one, two] = [clientOf(await identity(root, 'w1', 'worker')), clientOf(await identity(root, 'w2', 'worker'))];
  const trust = one.followTrust(new AbortController().signal)[Symbol.asyncIterator]();
  await Promise.all([one.heartbeat('s'), two.heartbeat('s')]);
  const ended = assert.rejects(async () => {
    while (!(await trust.next()).done);
    throw new Error('ended');
  });
  server.disconnect('w1');
  await ended;
  await two.heartbeat('s');
  assert.equal(heard, 3);
});

test('a node without a certificate may ask for one and for nothing else; a foreign certificate may do nothing', async (context) => {
  const { root, clientOf } = await setUp(context);
  await assert.rejects(clientOf({ roots: root.certificate }).heartbeat('s'), { code: 'unauthenticated' });
  const foreign = await createRootCa({ now });
  const stranger = { ...(await identity(foreign, 'w1', 'worker')), roots: root.certificate };
  await assert.rejects(clientOf(stranger).heartbeat('s'), { code: 'unavailable' });
});

test('joining: the token says which root to trust, and its secret reaches nobody else', async (context) => {
  const secret = createJoinSecret(createSeededRandom(1));
  const tokens: (string | undefined)[] = [];
  const { root, address } = await setUp(context, {
    async issueCertificate({ token, request }, peer) {
      tokens.push(token);
      assert.equal(peer, undefined);
      const certificate = await signCertificateRequest(root, request, { nodeId: 'w2', role: 'worker', clusterId: 'c1' }, { now });
      return { nodeId: 'w2', role: 'worker', clusterId: 'c1', dataPathPort: 4789, certificate };
    },
  });
  const options = { address, availability: 'active', cannotManage: undefined, clock: systemClock, signal: new AbortController().signal } as const;
  const token = formatJoinToken(root.certificate, secret);
  const joined = await requestIdentity({ ...options, token });
  assert.deepEqual([joined.nodeId, joined.root, tokens], ['w2', root.certificate, [token]]);
  const foreign = await createRootCa({ now });
  await assert.rejects(
    requestIdentity({ ...options, token: formatJoinToken(foreign.certificate, secret) }),
    /^AppError: remote CA does not match fingerprint. Expected: [0-9a-f]{64}$/,
  );
  assert.equal(tokens.length, 1);
  await assert.rejects(requestIdentity({ ...options, address: '127.0.0.1:1', token }), { code: 'unavailable' });
});

test('joining: connections that are dropped before anything was said are tried again', async (context) => {
  const certificates: string[] = [];
  const { root, server } = await setUp(context, {
    async issueCertificate({ request }) {
      const certificate = await signCertificateRequest(root, request, { nodeId: 'w2', role: 'worker', clusterId: 'c1' }, { now });
      certificates.push(certificate);
      return { nodeId: 'w2', role: 'worker', clusterId: 'c1', dataPathPort: 4789, certificate };
    },
  });
  let count = 0;
  const moody = createServer((socket) => {
    socket.on('error', () => {});
    if (count++ < 2) return void socket.destroy();
    const through = connect(server.port, '127.0.0.1').on('error', () => {});
    socket.pipe(through).pipe(socket);
    socket.once('close', () => through.destroy());
  });
  await new Promise<void>((resolve) => moody.listen(0, '127.0.0.1', resolve));
  context.after(() => moody.close());
  const token = formatJoinToken(root.certificate, createJoinSecret(createSeededRandom(1)));
  const options = { availability: 'active', cannotManage: undefined, clock: systemClock, signal: new AbortController().signal } as const;
  const joined = await requestIdentity({ ...options, address: `127.0.0.1:${(moody.address() as AddressInfo).port}`, token });
  assert.deepEqual([joined.certificate], certificates);
});

test('a tunnel carries bytes both ways', async (context) => {
  const { root, clientOf } = await setUp(context, {
    tunnel(peer, id, stream) {
      stream.write(Buffer.from(`${peer.nodeId} ${id}`));
      stream.on('data', (frame: Buffer) => stream.write(Buffer.from(frame.toString().toUpperCase())));
      stream.on('end', () => stream.end());
    },
  });
  const stream = clientOf(await identity(root, 'w1', 'worker')).openTunnel('t7');
  stream.write(Buffer.from('hello'));
  stream.end();
  const frames: string[] = [];
  for await (const frame of stream) frames.push(String(frame));
  assert.deepEqual(frames, ['w1 t7', 'HELLO']);
});

test('a tunnel whose other end is gone ends at once, on either side', async (context) => {
  const sockets: Socket[] = [];
  const { root, clientOf } = await setUp(context, {
    tunnel(_peer, _id, stream) {
      // The socket behind it closes before it has said its end.
      const socket = new Socket();
      sockets.push(socket);
      joinTunnel(stream, socket);
      socket.destroy();
    },
  });
  const stream = clientOf(await identity(root, 'w1', 'worker')).openTunnel('t8');
  stream.write(Buffer.from('hello'));
  const error = await new Promise<Error>((resolve) => stream.on('error', resolve));
  assert.match(error.message, /UNAVAILABLE: the other end of the tunnel is gone/);
  assert(sockets[0]?.destroyed);
});

test('labels that look like bytes on the way arrive as labels, and bytes as bytes', () => {
  for (const only of ['$bytes', '$$bytes', '$$$bytes', '__proto__', '$bytes$']) {
    const value = { labels: Object.fromEntries([[only, 'AAAA']]), list: [Object.fromEntries([[only, { [only]: 'x' }]])], data: new Uint8Array([1, 2]) };
    assert.deepEqual(decode(encode(value)), value);
  }
});
