// Twenty Compose files as people have them (test/compose/applications), deployed on an engine as they are. Their images are not here: each name stands for
// a small one that starts, ends when it is told to, answers health checks, and does nothing else. What is tried is that a swarm takes every key of the
// files, and that every service converges, or says by name what the machine does not have.
import assert from 'node:assert/strict';
import { chmod, copyFile, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { convertProject, loadProject, type ResolvedStack } from '#compose/index.ts';
import { busyboxArchive } from '../lib/busybox-image.ts';
import { type ExecResult, run, runOrThrow, until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const applications = [
  ...['django', 'elk', 'gitea', 'gitlab', 'immich', 'jellyfin', 'mail', 'mastodon', 'monolith-included', 'nextcloud'],
  ...['ollama', 'pihole', 'prometheus', 'rocketchat', 'sentry', 'traefik', 'voting-app', 'vpn-stack', 'wordpress', 'zookeeper-kafka'],
];
/** Services that ask for what test machines or their engines may not have, and the reason that they give then. */
const lacking: Readonly<Record<string, RegExp>> = {
  elk_es01: /error setting rlimit/,
  elk_es02: /error setting rlimit/,
  'immich_immich-machine-learning': /gpu|device driver/i,
  jellyfin_jellyfin: /gpu|device|runtime|nvidia/i,
  ollama_ollama: /gpu|device driver|error setting rlimit/i,
  prometheus_cadvisor: /bind source path does not exist: \/dev\/disk/,
};
const environment = { EMAIL: 'a@example.com', DOMAIN: 'example.com', APP_VERSION: '1.0', PIHOLE_PASSWORD: 'x', PG_PASSWORD: 'x', HOME: '/root' };
const COME_UP_MS = 90_000;
const SIDE_BY_SIDE = 4;

/** Programs that health checks call, and what they say. */
const fakes: Readonly<Record<string, string>> = {
  ...{ pg_isready: '', mysqladmin: '', mongo: '', bash: '', wget: '', nc: '', grep: '', psql: '0' },
  ...{ 'redis-cli': 'PONG', curl: 'HTTP/1.1 302 Found', ss: 'LISTEN 0.0.0.0:smtp', ps: 'sidekiq 6' },
};

interface Application {
  readonly name: string;
  readonly args: readonly string[];
  readonly stack: ResolvedStack;
}

interface ServiceAnswer {
  readonly Spec: { readonly Name: string };
  readonly ServiceStatus: { readonly RunningTasks: number; readonly DesiredTasks: number; readonly CompletedTasks: number };
  readonly JobStatus?: object;
}

function hasConverged({ JobStatus, ServiceStatus: { RunningTasks, DesiredTasks, CompletedTasks } }: ServiceAnswer): boolean {
  return JobStatus === undefined ? DesiredTasks > 0 && RunningTasks >= DesiredTasks : CompletedTasks > 0;
}

const isRoot = process.getuid?.() === 0;

describe('twenty applications', { skip: !isRoot && 'needs root', timeout: 600_000 }, () => {
  let skepd: TestSkepd;
  let folder: string;
  let node: string;
  let all: readonly Application[];

  before(async () => {
    skepd = await startSkepd({ engineOptions: { name: 'apps' } });
    folder = join(skepd.engine.folder, 'applications');
    await cp(join(import.meta.dirname, '../compose/applications'), folder, { recursive: true });
    node = await skepd.init();
    all = await Promise.all(applications.map(prepare));
    await importSubstitutes();
    await makeSurroundings();
  });
  after(() => skepd?.stop());

  const skep = (...args: readonly string[]): Promise<ExecResult> =>
    run([join(import.meta.dirname, '../../bin/skep'), '-H', `unix://${skepd.socket}`, ...args], { env: environment, timeoutMs: 300_000 });

  /** The files as they are, and over them one with what a test cannot wait for or have: health checks every second, no image by its digest. */
  async function prepare(name: string): Promise<Application> {
    const file = join(folder, `${name}.yml`);
    const envFile = name === 'immich' ? [join(folder, 'immich.env')] : [];
    const load = (...files: readonly string[]) => {
      const reader = { read: (path: string) => (existsSync(path) ? readFileSync(path) : undefined) };
      return loadProject({ files, workingDirectory: folder, environment, reader, ...(envFile.length === 0 ? {} : { envFiles: envFile }) });
    };
    const over = Object.entries(load(file).project.services).map(([key, { image = '', healthcheck }]) => [
      key,
      {
        ...(image.includes('@') ? { image: image.replace(/@.*/, '') } : {}),
        ...(healthcheck?.test === undefined ? {} : { healthcheck: { interval: '1s', start_period: '0s', timeout: '20s', retries: 20 } }),
      },
    ]);
    const override = join(folder, `${name}.test.json`);
    await writeFile(override, JSON.stringify({ services: Object.fromEntries(over) }));
    const stack = convertProject(load(file, override), name);
    return { name, stack, args: [...envFile.flatMap((path) => ['--env-file', path]), '-c', file, '-c', override] };
  }

  async function importSubstitutes(): Promise<void> {
    const root = await mkdtemp(join(tmpdir(), 'skep-substitute-'));
    try {
      await runOrThrow(['tar', '-xf', '-', '-C', root], { input: await busyboxArchive() });
      const program = async (path: string, text: string) => {
        await mkdir(join(root, path, '..'), { recursive: true });
        await rm(join(root, path), { force: true });
        await writeFile(join(root, path), `#!/bin/sh\n${text}\n`);
        await chmod(join(root, path), 0o755);
      };
      // busybox's own shell prefers busybox's own programs to those of the same name here.
      for (const file of ['/bin/dash', ...(await librariesOf('/bin/dash'))]) {
        await mkdir(join(root, file, '..'), { recursive: true });
        await copyFile(file, join(root, file));
      }
      await rm(join(root, 'bin/sh'));
      await symlink('dash', join(root, 'bin/sh'));
      // One-off tasks of these applications have such words in their commands.
      await program('bin/serve', `case "$*" in *migrate*|*seed*) exit 0;; esac\ntrap 'exit 0' TERM INT QUIT\nwhile :; do sleep 3600 & wait $!; done`);
      for (const [name, says] of Object.entries(fakes)) await program(`bin/${name}`, says === '' ? 'exit 0' : `echo '${says}'`);
      for (const { spec } of all.flatMap(({ stack }) => stack.services)) {
        const [entry] = spec.task.runtime.kind === 'container' ? (spec.task.runtime.container.command ?? []) : [];
        if (entry === undefined || existsSync(join(root, entry)) || existsSync(join(root, 'bin', entry))) continue;
        const path = join(root, entry.startsWith('/') ? entry : `bin/${entry}`);
        await mkdir(join(path, '..'), { recursive: true });
        await rm(path, { force: true });
        await symlink('/bin/serve', path);
      }
      await runOrThrow([
        'sh',
        '-c',
        `tar -C ${root} --owner=0 --group=0 -c . | docker -H unix://${skepd.engine.socket} import -c 'ENTRYPOINT ["serve"]' - substitute:1`,
      ]);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
    const images = new Set(all.flatMap(({ stack }) => stack.services.flatMap(({ spec }) => imageOf(spec.task.runtime))));
    for (const image of images) await skepd.engine.docker('tag', 'substitute:1', image);
  }

  /** What the files take for granted: folders and sockets of the machine, networks, volumes, secrets and labels. */
  async function makeSurroundings(): Promise<void> {
    const mounts = all.flatMap(({ stack }) =>
      stack.services.flatMap(({ spec }) => (spec.task.runtime.kind === 'container' ? (spec.task.runtime.container.mounts ?? []) : [])),
    );
    const binds = new Set(mounts.flatMap(({ type, source = '' }) => (type === 'bind' ? [source] : [])));
    const own = [...binds].filter((path) => path.startsWith(`${folder}/`));
    for (const path of own) await mkdir(path, { recursive: true });
    const script = (path: string, text: string) => writeFile(join(folder, path), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    await script('healthchecks/redis.sh', 'exit 0');
    await script('healthchecks/postgres.sh', 'exit 0');
    await script('sentry/entrypoint.sh', 'exec serve');
    // /run is the node's own; on a machine with systemd, mounts are shared.
    await skepd.engine.exec(['touch', '/run/docker.sock']);
    await skepd.engine.exec(['mount', '--make-rshared', '/']);
    const networks = all.flatMap(({ stack }) => stack.networks.filter(({ external }) => external).map(({ spec }) => spec.name));
    for (const name of new Set(networks)) await skepd.docker('network', 'create', '-d', 'overlay', name);
    const volumes = all.flatMap(({ stack }) => stack.volumes.filter(({ external }) => external).map((volume) => volume.name));
    for (const name of new Set(volumes)) await skepd.docker('volume', 'create', name);
    const secrets = all.flatMap(({ stack }) => stack.secrets.filter(({ source }) => source.kind === 'external'));
    for (const name of new Set(secrets.map((secret) => secret.name))) await skepd.http('POST', '/secrets/create', { Name: name, Data: 'eA==' });
    await skepd.docker('node', 'update', '--label-add', 'traefik-public.certificates=true', node);
  }

  async function tryOut({ name, args }: Application): Promise<void> {
    const deployed = await skep('stack', 'deploy', '--detach', '--resolve-image', 'never', ...args, name);
    assert.equal(deployed.code, 0, `${name}: ${deployed.stderr}`);
    const isLacking = ({ Spec: { Name } }: ServiceAnswer) => lacking[Name] !== undefined;
    try {
      let last: readonly ServiceAnswer[] = [];
      const able = async () => {
        last = (await servicesOf(name)).filter((service) => !isLacking(service) && !hasConverged(service));
        return last.length === 0;
      };
      await until(`${name} is up`, able, COME_UP_MS).catch(async (error: Error) => {
        const { stdout } = await skep('service', 'explain', ...last.map(({ Spec }) => Spec.Name));
        throw new Error(`${error.message}:\n${stdout}`);
      });
      for (const service of (await servicesOf(name)).filter(isLacking)) {
        let said = '';
        const saysSo = async () => {
          said = (await skep('service', 'explain', service.Spec.Name)).stdout;
          return / runs as wanted /.test(said) || (lacking[service.Spec.Name]?.test(said) ?? false);
        };
        await until(`${service.Spec.Name} runs, or says what it lacks`, saysSo, COME_UP_MS).catch((error: Error) => {
          throw new Error(`${error.message}:\n${said}`);
        });
      }
    } finally {
      const removed = await skep('stack', 'rm', name);
      assert.equal(removed.code, 0, `${name}: ${removed.stderr}`);
    }
  }

  async function servicesOf(stack: string): Promise<readonly ServiceAnswer[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [`com.docker.stack.namespace=${stack}`] }));
    return (await skepd.http('GET', `/services?status=true&filters=${filters}`)).json as readonly ServiceAnswer[];
  }

  it('come up, and go again without a trace', async () => {
    const failures: string[] = [];
    const publishedBy = ({ stack }: Application) => stack.services.flatMap(({ spec }) => (spec.endpoint?.ports ?? []).map((port) => port.publishedPort ?? 0));
    const taken = new Set<number>();
    const waiting = [...all];
    const work = async (): Promise<void> => {
      while (waiting.length > 0) {
        const index = waiting.findIndex((application) => !publishedBy(application).some((port) => taken.has(port)));
        if (index < 0) {
          await new Promise((resolve) => setTimeout(resolve, 200));
          continue;
        }
        const [application] = waiting.splice(index, 1);
        if (application === undefined) return;
        const ports = publishedBy(application);
        for (const port of ports) taken.add(port);
        await tryOut(application).catch((error: Error) => failures.push(error.message));
        for (const port of ports) taken.delete(port);
      }
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));
    assert.deepEqual(failures, []);
    await until('no container is left', async () => (await skepd.engine.docker('ps', '-aq')) === '', 60_000);
    assert.equal(await skepd.docker('service', 'ls', '-q'), '');
  });
});

function imageOf(runtime: ResolvedStack['services'][number]['spec']['task']['runtime']): readonly string[] {
  return runtime.kind === 'container' ? [runtime.container.image] : [];
}

async function librariesOf(binary: string): Promise<readonly string[]> {
  return [...(await runOrThrow(['ldd', binary])).matchAll(/(?:=> )?(\/[^ ]+) \(0x/g)].map((match) => match[1] ?? '');
}
