// `npm start`: an engine, a daemon, a swarm of one node, an example that runs, and where to look. Running it again picks up where it was.
// `npm start -- examples/todo` deploys that example in the place of the guestbook.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureDebianPackages, findExecutable } from './debian.ts';
import { answersPing, call, callJson, messageOf } from './docker-api.ts';
import { ensureEngine } from './engine.ts';
import { composeFileOf, deployExample } from './example.ts';
import { ensureNodeImage } from './example-image.ts';
import { ownAddress, stateFolder } from './paths.ts';
import { waitFor } from './wait.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const STACK = 'guestbook';
const FIRST_PORT = 8080;
const MANAGER_PORT = 2377;
const CONVERGE_TIMEOUT_MS = 120_000;

interface ServiceAnswer {
  readonly ID: string;
  readonly Spec: { readonly Name: string };
  readonly Endpoint?: { readonly Ports?: readonly { readonly PublishedPort?: number }[] };
  readonly ServiceStatus?: { readonly RunningTasks: number; readonly DesiredTasks: number };
}

function fail(message: string): never {
  console.error(`skep: ${message}`);
  process.exit(1);
}

/** What the node's network needs, and the CLI that users know. */
function ensurePrograms(): void {
  ensureDebianPackages({ docker: 'docker.io', nft: 'nftables', iptables: 'iptables', conntrack: 'conntrack', ip: 'iproute2' }, 'swarm networks');
}

async function ensureDaemon(engine: string): Promise<void> {
  if (await answersPing(ownAddress)) return;
  if (process.getuid?.() !== 0) fail('skepd makes networks, which needs root: run `sudo npm start`');
  console.log('skep: starting skepd');
  mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  const logFile = join(stateFolder, 'skepd.log');
  const log = openSync(logFile, 'a', 0o600);
  const args = ['--host', ownAddress, '--engine', engine, '--state-dir', join(stateFolder, 'state')];
  const daemon = spawn(join(root, 'bin/skepd'), args, { detached: true, stdio: ['ignore', log, log] });
  let ended: number | null | undefined;
  daemon.on('exit', (code) => {
    ended = code;
  });
  daemon.unref();
  const up = await waitFor(async () => ended !== undefined || (await answersPing(ownAddress)), 30_000);
  if (!up || ended !== undefined) {
    const { stdout } = spawnSync('tail', ['-n', '20', logFile], { encoding: 'utf8' });
    fail(`skepd does not come up; the end of its log (${logFile}):\n${stdout}`);
  }
}

async function ensureSwarm(): Promise<void> {
  const nodeState = async () => (await callJson<{ Swarm: { LocalNodeState: string } }>(ownAddress, 'GET', '/info')).Swarm.LocalNodeState;
  await waitFor(async () => (await nodeState()) !== 'pending', 30_000);
  const state = await nodeState();
  if (state === 'active') return;
  if (state === 'locked') fail(`the swarm is locked: export DOCKER_HOST=${ownAddress} and run \`docker swarm unlock\``);
  console.log('skep: making a swarm of one node');
  // Docker's own swarm mode, or another clone, may have the usual port.
  const listenAddr = `0.0.0.0:${await freePort(MANAGER_PORT)}`;
  const { status, text } = await call(ownAddress, 'POST', '/swarm/init', { ListenAddr: listenAddr, AdvertiseAddr: addressToAdvertise() });
  if (status !== 200) fail(`cannot make a swarm: ${messageOf(text)}`);
}

/** The address that the default route leaves from; loopback on a machine without network. */
function addressToAdvertise(): string {
  const { stdout } = spawnSync('ip', ['-4', '-o', 'route', 'get', '192.0.2.1'], { encoding: 'utf8' });
  const address = / src (\S+)/.exec(stdout ?? '')?.[1];
  const first = Object.values(networkInterfaces())
    .flat()
    .find((candidate) => candidate?.family === 'IPv4' && !candidate.internal)?.address;
  return address ?? first ?? '127.0.0.1';
}

