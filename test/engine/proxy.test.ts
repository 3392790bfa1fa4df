// The proxy between the real docker CLI and a real dockerd: everything that is not swarm must work as if we were not there.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createEngineConnection } from '#engine-link/link.ts';
import { createTestMembership } from '#api/fixtures.ts';
import { swarmRoutes } from '#api/routes/index.ts';
import { type ApiServer, createApiServer } from '#api/server.ts';
import { silentLogger } from '#lib/log.ts';
import { systemClock } from '#platform/clock.ts';
import { startEngine, type TestEngine, until } from '../lib/engine.ts';

let engine: TestEngine;
let server: ApiServer;
let socket: string;

before(async () => {
  engine = await startEngine({ name: 'proxy' });
  await engine.importBusybox('busybox:1');
  socket = join(engine.folder, 'skep.sock');
  server = createApiServer({
    membership: createTestMembership(),
    engine: createEngineConnection({ address: `unix://${engine.socket}`, clock: systemClock }),
    routes: swarmRoutes,
    log: silentLogger,
    clock: systemClock,
    identity: { version: '0.0.0-test', gitCommit: 'none' },
  });
  await server.listen({ kind: 'unix', path: socket });
});

after(async () => {
  await server?.close();
  await engine?.stop();
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** The docker CLI against our socket, with bytes for its input and from its output. */
function docker(args: readonly string[], input?: Buffer | string): Promise<Outcome> {
  const child = spawn('docker', ['--config', join(engine.folder, 'docker-cli'), '-H', `unix://${socket}`, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, DOCKER_BUILDKIT: '0' },
    timeout: 60_000,
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr })));
}

