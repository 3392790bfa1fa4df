// Which container engine to use when nobody said: what DOCKER_HOST names, else the usual sockets of Docker and Podman.
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineTls } from '#engine-link/link.ts';
import { AppError, errorMessage } from '#lib/errors.ts';

const usualSockets = ['/var/run/docker.sock', '/run/podman/podman.sock'];

/** `hosts` are our own addresses, which are no engine. Throws AppError when there is none to be found. */
export function findEngine(asked: string, hosts: readonly string[], environment: NodeJS.ProcessEnv): string {
  if (asked !== '') return asked;
  const fromEnvironment = environment['DOCKER_HOST'] ?? '';
  if (fromEnvironment !== '' && !hosts.includes(fromEnvironment)) return fromEnvironment;
  const runtime = environment['XDG_RUNTIME_DIR'];
  const sockets = [...usualSockets, ...(runtime === undefined ? [] : [`${runtime}/docker.sock`, `${runtime}/podman/podman.sock`])];
  const found = sockets.map((path) => ({ path, address: `unix://${path}` })).find(({ path, address }) => !hosts.includes(address) && isSocket(path));
  if (found !== undefined) return found.address;
  throw new AppError(
    'failedPrecondition',
    `no container engine found (looked at DOCKER_HOST, ${sockets.join(', ')}): start Docker or Podman, or name one with --engine`,
  );
}

/**
 * How to speak to an engine over TCP: with TLS when DOCKER_TLS_VERIFY or DOCKER_CERT_PATH say so, as the docker CLI decides. Throws AppError when a file of
 * the certificate folder cannot be read.
 */
export function engineTls(address: string, environment: NodeJS.ProcessEnv): EngineTls | undefined {
  const folder = environment['DOCKER_CERT_PATH'] ?? '';
  const verify = (environment['DOCKER_TLS_VERIFY'] ?? '') !== '';
  if (!address.startsWith('tcp://') || (folder === '' && !verify)) return undefined;
  const read = (name: string) => {
    const path = join(folder === '' ? join(environment['HOME'] ?? '/root', '.docker') : folder, name);
    try {
      return readFileSync(path);
    } catch (error) {
      throw new AppError('invalidArgument', `cannot read ${path}: ${errorMessage(error)}`, { cause: error });
    }
  };
  return { ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem'), verify };
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}
