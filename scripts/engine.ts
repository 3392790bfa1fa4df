// Finds a container engine, or brings Debian's when there is none.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianPackages, findExecutable } from './debian.ts';
import { answersPing, callJson, endpointOf } from './docker-api.ts';
import { waitFor } from './wait.ts';

const DOCKER_SOCKET = 'unix:///var/run/docker.sock';

/** The usual places, in the order in which they are tried. */
function candidates(ownAddress: string): string[] {
  const runtime = process.env['XDG_RUNTIME_DIR'];
  return [
    process.env['DOCKER_HOST'] ?? '',
    DOCKER_SOCKET,
    'unix:///run/podman/podman.sock',
    ...(runtime === undefined ? [] : [`unix://${runtime}/docker.sock`, `unix://${runtime}/podman/podman.sock`]),
  ].filter((address) => address !== '' && address !== ownAddress && endpointOf(address) !== undefined);
}

/** The address of an engine that answers. `folder` is where an engine that we start writes its log. */
export async function ensureEngine(ownAddress: string, folder: string): Promise<string> {
  for (const address of candidates(ownAddress)) if (await answersPing(address)) return address;
  if (findExecutable('dockerd') === undefined) {
    console.log('skep: there is no container engine here.');
    ensureDebianPackages({ dockerd: 'docker.io', iptables: 'iptables' }, 'running containers');
  }
  if (process.getuid?.() !== 0) {
    console.error(`skep: no container engine answers at ${candidates(ownAddress).join(', ')}. Start Docker or Podman, or set DOCKER_HOST, and run this again.`);
    process.exit(1);
  }
  startDocker(folder);
  const started = await waitFor(() => answersPing(DOCKER_SOCKET), 30_000);
  if (started) return DOCKER_SOCKET;
  console.error(`skep: dockerd does not come up; its log is ${join(folder, 'dockerd.log')} (or journalctl -u docker).`);
  process.exit(1);
}

function startDocker(folder: string): void {
  console.log('skep: starting Docker');
  if (existsSync('/run/systemd/system') && spawnSync('systemctl', ['start', 'docker']).status === 0) return;
  mkdirSync(folder, { recursive: true });
  const log = openSync(join(folder, 'dockerd.log'), 'a', 0o600);
  const dockerd = spawn(findExecutable('dockerd') ?? 'dockerd', [], { detached: true, stdio: ['ignore', log, log] });
  dockerd.unref();
  if (dockerd.pid !== undefined) writeFileSync(pidFile(folder), String(dockerd.pid));
}

const pidFile = (folder: string) => join(folder, 'dockerd.pid');

/** Ends the engine that `ensureEngine` started here; not one whose containers somebody still uses. Resolves with what there is to say. */
export async function endOwnEngine(folder: string): Promise<string | undefined> {
  const file = pidFile(folder);
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
  const isThere = () => existsSync(`/proc/${pid}/cmdline`) && /(^|\/)dockerd\0/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  if (pid !== undefined && isThere()) {
    const running = await callJson<unknown[]>(DOCKER_SOCKET, 'GET', '/containers/json');
    if (running.length > 0) return `Docker, which was started here, goes on: it runs ${running.length} other containers (its pid is ${pid})`;
    process.kill(pid, 'SIGTERM');
    if (!(await waitFor(() => Promise.resolve(!isThere()), 30_000))) throw new Error(`Docker (pid ${pid}) does not stop`);
  }
  rmSync(file, { force: true });
  return undefined;
}
