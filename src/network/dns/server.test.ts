import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import dnsPacket, { type DecodedPacket, type Packet } from 'dns-packet';
import fc from 'fast-check';
import { createDnsServer } from './server.ts';
import type { DnsServer, DnsServerOptions, Zone } from './zone.ts';

const manyAddresses = Array.from({ length: 200 }, (_, index) => `10.0.${index >> 8}.${index & 255}`);
const names: Record<string, readonly string[]> = {
  web: ['10.0.1.2'],
  'tasks.web': ['10.0.1.3', '10.0.1.4', '10.0.1.5'],
  idle: [],
  both: ['10.0.1.9', 'fd00::9'],
  many: manyAddresses,
};
const zone: Zone = { lookup: (name) => names[name], reverse: (address) => ({ '10.0.1.3': 'web.1.abc', 'fd00::9': 'six' })[address] };

async function serve(t: TestContext, options: Partial<DnsServerOptions> = {}): Promise<DnsServer> {
  const server = await createDnsServer({
    address: '127.0.0.1',
    port: 0,
    zoneFor: () => zone,
    upstreams: () => [],
    log() {},
    upstreamTimeoutMs: 60,
    ...options,
  });
  t.after(() => server.close());
  return server;
}

function encodeQuestion(name: string, type: string, fields: Packet = {}): Buffer {
  return dnsPacket.encode({ type: 'query', id: 4711, flags: dnsPacket.RECURSION_DESIRED, questions: [{ name, type: type as 'A' }], ...fields });
}

async function exchange(port: number, packet: Buffer): Promise<Buffer> {
  const socket = createSocket('udp4');
  try {
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.send(packet);
    const [message]: Buffer[] = await once(socket, 'message');
    return message ?? Buffer.alloc(0);
  } finally {
    socket.close();
  }
}

async function ask({ port }: DnsServer, name: string, type = 'A', fields: Packet = {}): Promise<DecodedPacket & { rcode?: string }> {
  return dnsPacket.decode(await exchange(port, encodeQuestion(name, type, fields)));
}

async function askTcp({ port }: DnsServer, packets: readonly Buffer[]): Promise<DecodedPacket[]> {
  const socket = connect(port, '127.0.0.1');
  const framed = packets.map((packet) => Buffer.concat([Buffer.of(packet.length >> 8, packet.length & 255), packet]));
  // In odd pieces, and closed for writing at once.
  const all = Buffer.concat(framed);
  socket.write(all.subarray(0, 5));
  socket.end(all.subarray(5));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  let rest = Buffer.concat(chunks);
  const answers: DecodedPacket[] = [];
  while (rest.length > 2) {
    const end = 2 + rest.readUInt16BE(0);
    answers.push(dnsPacket.decode(rest.subarray(2, end)));
    rest = rest.subarray(end);
  }
  return answers;
}

const addressesOf = ({ answers = [] }: Packet) => answers.map((answer) => ('data' in answer && typeof answer.data === 'string' ? answer.data : ''));

