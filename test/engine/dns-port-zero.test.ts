// A container may send any packet that it likes. Needs root for a network namespace in which the kernel forges one.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { createNamespace } from '../lib/namespace.ts';

/** A name server and two who ask it: what the first sends gets another source port on its way, and the second must have its answer after that. */
const SCRIPT = `
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
const { createDnsServer } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/network/dns/server.ts'))});
const { default: dnsPacket } = await import(${JSON.stringify(import.meta.resolve('dns-packet'))});
const zone = { lookup: () => ['10.0.0.1'], reverse: () => undefined };
await createDnsServer({ address: '127.0.0.1', port: 53, zoneFor: () => zone, upstreams: () => [], log: () => {} });
const question = dnsPacket.encode({ type: 'query', id: 1, questions: [{ type: 'A', name: 'web' }] });
for (const port of [7777, 7778]) {
  const socket = createSocket('udp4').bind(port, '127.0.0.1');
  await once(socket, 'listening');
  socket.send(question, 53, '127.0.0.1');
  if (port === 7778) console.log(dnsPacket.decode((await once(socket, 'message'))[0]).answers[0].data);
}
process.exit(0);
`;

test('a question from port 0, where nobody can be answered, leaves the name server as it is', async () => {
  const node = await createNamespace('node');
  try {
    const rules = 'add table ip forge; add chain ip forge out { type filter hook output priority 0; }; add rule ip forge out udp sport 7777 udp sport set 0';
    assert.equal((await node.exec(['nft', rules])).code, 0);
    const { code, stdout, stderr } = await node.exec([process.execPath, '--input-type=module', '-e', SCRIPT]);
    assert.deepEqual([code, stdout.trim()], [0, '10.0.0.1'], stderr);
  } finally {
    await node.destroy();
  }
});