async function ensureExample(): Promise<void> {
  const services = await exampleServices();
  if (services.length === 2) return;
  await ensureNodeImage(ownAddress, { repository: 'skep/guestbook', tag: '1', appFolder: join(root, 'examples/guestbook/app') });
  const port = await freePort(FIRST_PORT);
  console.log(`skep: deploying examples/guestbook (docker stack deploy -c examples/guestbook/stack.yaml ${STACK})`);
  const { status } = spawnSync(
    findExecutable('docker') ?? 'docker',
    ['stack', 'deploy', '--resolve-image', 'never', '-c', join(root, 'examples/guestbook/stack.yaml'), STACK],
    { stdio: 'inherit', env: { ...process.env, DOCKER_HOST: ownAddress, GUESTBOOK_PORT: String(port) } },
  );
  if (status !== 0) fail('the example could not be deployed');
}

async function exampleServices(stack = STACK): Promise<ServiceAnswer[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`com.docker.stack.namespace=${stack}`] }));
  return callJson<ServiceAnswer[]>(ownAddress, 'GET', `/services?status=true&filters=${filters}`);
}

/** The first port from `port` on that nobody listens on. */
async function freePort(port: number): Promise<number> {
  const isFree = await new Promise<boolean>((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, () => probe.close(() => resolve(true)));
  });
  return isFree ? port : freePort(port + 1);
}

async function waitUntilConverged(): Promise<void> {
  let shown = '';
  const converged = await waitFor(async () => {
    const services = await exampleServices();
    const line = services
      .map(({ Spec, ServiceStatus }) => `${Spec.Name} ${ServiceStatus?.RunningTasks ?? 0}/${ServiceStatus?.DesiredTasks ?? 0}`)
      .sort()
      .join(', ');
    if (line !== shown) console.log(`skep: running: ${line}`);
    shown = line;
    return (
      services.length === 2 &&
      services.every(({ ServiceStatus: tasks }) => tasks !== undefined && tasks.DesiredTasks > 0 && tasks.RunningTasks >= tasks.DesiredTasks)
    );
  }, CONVERGE_TIMEOUT_MS);
  if (!converged) fail(`the example does not converge. Look: export DOCKER_HOST=${ownAddress}; docker stack ps --no-trunc ${STACK}`);
}

async function main(example: string | undefined): Promise<void> {
  if (example !== undefined) composeFileOf(example);
  const engine = await ensureEngine(ownAddress, stateFolder);
  console.log(`skep: container engine: ${engine}`);
  ensurePrograms();
  await ensureDaemon(engine);
  await ensureSwarm();
  if (example !== undefined) return showExample(await deployExample(ownAddress, example));
  await ensureExample();
  await waitUntilConverged();
  const port = (await exampleServices()).flatMap(({ Endpoint }) => Endpoint?.Ports ?? []).find(({ PublishedPort }) => PublishedPort)?.PublishedPort;
  console.log(`
The guestbook is at http://localhost:${port}/

Point the docker CLI at your swarm and look around:

    export DOCKER_HOST=${ownAddress}
    docker node ls
    docker service ls
    docker service scale ${STACK}_web=5
    docker service logs ${STACK}_web

${ending()}`);
}

async function showExample(stack: string): Promise<void> {
  const services = await exampleServices(stack);
  const urls = services.flatMap(({ Spec, Endpoint }) => (Endpoint?.Ports ?? []).map(({ PublishedPort }) => `${Spec.Name} is at port ${PublishedPort}`));
  console.log(`
${urls.join('\n')}

    export DOCKER_HOST=${ownAddress}
    bin/skep stack ps ${stack}
    bin/skep stack rm ${stack}

${ending()}`);
}

function ending(): string {
  return `\`npm run stop\` ends the swarm and what was started for it; images, volumes and packages stay. Logs: ${join(stateFolder, 'skepd.log')}`;
}

await main(process.argv[2]).catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)));
