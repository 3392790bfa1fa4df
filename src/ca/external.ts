// Certificate authorities outside the swarm, spoken with as cfssl is (`POST <url>` with a signing request in JSON, over TLS with a certificate of the
// manager's own). What comes back is checked as if anybody could have sent it. Who is asked for which root is signing-root.ts.
import { X509Certificate } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:tls';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { certificateAlgorithm, importSigningKey, toPem } from './keys.ts';
import { type NodeSubject, namesOf, readSubject, roleNames } from './node-certificate.ts';
import { isSignedBy, type RootCa, readCertificate, splitCertificates } from './root.ts';

export interface ExternalSigner {
  /** The certificate (PEM, without a chain) for a node's request. Rejects with `deadlineExceeded` while none answers, `failedPrecondition` when one refuses or answers what cannot be. */
  sign(target: ExternalTarget, request: string, subject: NodeSubject, hosts: readonly string[]): Promise<string>;
  /** The next root (PEM) as the root of the target signs it. */
  crossSign(target: ExternalTarget, next: RootCa): Promise<string>;
  /** The first of the addresses that takes our certificate and has one of the target's root itself; undefined when there is none. */
  firstReachable(target: ExternalTarget): Promise<string | undefined>;
}

export interface ExternalTarget {
  /** PEM of the root that they sign for, and that their own certificates are of. */
  readonly root: string;
  readonly urls: readonly string[];
}

export interface ExternalSignerOptions {
  /** What is shown to them; undefined: nothing. */
  readonly identity: () => { readonly certificate: string; readonly key: string } | undefined;
  readonly now: () => number;
  readonly log: Logger;
}

/** With two addresses that hang the answer still comes before a node gives up waiting. */
const TIMEOUT_MS = 8_000;
/** SwarmKit's limit for a certificate. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** The profile that SwarmKit asks for when a root is to be signed. */
const CROSS_SIGN_PROFILE = 'CA';
const BASIC_CONSTRAINTS = '2.5.29.19';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

export function createExternalSigner({ identity, now, log }: ExternalSignerOptions): ExternalSigner {
  async function firstAnswer({ root, urls }: ExternalTarget, body: object, check: (pem: string) => string | undefined): Promise<string> {
    let failure: AppError | undefined;
    for (const url of urls) {
      try {
        const pem = await askToSign(url, root, body);
        const [certificate = ''] = splitCertificates(pem);
        const problem = certificate === '' ? 'there is none in it' : check(certificate);
        if (problem === undefined) return certificate;
        failure = new AppError('failedPrecondition', `the external CA at ${url} answered with a certificate that cannot be used: ${problem}`);
      } catch (error) {
        failure = error instanceof AppError ? error : new AppError('internal', errorMessage(error), { cause: error });
      }
      log.warn({ url, error: failure.message }, 'an external CA did not sign');
    }
    throw failure ?? new AppError('failedPrecondition', 'no external CA is known for the root that signs');
  }

  function askToSign(url: string, root: string, body: object): Promise<string> {
    const text = JSON.stringify(body);
    const shown = identity();
    return new Promise((resolve, reject) => {
      const silent = (reason: string, cause?: unknown) =>
        reject(new AppError('deadlineExceeded', `the external CA at ${url} does not answer: ${reason}`, { cause }));
      const outgoing = httpsRequest(checkedUrl(url), {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        ca: root,
        ...(shown === undefined ? {} : { cert: shown.certificate, key: shown.key }),
        agent: false,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      outgoing.on('error', (cause) => silent(reasonOf(cause), cause));
      outgoing.on('response', (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          chunks.push(chunk);
          if (length > MAX_ANSWER_BYTES) outgoing.destroy(new Error('the answer is too long'));
        });
        response.on('error', (cause) => silent(cause.message, cause));
        response.on('end', () => {
          try {
            resolve(readAnswer(url, response.statusCode ?? 0, Buffer.concat(chunks).toString()));
          } catch (error) {
            reject(error as Error);
          }
        });
      });
      outgoing.end(text);
    });
  }

  return {
    async sign(target, request, subject, hosts) {
      const names = [{ O: subject.clusterId, OU: roleNames[subject.role] }];
      const body = { hosts: [...namesOf(subject), ...hosts], certificate_request: request, subject: { CN: subject.nodeId, names }, profile: '' };
      const { publicKey } = new (await import('./x509.ts')).Pkcs10CertificateRequest(request);
      const key = Buffer.from(publicKey.rawData).toString('base64');
      return firstAnswer(target, body, (pem) => problemOfLeaf(pem, { root: target.root, subject, key, now: now() }));
    },
    async crossSign(target, next) {
      const body = { hosts: [], ...(await crossSignRequest(next)), profile: CROSS_SIGN_PROFILE };
      return firstAnswer(target, body, (pem) => problemOfCrossSigned(pem, target.root, next.certificate));
    },
    async firstReachable({ root, urls }) {
      for (const url of urls) {
        const problem = await dialProblem(url, root, identity());
        if (problem === undefined) return url;
        log.warn({ url, error: problem }, 'an external CA is unreachable or invalid');
      }
      return undefined;
    },
  };
}

