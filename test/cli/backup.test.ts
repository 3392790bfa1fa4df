import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { runCli } from '#cli/cli.ts';
import { systemClock, systemRandom } from '#platform/clock.ts';
import { type InProcessApi, startInProcessApi } from '../api/in-process.ts';

describe('backup and restore on daemons in this process', () => {
  let first: InProcessApi;
  let second: InProcessApi;
  let folder: string;
  let clusterId: string;
  let nodeId: string;
  const path = (name: string) => join(folder, name);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skep-backup-'));
    [first, second] = await Promise.all([startInProcessApi(), startInProcessApi()]);
    nodeId = await first.init();
    const spec = { Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'busybox:1' } }, Mode: { Replicated: { Replicas: 3 } } };
    assert.equal((await first.http('POST', '/services/create', spec)).status, 201);
    assert.equal((await first.http('POST', '/secrets/create', { Name: 'password', Data: Buffer.from('s3cret').toString('base64') })).status, 201);
    assert.equal((await first.http('POST', '/configs/create', { Name: 'motd', Data: Buffer.from('be-nice').toString('base64') })).status, 201);
    await running(first);
    clusterId = ((await first.http('GET', '/swarm')).body as { ID: string }).ID;
  });
  after(async () => {
    await Promise.all([first?.close(), second?.close()]);
    rmSync(folder, { recursive: true, force: true });
  });

  async function skep(api: InProcessApi, argv: readonly string[], input = '') {
    const texts = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
    const output = (name: 'stdout' | 'stderr') => ({
      write: (text: string | Uint8Array) => void (texts[name] = Buffer.concat([texts[name], Buffer.from(text)])),
    });
    const code = await runCli(argv, {
      programName: 'skep',
      version: '0.0.0',
      gitCommit: 'test',
      environment: { DOCKER_HOST: `unix://${api.socketPath}`, DOCKER_CONFIG: folder },
      workingDirectory: folder,
      homeDirectory: folder,
      stdin: Readable.from([Buffer.from(input)]),
      stdout: output('stdout'),
      stderr: output('stderr'),
      clock: systemClock,
      random: systemRandom,
      onInterrupt: () => () => {},
      loadConverters: () => Promise.reject(new Error('no stack is meant')),
    });
    return { code, bytes: texts.stdout, stdout: texts.stdout.toString(), stderr: texts.stderr.toString() };
  }

  const running = (api: InProcessApi) =>
    api.until<{ Status: { State: string } }[]>('/tasks', (list) => list.filter(({ Status }) => Status.State === 'running').length === 3);

  it('takes a snapshot of a new swarm by itself, for nobody but root', async () => {
    const snapshots = join(first.stateFolder, 'snapshots');
    const [name = ''] = readdirSync(snapshots);
    assert.match(name, /^\d{4}-\d\d-\d\dT[\d-]+Z-scheduled\.skep$/);
    assert.equal(statSync(join(snapshots, name)).mode & 0o777, 0o600);
  });

  it('writes a file that only its owner can read, and says what it is', async () => {
    const { code, stdout, stderr } = await skep(first, ['backup', 'plain.skep']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^plain\\.skep: swarm ${clusterId}, version \\d+, \\d+ bytes\\n$`));
    assert.match(stderr, /WARNING: Whoever can read this backup has the swarm's keys/);
    assert.equal(statSync(path('plain.skep')).mode & 0o777, 0o600);
    assert.doesNotMatch(readFileSync(path('plain.skep'), 'latin1'), /be-nice|busybox/);
    const named = await skep(first, ['backup', '--quiet']);
    assert.match(named.stdout, /^swarm-\d{4}-[\dTZ-]+\.skep\n$/);
    assert.equal(statSync(path(named.stdout.trim())).mode & 0o777, 0o600);
  });

  it('writes to a pipe, and protects the file by a passphrase that is no argument', async () => {
    const { code, bytes, stderr } = await skep(first, ['backup', '--encrypt', '-'], 'correct horse\n');
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    writeFileSync(path('locked.skep'), bytes);
    assert.match((await skep(first, ['backup', '--encrypt', 'x'], 'short\n')).stderr, /a passphrase has at least 8 characters/);
    assert.match((await skep(first, ['backup', '--passphrase-file', 'nowhere', 'x'])).stderr, /cannot read the passphrase: ENOENT/);
    assert.match((await skep(first, ['backup', '/nowhere/x'])).stderr, /cannot write the backup: ENOENT/);
  });

  it('refuses what is no backup, damaged, cut off, of a newer program, or without its key; nothing changes', async () => {
    const good = readFileSync(path('plain.skep'));
    const flipped = Buffer.from(good);
    flipped.writeUInt8(flipped.readUInt8(good.length - 100) ^ 1, good.length - 100);
    const cases: readonly (readonly [string | Buffer, RegExp])[] = [
      ['', /this is not a backup of a swarm/],
      ['PK\u0003\u0004 something else\n', /this is not a backup of a swarm/],
      [good.subarray(0, good.length - 1), /the backup is damaged or not complete/],
      [good.subarray(0, 100), /the backup is damaged or not complete/],
      [flipped, /the backup is damaged or not complete: its checksum does not fit; nothing was changed/],
      [Buffer.concat([Buffer.from('SKEP-BACKUP 2'), good.subarray(13)]), /made by a newer skepd \(format 2\)/],
    ];
    for (const [contents, expected] of cases) {
      writeFileSync(path('bad.skep'), contents);
      const { code, stderr } = await skep(second, ['restore', 'bad.skep']);
      assert.equal(code, 1);
      assert.match(stderr, expected);
      // The daemon says the same to who does not look first.
      const answer = await fetchRestore(second, Buffer.from(contents));
      assert.equal(answer.status, 400);
      assert.match(answer.message, expected);
    }
    assert.match((await skep(second, ['restore', 'locked.skep'], 'wrong horse\n')).stderr, /this passphrase does not open the backup; nothing was changed/);
    const { status, message } = await fetchRestore(second, readFileSync(path('locked.skep')));
    assert.deepEqual([status, message], [401, 'the backup is protected by a passphrase, which is needed to restore it']);
    assert.match((await skep(second, ['restore', 'nowhere.skep'])).stderr, /cannot read the backup: ENOENT/);
    assert.equal(((await second.http('GET', '/info')).body as { Swarm: { LocalNodeState: string } }).Swarm.LocalNodeState, 'inactive');
    assert.deepEqual(readdirSync(second.stateFolder), []);
  });

  it('brings the swarm back on a node without one: same ids, tokens, root, secrets and services', async () => {
    const before = (await first.http('GET', '/swarm')).body as { JoinTokens: object; TLSInfo: object };
    const { code, stdout, stderr } = await skep(second, ['restore', 'locked.skep'], 'correct horse\n');
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^Swarm ${clusterId} restored as of \\S+: current node \\(${nodeId}\\) is its only manager\\.\\n$`));
    const swarm = (await second.http('GET', '/swarm')).body as { ID: string; JoinTokens: object; TLSInfo: object; Version: { Index: number } };
    assert.deepEqual([swarm.ID, swarm.JoinTokens, swarm.TLSInfo], [clusterId, before.JoinTokens, before.TLSInfo]);
    // The containers are not on this machine: there are others in their place.
    await running(second);
    assert.equal(((await second.http('GET', '/secrets')).body as object[]).length, 1);
    const [config] = (await second.http('GET', '/configs')).body as { Spec: { Data: string } }[];
    assert.equal(Buffer.from(config?.Spec.Data ?? '', 'base64').toString(), 'be-nice');
    // Writes go on, with versions that nobody has seen.
    assert.equal((await second.http('POST', '/configs/create', { Name: 'later', Data: 'eA==' })).status, 201);
    assert(
      readdirSync(second.stateFolder).every((name) => !/restored|replaced/.test(name)),
      String(readdirSync(second.stateFolder)),
    );
  });

  it('replaces what a node of the same swarm has only by force, and keeps a snapshot of it', async () => {
    const refused = await skep(second, ['restore', 'plain.skep']);
    assert.match(refused.stderr, /This node is already part of a swarm\. Use --force to replace what it has of that swarm/);
    const { code, stderr } = await skep(second, ['restore', '--force', 'plain.skep']);
    assert.equal(code, 0, stderr);
    const names = ((await second.http('GET', '/configs')).body as { Spec: { Name: string } }[]).map(({ Spec }) => Spec.Name);
    assert.deepEqual(names, ['motd']);
    const kept = readdirSync(join(second.stateFolder, 'snapshots')).find((name) => name.endsWith('-before-restore.skep')) ?? '';
    assert.equal((await skep(second, ['restore', '--force', join(second.stateFolder, 'snapshots', kept)])).code, 0);
    assert.equal(((await second.http('GET', '/configs')).body as object[]).length, 2);
  });

  it('refuses to replace another swarm, even by force', async () => {
    const third = await startInProcessApi();
    try {
      await third.init();
      const { stderr } = await skep(third, ['restore', '--force', 'plain.skep']);
      assert.match(stderr, /this node is part of another swarm \(\w+\) than the one that the backup is of \(\w+\): use "docker swarm leave --force" first/);
      assert.equal(((await third.http('GET', '/configs')).body as object[]).length, 0);
      assert(readdirSync(third.stateFolder).every((name) => !/restored|replaced/.test(name)));
    } finally {
      await third.close();
    }
  });

  it('of a swarm with autolock opens with the unlock key only, and is locked again once it is restored', async () => {
    assert.equal((await skep(first, ['swarm', 'update', '--autolock'])).code, 0);
    const { stdout: key } = await skep(first, ['swarm', 'unlock-key', '-q']);
    assert.match(
      (await skep(first, ['backup', '--encrypt', 'x'], 'correct horse\n')).stderr,
      /are locked \(autolock\): its backups are protected by the unlock key/,
    );
    const { stderr } = await skep(first, ['backup', 'autolock.skep']);
    assert.match(stderr, /can be restored only with the unlock key/);
    assert.match((await skep(second, ['restore', '--force', 'autolock.skep'], 'correct horse\n')).stderr, /invalid key string/);
    const { code, stderr: problem } = await skep(second, ['restore', '--force', 'autolock.skep'], key);
    assert.equal(code, 0, problem);
    assert.match(readFileSync(join(second.stateFolder, 'data-key'), 'utf8'), /^wrapped:/);
    assert.equal((await skep(second, ['swarm', 'unlock-key', '-q'])).stdout, key);
  });

  it('is whole while the swarm changes: one version of the store, with everything that was acknowledged before', async () => {
    const created: string[] = [];
    let goesOn = true;
    const writing = (async () => {
      for (let index = 0; goesOn; index++) {
        const { status } = await first.http('POST', '/configs/create', { Name: `load-${index}`, Data: 'eA==' });
        assert.equal(status, 201);
        created.push(`load-${index}`);
      }
    })();
    await first.until<object[]>('/configs', (list) => list.length > 20);
    const acknowledged = [...created];
    const { stdout: key } = await skep(first, ['swarm', 'unlock-key', '-q']);
    assert.equal((await skep(first, ['backup', 'load.skep'])).code, 0);
    goesOn = false;
    await writing;
    assert.equal((await skep(second, ['restore', '--force', 'load.skep'], key)).code, 0);
    const names = ((await second.http('GET', '/configs')).body as { Spec: { Name: string } }[])
      .map(({ Spec }) => Spec.Name)
      .filter((name) => name.startsWith('load-'));
    assert(acknowledged.every((name) => names.includes(name)));
    assert.deepEqual(new Set(names), new Set(created.slice(0, names.length)));
  });
});

async function fetchRestore(api: InProcessApi, file: Buffer): Promise<{ readonly status: number; readonly message: string }> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath: api.socketPath, method: 'POST', path: '/skep/restore', headers: { 'Content-Length': file.length } }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, message: (JSON.parse(text) as { message: string }).message }));
    });
    outgoing.on('error', reject);
    outgoing.end(file);
  });
}