/** A resolver of the outside world; `reply` gives the answer's bytes for a query's, or nothing. */
async function startUpstream(t: TestContext, reply: (query: Buffer) => Buffer | undefined): Promise<{ readonly text: string; readonly count: () => number }> {
  const socket = createSocket('udp4');
  let count = 0;
  socket.on('message', (message, from) => {
    count++;
    const answer = reply(message);
    if (answer) socket.send(answer, from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  return { text: `127.0.0.1:${socket.address().port}`, count: () => count };
}

function answering(address: string, fields: Packet = {}): (query: Buffer) => Buffer {
  return (query) => {
    const { id, questions = [] } = dnsPacket.decode(query);
    const [{ name } = { name: '' }] = questions;
    return dnsPacket.encode({ type: 'response', id, questions, answers: [{ type: 'A', name, ttl: 60, data: address }], ...fields });
  };
}

test('a service resolves to its virtual IP, authoritatively and for a short time', async (t) => {
  const server = await serve(t);
  const answer = await ask(server, 'web');
  assert.equal(answer.id, 4711);
  assert.equal(answer.rcode, 'NOERROR');
  assert.ok(answer.flag_aa && answer.flag_ra && answer.flag_rd && !answer.flag_tc);
  assert.deepEqual(answer.answers, [{ name: 'web', type: 'A', class: 'IN', ttl: 1, flush: false, data: '10.0.1.2' }]);
});

test('a known name without an address of the wanted kind exists but is empty', async (t) => {
  const server = await serve(t);
  for (const [name, type] of [
    ['web', 'AAAA'],
    ['web', 'TXT'],
    ['web', 'SRV'],
    ['idle', 'A'],
  ] as const) {
    const answer = await ask(server, name, type);
    assert.equal(answer.rcode, 'NOERROR');
    assert.deepEqual(answer.answers, []);
  }
  // HTTPS, which browsers and curl ask for: a type that the library does not know.
  const https = encodeQuestion('web', 'A');
  https.writeUInt16BE(65, https.length - 4);
  const answer = await exchange(server.port, https);
  assert.deepEqual([answer.readUInt16BE(2) & 0xf, answer.readUInt16BE(6)], [0, 0]);
  assert.deepEqual(addressesOf(await ask(server, 'both', 'AAAA')), ['fd00::9']);
  assert.deepEqual(addressesOf(await ask(server, 'both', 'ANY')).toSorted(), ['10.0.1.9', 'fd00::9']);
});

test('addresses come in changing order, each first about equally often', async (t) => {
  const server = await serve(t);
  const first = new Map<string, number>();
  for (let round = 0; round < 300; round++) {
    const addresses = addressesOf(await ask(server, 'tasks.web'));
    assert.deepEqual(addresses.toSorted(), names['tasks.web']);
    first.set(addresses[0] ?? '', (first.get(addresses[0] ?? '') ?? 0) + 1);
  }
  // 100 each is expected; 60 is five standard deviations away.
  for (const [address, count] of first) assert.ok(count > 60, `${address} came first ${count} times of 300`);
});

test('names match whatever their case, and the answer repeats the question as it was asked', async (t) => {
  const server = await serve(t);
  const answer = await ask(server, 'TaSkS.wEb');
  assert.equal(answer.questions?.[0]?.name, 'TaSkS.wEb');
  assert.equal(answer.answers?.[0]?.name, 'TaSkS.wEb');
  assert.equal(answer.answers?.length, 3);
});

test('addresses of tasks have names', async (t) => {
  const server = await serve(t);
  assert.deepEqual(addressesOf(await ask(server, '3.1.0.10.in-addr.arpa', 'PTR')), ['web.1.abc']);
  assert.deepEqual(addressesOf(await ask(server, `9.${'0.'.repeat(29)}d.f.ip6.arpa`, 'PTR')), ['six']);
});

test('an answer too long for UDP is cut and marked, with EDNS longer, and whole over TCP', async (t) => {
  const server = await serve(t);
  const plain = await exchange(server.port, encodeQuestion('many', 'A'));
  assert.ok(plain.length <= 512);
  const cut = dnsPacket.decode(plain);
  assert.ok(cut.flag_tc && (cut.answers?.length ?? 0) >= 29, `${cut.answers?.length}`);
  const opt = {
    additionals: [{ type: 'OPT' as const, name: '.', udpPayloadSize: 4_096, flags: 0, options: [], extendedRcode: 0, ednsVersion: 0, flag_do: false }],
  };
  const longer = await ask(server, 'many', 'A', opt);
  assert.ok(longer.flag_tc && (longer.answers?.length ?? 0) > 70);
  assert.equal(longer.additionals?.[0]?.type, 'OPT');
  const [first, second] = await askTcp(server, [encodeQuestion('many', 'A'), encodeQuestion('web', 'A', { id: 7 })]);
  assert.deepEqual(addressesOf(first ?? {}).toSorted(), manyAddresses.toSorted());
  assert.deepEqual([second?.id, addressesOf(second ?? {})], [7, ['10.0.1.2']]);
});

test('other names are asked of the host’s resolvers, and their answer comes back as it is', async (t) => {
  const upstream = await startUpstream(t, answering('192.0.2.80'));
  const server = await serve(t, { upstreams: () => [upstream.text] });
  const answer = await ask(server, 'WWW.example.com');
  assert.deepEqual([answer.id, answer.questions?.[0]?.name, addressesOf(answer)], [4711, 'WWW.example.com', ['192.0.2.80']]);
  assert.deepEqual(addressesOf(await ask(server, 'stranger')), ['192.0.2.80']);
  assert.equal(upstream.count(), 2);
  await ask(server, 'web');
  assert.equal(upstream.count(), 2);
});

test('a resolver that no packet can be sent to is passed over like one that refuses', async (t) => {
  const good = await startUpstream(t, answering('9.9.9.9'));
  // The kernel refuses both before anything is sent, as it does where there is no route: a broadcast, and a link-local address without its link.
  const unreachable = ['255.255.255.255', 'fe80::1'];
  const server = await serve(t, { upstreams: () => [...unreachable, good.text] });
  assert.equal((await ask(server, 'example.com')).answers?.length, 1);
  const alone = await serve(t, { upstreams: () => unreachable });
  assert.equal((await ask(alone, 'example.com')).rcode, 'SERVFAIL');
});

test('a silent resolver is passed over after a moment, a refusing one at once, and the first good answer wins', async (t) => {
  const silent = await startUpstream(t, () => undefined);
  const refusing = await startUpstream(t, answering('0.0.0.0', { flags: 5, answers: [] }));
  const good = await startUpstream(t, answering('192.0.2.1'));
  const server = await serve(t, { upstreams: () => [silent.text, '127.0.0.1:1', 'nonsense', refusing.text, good.text] });
  assert.equal((await ask(server, 'a.example')).rcode, 'REFUSED');
  const short = await serve(t, { upstreams: () => [silent.text, refusing.text, good.text] });
  assert.deepEqual(addressesOf(await ask(short, 'a.example')), ['192.0.2.1']);
});

test('when no resolver answers the client is told so, and a name without a dot is unknown when there is no resolver', async (t) => {
  const silent = await startUpstream(t, () => undefined);
  const server = await serve(t, { upstreams: () => [silent.text] });
  assert.equal((await ask(server, 'a.example')).rcode, 'SERVFAIL');
  assert.equal(silent.count(), 3);
  const alone = await serve(t);
  assert.equal((await ask(alone, 'a.example')).rcode, 'SERVFAIL');
  assert.equal((await ask(alone, 'stranger')).rcode, 'NXDOMAIN');
});

test('forged answers, with another id or another question, do not count', async (t) => {
  const liar = await startUpstream(t, (query) => {
    const answer = answering('6.6.6.6')(query);
    answer.writeUInt16BE((answer.readUInt16BE(0) + 1) & 0xffff, 0);
    return answer;
  });
  const other = await startUpstream(t, (query) => answering('6.6.6.6', { questions: [{ type: 'A', name: 'b.example' }] })(query));
  const server = await serve(t, { upstreams: () => [liar.text, other.text] });
  const answer = await ask(server, 'a.example');
  assert.deepEqual([answer.rcode, answer.answers], ['SERVFAIL', []]);
});

test('an answer that is cut over UDP is had over TCP for a client that came by TCP', async (t) => {
  // The other server is one of ours: it cuts over UDP and is whole over TCP.
  const world = await serve(t);
  const server = await serve(t, { zoneFor: () => ({ lookup: () => undefined, reverse: () => undefined }), upstreams: () => [`127.0.0.1:${world.port}`] });
  assert.ok((await ask(server, 'many')).flag_tc);
  const [answer] = await askTcp(server, [encodeQuestion('many', 'A')]);
  assert.equal(answer?.answers?.length, 200);
});

test('while the asker’s zone is unknown, names that may be ours fail for now and others resolve', async (t) => {
  const upstream = await startUpstream(t, answering('192.0.2.80'));
  const server = await serve(t, {
    zoneFor: (source) => {
      assert.equal(source, '127.0.0.1');
      return Promise.resolve(undefined);
    },
    upstreams: () => [upstream.text],
  });
  for (const name of ['web', 'tasks.web', 'web.1.rijuah6mglois0antm3nbobvg', '3.1.0.10.in-addr.arpa'])
    assert.equal((await ask(server, name)).rcode, 'SERVFAIL', name);
  assert.deepEqual(addressesOf(await ask(server, 'www.example.com')), ['192.0.2.80']);
  const failing = await serve(t, { zoneFor: () => Promise.reject(new Error('not now')), upstreams: () => [upstream.text] });
  assert.equal((await ask(failing, 'web')).rcode, 'SERVFAIL');
});

test('the server never asks itself, and notices its own question when it comes back', async (t) => {
  const upstreams: string[] = [];
  let queries = 0;
  const counted = () => {
    queries++;
    return zone;
  };
  const server = await serve(t, { upstreams: () => upstreams, zoneFor: counted });
  upstreams.push(`127.0.0.1:${server.port}`);
  assert.equal((await ask(server, 'a.example')).rcode, 'SERVFAIL');
  assert.equal(queries, 1);
  // A relay that hands the very packet back.
  const relay = await startUpstream(t, (query) => {
    const back = createSocket('udp4');
    back.on('message', () => back.close());
    back.send(query, server.port, '127.0.0.1');
    return undefined;
  });
  upstreams.splice(0, 1, relay.text);
  assert.equal((await ask(server, 'a.example')).rcode, 'SERVFAIL');
  assert.equal(relay.count(), 3);
});

test('whatever arrives, the server stays up and answers the next question', async (t) => {
  const server = await serve(t);
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.on('message', () => {});
  const valid = encodeQuestion('web', 'A');
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 100 }),
        fc
          .tuple(fc.nat(valid.length - 1), fc.nat(255))
          .map(([index, value]) => Uint8Array.from(valid.map((byte, position) => (position === index ? value : byte)))),
        fc.nat(valid.length).map((length) => Uint8Array.from(valid.subarray(0, length))),
      ),
      async (bytes) => {
        socket.send(bytes, server.port, '127.0.0.1');
        assert.deepEqual(addressesOf(await ask(server, 'web')), ['10.0.1.2']);
      },
    ),
    { numRuns: 200 },
  );
});

