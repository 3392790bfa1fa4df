// The verbs for containers, by docker on one container and by skep on its twin: what is said and what comes of it are the same. And what docker has not: tasks by their names.
import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { skipWithoutDocker } from '../api/docker-cli.ts';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';
import { type BothPrograms, bothPrograms, comparable, type Outcome } from './run.ts';

const SLEEPS = ['sh', '-c', 'trap "exit 4" TERM; trap "" USR1; sleep 1000 & while true; do wait; done'];

describe('containers by skep and by docker', { skip: skipWithoutDocker }, () => {
  let skepd: TestSkepd;
  let programs: BothPrograms;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'skep-cp-'));
    skepd = await startSkepd();
    await skepd.engine.importBusybox('tiny:1');
    await skepd.init();
    programs = bothPrograms(skepd.socket);
    await skepd.docker('network', 'create', 'net');
    for (const name of ['of-docker', 'of-skep']) await skepd.docker('run', '-d', '--name', name, '-p', '127.0.0.1::80', 'tiny:1', ...SLEEPS);
  });
  after(async () => {
    programs?.close();
    rmSync(folder, { recursive: true, force: true });
    await skepd?.stop();
  });

  const plain = ({ code, stdout, stderr }: Outcome): Outcome => {
    const text = (output: string) =>
      output
        .replaceAll(/of-(docker|skep)/g, 'C')
        .replaceAll(/[0-9a-f]{64}/g, 'ID')
        .replaceAll(/127\.0\.0\.1:\d+/g, 'ADDRESS');
    return comparable({ code, stdout: text(stdout), stderr: text(stderr) });
  };

  it('say and do the same', async () => {
    const commands: readonly (readonly string[])[] = [
      ...[
        ['pause', 'C'],
        ['pause', 'C'],
        ['unpause', 'C'],
        ['unpause', 'C'],
      ],
      ...[
        ['kill', '-s', 'USR1', 'C'],
        ['kill', '--signal', 'NONSENSE', 'C'],
        ['kill', 'nosuch'],
      ],
      ...[
        ['port', 'C'],
        ['port', 'C', '80'],
        ['port', 'C', '80/udp'],
        ['port', 'C', '81'],
        ['port', 'nosuch'],
      ],
      ...[
        ['update', 'C'],
        ['update', '--memory', '64m', '--memory-swap', '128m', '--cpus', '0.5', 'C'],
        ['update', '--restart', 'a:b:c', 'C'],
      ],
      ...[
        ['update', '--restart', 'on-failure:x', 'C'],
        ['update', '--restart', 'on-failure:3', 'C'],
        ['update', '--restart', 'no', 'C'],
      ],
      ['stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}', 'C'],
      ...[
        ['rename', 'C', ''],
        ['rename', 'nosuch', 'x'],
        ['rename', 'C'],
        ['rm', 'C'],
        ['rm', 'nosuch', 'nosuch2'],
        ['wait', 'nosuch'],
      ],
      ...[
        ['stop', '-t', '5', 'C'],
        ['wait', 'C'],
        ['stop', 'C'],
        ['attach', 'C'],
        ['kill', 'C'],
        ['start', 'C'],
        ['start', 'nosuch'],
        ['network', 'connect', '--alias', 'other', 'net', 'C'],
        ['network', 'connect', 'net', 'C'],
        ['network', 'disconnect', 'net', 'C'],
        ['network', 'disconnect', 'net', 'C'],
        ['restart', '-t', '1', 'C'],
      ],
      ...[
        ['cp', 'C:/nosuch', 'x'],
        ['cp', 'x', 'y'],
        ['cp', 'C:/a', 'C:/b'],
        ['cp', '', 'C:/a'],
        ['cp', 'nosuch:/a', '.'],
      ],
      ['system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}}'],
    ];
    const differences: unknown[] = [];
    for (const args of commands) {
      const theirs = plain(await programs.docker(...args.map((word) => word.replace(/^C(?=$|:)/, 'of-docker'))));
      const ours = plain(await programs.skep(...args.map((word) => word.replace(/^C(?=$|:)/, 'of-skep'))));
      if (JSON.stringify(theirs) !== JSON.stringify(ours)) differences.push({ args: args.join(' '), theirs, ours });
    }
    assert.deepEqual(differences, []);
    const limits = '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.RestartPolicy.Name}} {{.State.Status}}';
    const [theirs, ours] = await Promise.all(['of-docker', 'of-skep'].map((name) => skepd.docker('inspect', '--format', limits, name)));
    assert.equal(ours, theirs);
  });

  it('are started with their streams joined, and removed with what nobody uses', async () => {
    const create = (name: string, ...args: readonly string[]) => skepd.docker('create', '--name', name, '--label', `prune=${name}`, ...args);
    for (const name of ['ends-docker', 'ends-skep']) await create(name, 'tiny:1', 'sh', '-c', 'echo out; echo err >&2; exit 3');
    const theirs = await programs.docker('start', '-a', 'ends-docker');
    assert.deepEqual(await programs.skep('start', '-a', 'ends-skep'), theirs);
    assert.deepEqual(theirs, { code: 3, stdout: 'out\n', stderr: 'err\n' });
    for (const program of ['docker', 'skep'] as const) await skepd.docker('network', 'create', '--label', `prune=ends-${program}`, `unused-${program}`);
    const pruned = async (program: 'docker' | 'skep', kind: string) => {
      const outcome = await programs[program](kind, 'prune', '-f', '--filter', `label=prune=ends-${program}`);
      return { ...outcome, stdout: outcome.stdout.replaceAll(/[0-9a-f]{64}/g, 'ID').replaceAll(program, 'P') };
    };
    for (const kind of ['container', 'network']) {
      const done = await pruned('skep', kind);
      assert.deepEqual(done, await pruned('docker', kind));
      assert.match(done.stdout, kind === 'network' ? /^Deleted Networks:\nunused-P\n/ : /^Deleted Containers:\nID\n\nTotal reclaimed space: 0B\n/);
    }
    assert.deepEqual(await pruned('skep', 'system'), await pruned('docker', 'system'), 'nothing was left');
  });

  it('copy the same files to the same places', async () => {
    const source = join(folder, 'source');
    mkdirSync(join(source, 'sub'), { recursive: true });
    writeFileSync(join(source, 'file'), 'one');
    writeFileSync(join(source, 'sub', 'b [x]|.txt'), 'two');
    symlinkSync('file', join(source, 'link'));
    const into = (from: string, to: string) => ['cp', join(folder, from), `C:${to}`];
    const outOf = (from: string, to: string) => ['cp', `C:${from}`, to];
    const commands: readonly (readonly string[])[] = [
      ...[into('source/file', '/tmp/renamed'), into('source/file', '/tmp'), into('source', '/tmp/new'), into('source', '/tmp'), into('source/.', '/tmp/new')],
      ...[
        into('source/file', '/tmp/none/'),
        into('source', '/tmp/renamed'),
        into('nosuch', '/tmp'),
        into('source/sub', '/tmp/none/deep'),
        into('source/file/', '/tmp'),
      ],
      ...[
        outOf('/tmp/renamed', 'OUT/plain'),
        outOf('/tmp/renamed', 'OUT'),
        outOf('/tmp/new', 'OUT/tree'),
        outOf('/tmp/new', 'OUT'),
        outOf('/tmp/new/.', 'OUT/tree'),
      ],
      ...[
        outOf('/tmp/renamed', 'OUT/none/'),
        outOf('/tmp/new', 'OUT/plain'),
        outOf('/tmp/new/link', 'OUT/as-link'),
        ['cp', '-L', 'C:/tmp/new/link', 'OUT/followed'],
      ],
    ];
    const results = await Promise.all(
      (['docker', 'skep'] as const).map(async (program) => {
        const out = join(folder, program);
        mkdirSync(out);
        const failed: string[] = [];
        for (const args of commands) {
          const { code } = await programs[program](...args.map((word) => word.replace(/^C:/, `of-${program}:`).replace(/^OUT/, out)));
          if (code !== 0) failed.push(args.join(' ').replaceAll(folder, ''));
        }
        const inside = await skepd.docker(
          'exec',
          `of-${program}`,
          'sh',
          '-c',
          'cd /tmp && find . | sort && find . -type f -exec cat {} + && stat -c %u:%g new/file',
        );
        return { failed, inside, outside: contents(out) };
      }),
    );
    assert.deepEqual(results[1], results[0]);
    assert.equal(results[0]?.failed.length, 7, JSON.stringify(results[0]?.failed));
  });

  it('reach a task by its name, with the ports that the swarm publishes for it', async () => {
    await skepd.docker(
      'service',
      'create',
      '-d',
      '--no-resolve-image',
      '--name',
      'web',
      '-p',
      '8099:80',
      '-p',
      'published=8098,target=81,mode=host',
      'tiny:1',
      ...SLEEPS,
    );
    await until('the task runs', async () => (await skepd.docker('service', 'ls', '--format', '{{.Replicas}}')) === '1/1');
    const said = async (...args: string[]) => {
      const { code, stdout, stderr } = await programs.skep(...args);
      assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
      return stdout.trim();
    };
    assert.equal(await said('port', 'web.1'), '80/tcp -> 0.0.0.0:8099\n81/tcp -> 0.0.0.0:8098\n81/tcp -> [::]:8098');
    assert.match(await said('stats', '--no-stream', '--all-nodes'), /^CONTAINER ID +NAME +CPU % .* NODE\n[^]*web\.1\./);
    assert.match(await said('system', 'df', '--all-nodes'), /^NODE +TYPE +TOTAL[^]*\n\S+ +Images +1 /);
    writeFileSync(join(folder, 'note'), 'for the task');
    await said('cp', join(folder, 'note'), 'web.1:/tmp/note');
    await said('cp', 'web:/tmp/note', join(folder, 'back'));
    assert.equal(readFileSync(join(folder, 'back'), 'utf8'), 'for the task');
    const container = await skepd.docker('ps', '-q', '--no-trunc', '--filter', 'name=web.1');
    await skepd.docker('exec', container, 'sh', '-c', 'echo last words > /proc/1/fd/1');
    await skepd.docker('service', 'rm', 'web');
    await until('the container is gone', async () => (await skepd.docker('ps', '-aq', '--filter', 'name=web.1')) === '');
    for (const name of [container, container.slice(0, 12)]) assert.equal(await said('logs', name), 'last words', 'its log is kept');
    assert.match((await programs.docker('inspect', container)).stderr, /No such/);
  });

  it('end with the code of the process that they were attached to', async () => {
    for (const program of ['docker', 'skep'] as const) {
      await skepd.docker('run', '-d', '--name', `brief-${program}`, 'tiny:1', 'sh', '-c', 'while [ ! -e /tmp/go ]; do sleep 0.1; done; echo seen; exit 7');
      const attached = programs[program]('attach', '--no-stdin', `brief-${program}`);
      // Whoever attaches too late sees nothing.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      await skepd.docker('exec', `brief-${program}`, 'touch', '/tmp/go');
      assert.deepEqual(await attached, { code: 7, stdout: 'seen\n', stderr: '' }, program);
    }
  });
});

/** Paths, kinds and contents below a folder. */
function contents(path: string): readonly string[] {
  return (readdirSync(path, { recursive: true }) as string[]).toSorted().map((name) => {
    const file = join(path, name);
    const stat = lstatSync(file);
    return `${name} ${stat.isSymbolicLink() ? 'link' : stat.isDirectory() ? 'folder' : existsSync(file) ? readFileSync(file, 'utf8') : ''}`;
  });
}
