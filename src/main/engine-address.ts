// Which container engine to use when nobody said: what DOCKER_HOST names, else the usual sockets of Docker and Podman.
import { statSync } from 'node:fs';
import { AppError } from '#lib/errors.ts';

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

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}