async function dockerOk(args: readonly string[], input?: Buffer | string): Promise<string> {
  const { code, stdout, stderr } = await docker(args, input);
  assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}`);
  return stdout.toString().trim();
}

describe('the docker CLI through the proxy', () => {
  it('negotiates our version and reads info and version', async () => {
    const version = JSON.parse(await dockerOk(['version', '--format', 'json'])) as {
      Client: { ApiVersion: string };
      Server: { ApiVersion: string; Components: { Name: string }[] };
    };
    assert.equal(version.Client.ApiVersion, '1.50');
    assert.equal(version.Server.ApiVersion, '1.50');
    assert.ok(version.Server.Components.some(({ Name }) => Name === 'Skep'));
    assert.equal(await dockerOk(['info', '--format', '{{.Swarm.LocalNodeState}}']), 'inactive');
  });

  it('passes piped input of a run to the container and its output back, to the last byte', async () => {
    const input = Buffer.alloc(3_000_000, 'skep\n');
    const { code, stdout } = await docker(['run', '-i', '--rm', 'busybox:1', 'cat'], input);
    assert.equal(code, 0);
    assert.ok(stdout.equals(input));
  });

  it('lets output go on after the input has ended', async () => {
    assert.equal(await dockerOk(['run', '-i', '--rm', 'busybox:1', 'sh', '-c', 'cat >/dev/null; sleep 0.3; echo after the end'], 'x'), 'after the end');
  });

  it('gives the exit code and keeps stdout and stderr apart', async () => {
    const { code, stdout, stderr } = await docker(['run', '--rm', 'busybox:1', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    assert.deepEqual([code, stdout.toString(), stderr], [7, 'out\n', 'err\n']);
  });

  it('passes on the engine’s refusals in its own words', async () => {
    const { code, stderr } = await docker(['inspect', '--type', 'container', 'nosuch']);
    assert.equal(code, 1);
    assert.match(stderr, /No such container: nosuch/i);
    assert.match((await docker(['run', '--rm', 'busybox:1', '/nosuch'])).stderr, /no such file or directory/);
  });

  it('executes, attaches, follows logs, waits and shows processes of a running container', async () => {
    const id = await dockerOk(['create', '-i', 'busybox:1', 'sh', '-c', 'while read line; do echo got $line; done; echo closed']);
    await dockerOk(['start', id]);
    assert.equal(await dockerOk(['exec', '-i', id, 'sh', '-c', 'cat; echo done'], 'through exec\n'), 'through exec\ndone');
    assert.equal((await docker(['exec', id, 'sh', '-c', 'exit 3'])).code, 3);
    await dockerOk(['exec', '-d', id, 'touch', '/detached']);
    await until('the detached exec has run', async () => (await docker(['exec', id, 'test', '-f', '/detached'])).code === 0);
    assert.match(await dockerOk(['top', id]), /read line/);
    assert.match(await dockerOk(['stats', '--no-stream', '--format', '{{.ID}}', id]), /^[0-9a-f]{12}/);

    const following = docker(['logs', '-f', id]);
    const waiting = docker(['wait', id]);
    const attached = await docker(['attach', id], 'one\ntwo\n');
    assert.equal(attached.stdout.toString(), 'got one\ngot two\nclosed\n');
    assert.equal((await following).stdout.toString(), 'got one\ngot two\nclosed\n');
    assert.equal((await waiting).stdout.toString(), '0\n');
    await dockerOk(['rm', id]);
  });

  it('copies files both ways', async () => {
    const id = await dockerOk(['create', 'busybox:1', 'true']);
    const file = join(engine.folder, 'copied');
    const content = Buffer.alloc(2_000_000, 'abc');
    await writeFile(file, content);
    await dockerOk(['cp', file, `${id}:/copied`]);
    await dockerOk(['cp', `${id}:/copied`, `${file}.back`]);
    assert.ok((await readFile(`${file}.back`)).equals(content));
    assert.match((await docker(['cp', `${id}:/nosuch`, '/tmp/x'])).stderr, /Could not find the file|no such file/i);
    await dockerOk(['rm', id]);
  });

  it('builds, saves, loads, exports and imports images', async () => {
    const folder = join(engine.folder, 'context');
    await mkdir(folder);
    await writeFile(join(folder, 'Dockerfile'), 'FROM busybox:1\nCOPY big /big\nRUN echo built >/made\nCMD ["cat", "/made"]\n');
    await writeFile(join(folder, 'big'), Buffer.alloc(5_000_000, 7));
    assert.match(await dockerOk(['build', '-t', 'built:1', folder]), /Successfully tagged built:1/);
    assert.equal(await dockerOk(['run', '--rm', 'built:1']), 'built');
    const saved = await docker(['save', 'built:1']);
    assert.ok(saved.stdout.length > 5_000_000);
    await dockerOk(['rmi', 'built:1']);
    assert.match(await dockerOk(['load'], saved.stdout), /Loaded image: built:1/);
    const id = await dockerOk(['create', 'built:1']);
    const exported = await docker(['export', id]);
    await dockerOk(['import', '-', 'imported:1'], exported.stdout);
    assert.equal(await dockerOk(['run', '--rm', 'imported:1', 'cat', '/made']), 'built');
    await dockerOk(['rm', id]);
    await rm(folder, { recursive: true });
  });

  it('reports a refused build although most of its context is still to come', async () => {
    const folder = join(engine.folder, 'refused');
    await mkdir(folder);
    await writeFile(join(folder, 'Dockerfile'), 'NONSENSE\n');
    await writeFile(join(folder, 'big'), Buffer.alloc(20_000_000));
    const { code, stderr } = await docker(['build', folder]);
    assert.equal(code, 1);
    assert.match(stderr, /unknown instruction: NONSENSE/i);
    assert.match((await docker(['load'], Buffer.alloc(5_000_000, 1))).stderr, /Error response|invalid|unexpected|archive/i);
  });

  it('streams events as they happen', async () => {
    const child = spawn('docker', ['-H', `unix://${socket}`, 'events', '--filter', 'type=container', '--format', '{{.Action}} {{.Actor.Attributes.name}}']);
    let seen = '';
    child.stdout.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    try {
      await until('events of a container arrive', async () => {
        await dockerOk(['run', '--rm', '--name', 'watched', 'busybox:1', 'true']);
        return /create watched[^]*die watched/.test(seen);
      });
    } finally {
      child.kill();
    }
    const since = Math.floor(Date.now() / 1000) - 60;
    assert.match(
      await dockerOk(['events', '--since', String(since), '--until', String(Math.ceil(Date.now() / 1000)), '--filter', 'container=watched']),
      /container die/,
    );
  });

  it('creates networks and volumes and connects a running container', async () => {
    await dockerOk(['network', 'create', 'second']);
    const id = await dockerOk(['run', '-d', 'busybox:1', 'sleep', '100']);
    await dockerOk(['network', 'connect', '--alias', 'other', 'second', id]);
    assert.match(await dockerOk(['inspect', '--format', '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}', id]), /bridge second/);
    await dockerOk(['network', 'disconnect', 'second', id]);
    await dockerOk(['rm', '-f', id]);
    await dockerOk(['network', 'rm', 'second']);
    assert.equal(await dockerOk(['volume', 'create', 'data']), 'data');
    await dockerOk(['volume', 'rm', 'data']);
  });

  it('means by newer requests what they mean, although the engine is older', async () => {
    await dockerOk(['volume', 'create', 'precious']);
    await dockerOk(['rm', await dockerOk(['create', '-v', '/anonymous', 'busybox:1'])]);
    const anonymous = (await dockerOk(['volume', 'ls', '-q'])).split('\n').filter((name) => name !== 'precious');
    assert.equal(anonymous.length, 1);
    assert.match(await dockerOk(['volume', 'prune', '-f']), new RegExp(anonymous[0] ?? 'none'));
    assert.equal(await dockerOk(['volume', 'ls', '-q']), 'precious');
    assert.match(await dockerOk(['volume', 'prune', '-f', '-a']), /precious/);

    const id = await dockerOk(['run', '-d', 'busybox:1', 'sh', '-c', 'trap "exit 42" INT; trap "exit 1" TERM; while true; do sleep 0.1; done']);
    await dockerOk(['stop', '-s', 'INT', id]);
    assert.equal(await dockerOk(['inspect', '--format', '{{.State.ExitCode}}', id]), '42');
    await dockerOk(['rm', id]);

    await dockerOk(['network', 'create', 'once']);
    assert.match((await docker(['network', 'create', 'once'])).stderr, /network with name once already exists/);
    await dockerOk(['network', 'rm', 'once']);
  });

  it('says that the engine is away, and recovers by itself', async () => {
    await engine.stopDaemon();
    const { code, stderr } = await docker(['ps']);
    assert.equal(code, 1);
    assert.match(stderr, /Cannot connect to the Docker engine at unix:\/\//);
    const attach = await docker(['exec', 'x', 'true']);
    assert.match(attach.stderr, /Cannot connect to the Docker engine/);
    await engine.startDaemon();
    await dockerOk(['ps']);
    assert.equal(await dockerOk(['run', '--rm', 'busybox:1', 'echo', 'back']), 'back');
  });
});

describe('raw HTTP through the proxy', () => {
  it('lets an old client take the connection over without asking for an upgrade', async () => {
    const id = await dockerOk(['create', '-i', 'busybox:1', 'sh', '-c', 'read line; echo old $line']);
    const outcome = await new Promise<string>((resolve, reject) => {
      const call = request({
        socketPath: socket,
        method: 'POST',
        path: `/v1.24/containers/${id}/attach?stdin=1&stdout=1&stream=1`,
        headers: { 'Content-Length': '0' },
      });
      call.on('error', reject);
      call.on('response', (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString('latin1');
        });
        answer.on('end', () => resolve(`${answer.statusCode} ${text}`));
        void dockerOk(['start', id]).then(() => call.socket?.end('client\n'));
      });
      call.end();
    });
    assert.equal(outcome, `200 \u0001\0\0\0\0\0\0\u000bold client\n`);
    await dockerOk(['rm', id]);
  });
});
