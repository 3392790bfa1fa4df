// A certificate authority outside the swarm, for tests: it answers as cfssl's `POST /api/v1/cfssl/sign` does, over TLS, to clients with a certificate of
// one of the authorities in clients.pem (which is read anew for each connection). Run as `node external-ca-server.ts <folder> <address> <port>`; the folder
// has ca.crt, ca.key and clients.pem. Whom it signed for is in signed.log, a line of JSON each. What is in `mode` makes it misbehave.
import type { X509Certificate } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { createCertificateRequest, signCertificateRequest } from '#ca/node-certificate.ts';
import { importSigningKey, newSerialNumber, toPem } from '#ca/keys.ts';
import * as x509 from '#ca/x509.ts';

const [folder = '.', address = '127.0.0.1', port = '8888'] = process.argv.slice(2);
const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const root = { certificate: read('ca.crt'), key: read('ca.key') };

interface SignRequest {
  readonly hosts?: readonly string[];
  readonly certificate_request: string;
  readonly subject: { readonly CN: string; readonly names: readonly Readonly<Record<string, string>>[] };
  readonly profile?: string;
  readonly extensions?: readonly { readonly id: string; readonly value: string }[];
}

const day = 24 * 3_600_000;

async function sign({ hosts = [], certificate_request: text, subject, profile, extensions = [] }: SignRequest): Promise<string> {
  const request = new x509.Pkcs10CertificateRequest(text);
  if (!(await request.verify())) throw new Error('the request is not signed by its key');
  const isCa = profile === 'CA' && extensions.some(({ id }) => id === '2.5.29.19');
  const issuer = new x509.X509Certificate(root.certificate);
  const { key, algorithm } = await importSigningKey(root.key);
  const [{ O, OU } = {}] = subject.names;
  const names = [...(O === undefined ? [] : [{ O: [O] }]), ...(OU === undefined ? [] : [{ OU: [OU] }]), { CN: [subject.CN] }];
  const usages = isCa
    ? [new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true)]
    : [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value }))),
      ];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    issuer: issuer.subjectName,
    subject: names,
    notBefore: new Date(Date.now() - 300_000),
    // Longer than the swarm would have it: an authority of its own decides that itself.
    notAfter: new Date(Date.now() + 365 * day),
    publicKey: request.publicKey,
    signingKey: key,
    signingAlgorithm: algorithm,
    extensions: [...usages, new x509.BasicConstraintsExtension(isCa, undefined, true), await x509.SubjectKeyIdentifierExtension.create(request.publicKey)],
  });
  return toPem('CERTIFICATE', certificate.rawData);
}

async function answer(text: string, client: string): Promise<{ readonly status: number; readonly body: unknown }> {
  try {
    const request = JSON.parse(text) as SignRequest;
    const mode = existsSync(join(folder, 'mode')) ? read('mode').trim() : '';
    if (mode === 'refuse') throw new Error('policy violation');
    const other = { ...request, subject: { ...request.subject, CN: 'somebody-else' } };
    const certificate = await sign(mode === 'other' ? other : request);
    appendFileSync(join(folder, 'signed.log'), `${JSON.stringify({ subject: request.subject, profile: request.profile ?? '', client })}\n`);
    return { status: 200, body: { success: true, result: { certificate }, errors: [], messages: [] } };
  } catch (error) {
    return { status: 200, body: { success: false, result: null, errors: [{ code: 5_000, message: String(error) }], messages: [] } };
  }
}

const { request, key } = await createCertificateRequest();
const subject = { nodeId: 'signer', role: 'worker', clusterId: 'authority' } as const;
const cert = await signCertificateRequest(root, request, subject, { now: Date.now(), hosts: [address] });
const tls = { cert, key, requestCert: true, rejectUnauthorized: true } as const;
const server = createServer({ ...tls, ca: read('clients.pem') }, (incoming, outgoing) => {
  const chunks: Buffer[] = [];
  const peer = (incoming.socket as TLSSocket).getPeerX509Certificate() as X509Certificate;
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('end', () => {
    if (incoming.method !== 'POST' || incoming.url !== '/api/v1/cfssl/sign') {
      outgoing.writeHead(404).end();
      return;
    }
    void answer(Buffer.concat(chunks).toString(), peer.subject.split('\n').at(-1) ?? '').then(({ status, body }) => {
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
});
process.on('SIGHUP', () => server.setSecureContext({ ...tls, ca: read('clients.pem') }));
server.listen(Number(port), address, () => console.log('ready'));