/** Throws AppError unless it is an address that may be asked. */
function checkedUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:') throw new AppError('failedPrecondition', `the external CA's address ${text} is not one of https`);
  return url;
}

/** The certificate in cfssl's answer. */
function readAnswer(url: string, status: number, text: string): string {
  if (status !== 200 && status < 500 && status !== 429 && status !== 408) throw refusal(url, `${status} ${shortened(text)}`);
  let answer: { success?: unknown; result?: { certificate?: unknown } | null; errors?: unknown };
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch (cause) {
    throw new AppError('deadlineExceeded', `the external CA at ${url} does not answer: ${status} ${shortened(text)}`, { cause });
  }
  const certificate = answer?.result?.certificate;
  if (status === 200 && answer.success === true && typeof certificate === 'string') return certificate;
  throw refusal(url, shortened(JSON.stringify(answer?.errors ?? answer)));
}

/** OpenSSL's words are for experts. */
function reasonOf({ name, message }: Error): string {
  if (name === 'AbortError' || name === 'TimeoutError') return 'it took too long';
  if (/alert (bad certificate|unknown ca|certificate unknown|certificate required)/.test(message))
    return 'it does not take the certificate that it is shown, or wants one';
  return message.trim();
}

function refusal(url: string, reason: string): AppError {
  return new AppError('failedPrecondition', `the external CA at ${url} refused to sign: ${reason.trim()}`);
}

function shortened(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

interface Wanted {
  readonly root: string;
  readonly subject: NodeSubject;
  /** SPKI in base64. */
  readonly key: string;
  readonly now: number;
}

/** Why the certificate is not what was asked for. A stranger's answer must not make a node somebody else, nor an authority. */
function problemOfLeaf(pem: string, { root, subject, key, now }: Wanted): string | undefined {
  try {
    const certificate = readCertificate(pem);
    if (!isSignedBy(pem, root)) return 'it is not signed by the root that this swarm trusts';
    if (spkiOf(certificate) !== key) return 'it is for another key';
    const { nodeId, roleName, clusterId } = readSubject(certificate);
    if (nodeId !== subject.nodeId || roleName !== roleNames[subject.role] || clusterId !== subject.clusterId)
      return `it names ${roleName} ${nodeId} of ${clusterId}, instead of ${roleNames[subject.role]} ${subject.nodeId} of ${subject.clusterId}`;
    if (certificate.ca) return 'it is that of a certificate authority';
    if (certificate.validToDate.getTime() <= now || certificate.validFromDate.getTime() > now)
      return `it is valid from ${certificate.validFromDate.toISOString()} to ${certificate.validToDate.toISOString()} only, and here it is ${new Date(now).toISOString()}`;
    const missing = namesOf(subject).filter((name) => certificate.checkHost(name) === undefined);
    if (missing.length > 0) return `it lacks the names ${missing.join(', ')}`;
    const usages = certificate.keyUsage ?? [];
    if (usages.length > 0 && ![CLIENT_AUTH, SERVER_AUTH].every((usage) => usages.includes(usage))) return 'it is not for servers and clients both';
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}

function problemOfCrossSigned(pem: string, root: string, next: string): string | undefined {
  const [certificate, wanted] = [new X509Certificate(pem), readCertificate(next)];
  if (!isSignedBy(pem, root)) return 'it is not signed by the present root';
  if (spkiOf(certificate) !== spkiOf(wanted)) return 'it is for another key than that of the next root';
  if (!certificate.ca) return `it is not that of a certificate authority; the signing profile "${CROSS_SIGN_PROFILE}" must allow that`;
  if (certificate.subject !== wanted.subject) return 'it has another subject than the next root';
  return undefined;
}

function spkiOf(certificate: X509Certificate): string {
  return certificate.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
}

/** As SwarmKit asks: the request is made with the root's own key, and its constraints are named beside it, because cfssl takes no extensions from requests. */
async function crossSignRequest({ certificate, key }: RootCa): Promise<object> {
  const x509 = await import('./x509.ts');
  const root = new x509.X509Certificate(certificate);
  const signer = await importSigningKey(key);
  const keys = { publicKey: await root.publicKey.export(), privateKey: signer.key };
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: root.subjectName.toJSON(),
    keys,
    signingAlgorithm: signer.algorithm.name === certificateAlgorithm.name ? { ...certificateAlgorithm, hash: signer.algorithm.hash } : signer.algorithm,
    extensions: [...root.extensions],
  });
  const fields = new Map(root.subjectName.toJSON().flatMap((part) => Object.entries(part).map(([name, values]): [string, string] => [name, values[0] ?? ''])));
  const names = Object.fromEntries(['C', 'ST', 'L', 'O', 'OU'].flatMap((name) => (fields.has(name) ? [[name, fields.get(name)]] : [])));
  const constraints = root.extensions.find(({ type }) => type === BASIC_CONSTRAINTS);
  return {
    certificate_request: toPem('CERTIFICATE REQUEST', request.rawData),
    subject: { CN: fields.get('CN') ?? '', names: [names] },
    extensions:
      constraints === undefined ? [] : [{ id: constraints.type, critical: constraints.critical, value: Buffer.from(constraints.value).toString('hex') }],
  };
}

/** Why the address cannot be used: no connection, no TLS, a certificate that is not of the root. Undefined when all is well. */
function dialProblem(url: string, root: string, shown: { readonly certificate: string; readonly key: string } | undefined): Promise<string | undefined> {
  return new Promise((resolve) => {
    let target: URL;
    try {
      target = checkedUrl(url);
    } catch (error) {
      resolve(errorMessage(error));
      return;
    }
    const host = target.hostname.replace(/^\[|\]$/g, '');
    const socket = connect({
      host,
      port: Number(target.port || 443),
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
      ca: root,
      ...(shown === undefined ? {} : { cert: shown.certificate, key: shown.key }),
    });
    const end = (problem: string | undefined) => {
      socket.destroy();
      resolve(problem);
    };
    socket.setTimeout(TIMEOUT_MS, () => end('it does not answer'));
    socket.once('error', (error) => end(error.message));
    socket.once('secureConnect', () => end(undefined));
  });
}
