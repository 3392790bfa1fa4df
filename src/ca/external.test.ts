// An authority outside the swarm may answer anything: only what was asked for is taken.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '#lib/log.ts';
import { createExternalSigner } from './external.ts';
import { createCertificateRequest, type NodeSubject, signCertificateRequest } from './node-certificate.ts';
import { createRootCa, crossSign, type RootCa } from './root.ts';

const now = Date.now();
const day = 24 * 3_600_000;
const subject: NodeSubject = { nodeId: 'n1', role: 'worker', clusterId: 'c1' };

interface Answer {
  readonly status?: number;
  readonly body: unknown;
}

async function identity(root: RootCa) {
  const { request, key } = await createCertificateRequest();
  return { certificate: await signCertificateRequest(root, request, { ...subject, role: 'manager' }, { now, hosts: ['127.0.0.1'] }), key };
}

/** An authority that answers what `answer` makes of the request. */
async function setUp(context: TestContext) {
  const root = await createRootCa({ now });
  const own = await identity(root);
  const asked: unknown[] = [];
  const answers: ((request: string) => Promise<Answer> | Answer)[] = [];
  const server = createServer(
    { cert: own.certificate, key: own.key, ca: root.certificate, requestCert: true, rejectUnauthorized: true },
    (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as { certificate_request: string };
        asked.push(body);
        const answer = answers.shift();
        assert.ok(answer, 'nobody expected a request');
        void Promise.resolve(answer(body.certificate_request)).then(({ status = 200, body: text }) => {
          outgoing.writeHead(status).end(typeof text === 'string' ? text : JSON.stringify(text));
        });
      });
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const bound = server.address();
  const url = `https://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}/api/v1/cfssl/sign`;
  const shown = await identity(root);
  const signer = createExternalSigner({ identity: () => shown, now: () => now, log: silentLogger });
  return { root, url, signer, asked, answers, target: { root: root.certificate, urls: [url] } };
}

const success = (certificate: string): Answer => ({ body: { success: true, result: { certificate }, errors: [], messages: [] } });

test('a request is sent as cfssl wants it, to the next address when one does not answer', async (context) => {
  const { root, target, signer, asked, answers } = await setUp(context);
  const { request } = await createCertificateRequest();
  answers.push(async (text) => success(await signCertificateRequest(root, text, subject, { now })));
  const certificate = await signer.sign({ ...target, urls: ['https://127.0.0.1:1/', ...target.urls] }, request, subject, ['192.0.2.7']);
  assert.match(certificate, /^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n$/);
  assert.deepEqual(asked, [
    {
      hosts: ['swarm-worker', 'n1', '192.0.2.7'],
      certificate_request: request,
      subject: { CN: 'n1', names: [{ O: 'c1', OU: 'swarm-worker' }] },
      profile: '',
    },
  ]);
  assert.equal(await signer.firstReachable({ ...target, urls: ['http://x/', 'https://127.0.0.1:1/', ...target.urls] }), target.urls[0]);
  const other = await createRootCa({ now });
  assert.equal(await signer.firstReachable({ ...target, root: other.certificate }), undefined);
});

test('an answer that is not what was asked for is refused, and says why', async (context) => {
  const { root, target, signer, answers } = await setUp(context);
  const other = await createRootCa({ now });
  const stranger = await createCertificateRequest();
  const { request } = await createCertificateRequest();
  const sign = (by: RootCa, text: string, who: NodeSubject, more: object = {}) => signCertificateRequest(by, text, who, { now, ...more });
  const authority = await crossSign(root, other.certificate);
  for (const [answer, code, complaint] of [
    [async (text: string) => success(await sign(other, text, subject)), 'failedPrecondition', /it is not signed by the root that this swarm trusts/],
    [async () => success(await sign(root, stranger.request, subject)), 'failedPrecondition', /it is for another key/],
    [
      async (text: string) => success(await sign(root, text, { ...subject, role: 'manager' })),
      'failedPrecondition',
      /it names swarm-manager n1 of c1, instead of swarm-worker n1 of c1/,
    ],
    [async (text: string) => success(await sign(root, text, { ...subject, nodeId: 'n2' })), 'failedPrecondition', /it names swarm-worker n2/],
    [
      async (text: string) => success(await sign(root, text, subject, { now: now - 100 * day })),
      'failedPrecondition',
      /it is valid from \S+ to \S+ only, and here it is/,
    ],
    [() => success(authority), 'failedPrecondition', /it is for another key/],
    [() => success('nonsense'), 'failedPrecondition', /there is none in it/],
    [
      () => ({ body: { success: false, errors: [{ code: 1, message: 'Policy violation request' }] } }),
      'failedPrecondition',
      /refused to sign: .*Policy violation request/,
    ],
    [() => ({ status: 403, body: 'forbidden' }), 'failedPrecondition', /refused to sign: 403 forbidden/],
    [() => ({ status: 503, body: 'busy' }), 'deadlineExceeded', /does not answer: 503 busy/],
    [() => ({ body: 'x'.repeat(70_000) }), 'deadlineExceeded', /does not answer: the answer is too long/],
  ] as const) {
    answers.push(answer);
    await assert.rejects(
      signer.sign(target, request, subject, []),
      (error: Error & { code: string }) => error.code === code && complaint.test(error.message),
      String(complaint),
    );
  }
});

test('a root is signed by the authority as one that may sign, and nothing less is taken', async (context) => {
  const { root, target, signer, asked, answers } = await setUp(context);
  const next = await createRootCa({ now });
  answers.push(async () => success(await crossSign(root, next.certificate)));
  assert.match(await signer.crossSign(target, next), /BEGIN CERTIFICATE/);
  const [{ profile, subject: named, extensions }] = asked as [{ profile: string; subject: unknown; extensions: unknown }];
  assert.deepEqual([profile, named, extensions], ['CA', { CN: 'swarm-ca', names: [{}] }, [{ id: '2.5.29.19', critical: true, value: '30030101ff' }]]);
  answers.push(async (text) => success(await signCertificateRequest(root, text, subject, { now })));
  await assert.rejects(signer.crossSign(target, next), /it is not that of a certificate authority; the signing profile "CA" must allow that/);
});

test('an authority that wants a certificate and is shown none is said to', async (context) => {
  const { target } = await setUp(context);
  const signer = createExternalSigner({ identity: () => undefined, now: () => now, log: silentLogger });
  const { request } = await createCertificateRequest();
  await assert.rejects(signer.sign(target, request, subject, []), /does not answer: it does not take the certificate that it is shown, or wants one$/);
});