test('what is malformed gets a format error, other operations are not implemented, answers get no answer', async (t) => {
  const server = await serve(t);
  const rcodeOf = async (change: (packet: Buffer) => Buffer) => (await exchange(server.port, change(encodeQuestion('web', 'A')))).readUInt16BE(2) & 0xf;
  assert.equal(await rcodeOf((packet) => packet.subarray(0, 14)), 1);
  assert.equal(await rcodeOf((packet) => (packet.writeUInt16BE(2, 4), packet)), 1);
  assert.equal(await rcodeOf((packet) => (packet.writeUInt8(0xc0, 12), packet)), 1);
  assert.equal(await rcodeOf((packet) => (packet.writeUInt8(0x20, 2), packet)), 4);
  assert.equal((await ask(server, 'web', 'AXFR')).rcode, 'NOTIMP');
  assert.equal((await ask(server, 'web', 'A', { questions: [{ type: 'A', name: 'web', class: 'CH' }] })).rcode, 'REFUSED');
  const response = encodeQuestion('web', 'A');
  response.writeUInt16BE(0x8000, 2);
  // The answer to the second packet is the first to come.
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.send(response, server.port, '127.0.0.1');
  socket.send(encodeQuestion('web', 'A', { id: 99 }), server.port, '127.0.0.1');
  const [message]: Buffer[] = await once(socket, 'message');
  assert.equal(message?.readUInt16BE(0), 99);
});

test('a taken address is a clear error', async (t) => {
  const server = await serve(t);
  await assert.rejects(serve(t, { port: server.port }), /cannot serve DNS on 127\.0\.0\.1 port \d+: bind EADDRINUSE/);
});

test('a hundred questions at once all get their answer, local and forwarded', async (t) => {
  const upstream = await startUpstream(t, answering('192.0.2.80'));
  const server = await serve(t, { upstreams: () => [upstream.text], upstreamTimeoutMs: 2_000 });
  const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(server, index % 2 ? 'web' : `n${index}.example`)));
  assert.deepEqual(new Set(answers.flatMap(addressesOf)), new Set(['10.0.1.2', '192.0.2.80']));
  assert.ok(answers.every(({ rcode }) => rcode === 'NOERROR'));
});
