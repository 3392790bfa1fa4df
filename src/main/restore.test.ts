import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import { createCertificateRequest, signCertificateRequest } from '#ca/node-certificate.ts';
import { createRootCa } from '#ca/root.ts';
import { defaultClusterSpec } from '#domain/defaults.ts';
import type { Cluster, Node } from '#domain/objects.ts';
import { systemClock } from '#platform/clock.ts';
import { addressesToBe, assertUnderstood, draftState, type Restored } from './restore.ts';
import { createStateDirectory } from './state-directory.ts';

const interfaces = (address: string) => ({ eth0: [{ address, family: 'IPv4' as const, internal: false, netmask: '', mac: '', cidr: null }] });
const nothing = { listenAddr: '', advertiseAddr: '', dataPathAddr: '' };
const before = { listenAddr: '192.0.2.1:3377', advertiseAddr: '192.0.2.1:3377', dataPathAddr: '192.0.2.1' };

test('a restored node has the addresses that it had where this machine still has them', () => {
  assert.deepEqual(addressesToBe(nothing, before, nothing, interfaces('192.0.2.1')), before);
});

test("on another machine it has that one's addresses, and what listened on all addresses does so again", () => {
  assert.deepEqual(addressesToBe(nothing, before, nothing, interfaces('192.0.2.9')), {
    listenAddr: '0.0.0.0:2377',
    advertiseAddr: '192.0.2.9:2377',
    dataPathAddr: '192.0.2.9',
  });
  const everywhere = { ...before, listenAddr: '0.0.0.0:3377' };
  assert.equal(addressesToBe(nothing, everywhere, nothing, interfaces('192.0.2.9')).advertiseAddr, '192.0.2.9:3377');
});

test('what the user asks for comes first, then what the daemon was told', () => {
  const daemon = { ...nothing, advertiseAddr: '192.0.2.5' };
  assert.equal(addressesToBe(nothing, before, daemon, interfaces('192.0.2.1')).advertiseAddr, '192.0.2.5:3377');
  assert.equal(addressesToBe({ ...nothing, advertiseAddr: '192.0.2.6:1' }, before, daemon, interfaces('192.0.2.1')).advertiseAddr, '192.0.2.6:1');
});

test('a state that means more than this skepd knows is refused, with the version that knows it', () => {
  const restored = (level?: number): Restored => ({
    header: { schema: 1, createdAt: '', clusterId: 'c', nodeId: 'n', revision: 1, program: '9.9.9', key: { kind: 'plain', key: '' }, salt: '', nonce: '' },
    contents: { revision: 1, objects: [{ kind: 'cluster', id: 'c', ...(level === undefined ? {} : { level }) } as Cluster], node: {} as never },
    dataKey: new Uint8Array(32),
  });
  assert.throws(() => assertUnderstood(restored(3), 2), { code: 'failedPrecondition', message: /level 3; it knows up to 2\): restore it with skepd 9\.9\.9/ });
  assertUnderstood(restored(2), 2);
  assertUnderstood(restored(), 1);
});

test('an external CA is shown what skepd was given for it, on a machine that has no certificate of the swarm', async (context) => {
  const path = mkdtempSync(join(tmpdir(), 'skep-restore-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  const now = Date.now();
  const root = await createRootCa({ now });
  const identityOf = async (nodeId: string) => {
    const { request, key } = await createCertificateRequest();
    return { certificate: await signCertificateRequest(root, request, { nodeId, role: 'manager', clusterId: 'c' }, { now, hosts: ['127.0.0.1'] }), key };
  };
  const own = await identityOf('ca');
  const server = createServer(
    { cert: own.certificate, key: own.key, ca: root.certificate, requestCert: true, rejectUnauthorized: true },
    (incoming, outgoing) => {
      void json(incoming).then(async (asked) => {
        const { certificate_request: request, hosts } = asked as { readonly certificate_request: string; readonly hosts: readonly string[] };
        const certificate = await signCertificateRequest(root, request, { nodeId: 'n', role: 'manager', clusterId: 'c' }, { now, hosts });
        outgoing.end(JSON.stringify({ success: true, result: { certificate } }));
      });
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const spec = {
    ...defaultClusterSpec,
    ca: { ...defaultClusterSpec.ca, externalCas: [{ protocol: 'cfssl', url: `https://127.0.0.1:${port}/`, options: {}, caCert: '' }] },
  };
  const meta = { version: 1, createdAt: now, updatedAt: now };
  const cluster = { ...meta, kind: 'cluster', id: 'c', spec, rootCa: { certificate: root.certificate }, dataPathPort: 4789 } as unknown as Cluster;
  const node = { ...meta, kind: 'node', id: 'n', index: 1, role: 'manager', spec: { labels: {}, role: 'manager', availability: 'active' } } as unknown as Node;
  const draft = async (shown: { readonly certificate: string; readonly key: string } | undefined) =>
    draftState({
      directory: createStateDirectory(path),
      restored: { header: {} as Restored['header'], contents: { revision: 1, objects: [cluster, node], node: {} as never }, dataKey: new Uint8Array(32) },
      nodeId: 'n',
      addresses: before,
      externalIdentity: () => shown,
      clock: systemClock,
    });
  await assert.rejects(draft(undefined), { code: 'deadlineExceeded', message: /wants one/ });
  assert.deepEqual(readdirSync(path), []);
  assert.equal((await draft(await identityOf('given'))).nodeId, 'n');
});
