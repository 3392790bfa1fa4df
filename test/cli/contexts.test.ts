// Contexts are files that both programs read: what one makes, the other uses.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { skipWithoutDocker } from '../api/docker-cli.ts';
import { bothPrograms, type BothPrograms, comparable } from './run.ts';
import { skepInProcess } from './skep-in-process.ts';

describe('contexts', () => {
  let folder: string;
  const skep = (...args: readonly string[]) => skepInProcess({ socketPath: '/nowhere.sock', folder, environment: { DOCKER_HOST: '' } })('context', ...args);
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'skep-contexts-'));
    for (const name of ['ca', 'cert', 'key']) writeFileSync(join(folder, `${name}.pem`), `the ${name}`);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('are created, used, shown, and removed when they are not in use', async () => {
    const created = await skep('create', 'prod', '--description', 'all of it', '--docker', 'host=tcp://10.0.0.1:2376,ca=ca.pem,cert=cert.pem,key=key.pem');
    assert.deepEqual(created, { code: 0, stdout: 'prod\n', stderr: 'Successfully created context "prod"\n' });
    assert.equal((await skep('use', 'prod')).stderr, 'Current context is now "prod"\n');
    assert.equal((await skep('show')).stdout, 'prod\n');
    assert.match(
      (await skep('ls')).stdout,
      /^default +Current DOCKER_HOST.* unix:\/\/\/run\/skep\/skep\.sock +\nprod \* +all of it +tcp:\/\/10\.0\.0\.1:2376 +$/m,
    );
    const [inspected] = JSON.parse((await skep('inspect')).stdout) as [{ Name: string; TLSMaterial: object; Storage: { TLSPath: string } }];
    assert.deepEqual([inspected.Name, inspected.TLSMaterial], ['prod', { docker: ['ca.pem', 'cert.pem', 'key.pem'] }]);
    assert.equal(statSync(join(inspected.Storage.TLSPath, 'docker', 'key.pem')).mode & 0o777, 0o600);
    assert.deepEqual(await skep('rm', 'prod'), { code: 1, stdout: '', stderr: 'context "prod" is in use, set -f flag to force remove\n' });
    assert.equal((await skep('rm', '-f', 'prod')).stdout, 'prod\n');
    assert.equal((await skep('show')).stdout, 'default\n');
  });

  it('are changed in part, carried elsewhere in a file, and never written over', async () => {
    assert.equal((await skep('create', 'there', '--docker', 'host=tcp://10.0.0.1:2376,ca=ca.pem')).code, 0);
    assert.equal((await skep('update', 'there', '--description', 'new')).stderr, 'Successfully updated context "there"\n');
    const inspected = async (name: string) =>
      JSON.parse((await skep('inspect', name)).stdout)[0] as { Metadata: object; Endpoints: object; TLSMaterial: object };
    assert.deepEqual((await inspected('there')).TLSMaterial, { docker: ['ca.pem'] });
    assert.equal((await skep('export', 'there', 'f.tar')).stderr, 'Written file "f.tar"\n');
    assert.equal(statSync(join(folder, 'f.tar')).mode & 0o777, 0o600);
    assert.deepEqual(await skep('export', 'there', 'f.tar'), { code: 1, stdout: '', stderr: 'open f.tar: file exists\n' });
    assert.deepEqual(await skep('export', 'nowhere').then(({ code, stderr }) => [code, stderr.split(': open')[0]]), [
      1,
      'context "nowhere": context not found',
    ]);
    assert.equal(existsSync(join(folder, 'nowhere.dockercontext')), false);
    assert.deepEqual(await skep('import', 'here', 'f.tar'), { code: 0, stdout: 'here\n', stderr: 'Successfully imported context "here"\n' });
    const [here, there] = [await inspected('here'), await inspected('there')];
    assert.deepEqual([here.Metadata, here.Endpoints, here.TLSMaterial], [there.Metadata, there.Endpoints, there.TLSMaterial]);
    assert.equal((await skep('import', 'here', 'f.tar')).stderr, 'context "here" already exists\n');
    assert.equal((await skep('update', 'here', '--docker', 'host=ssh://somebody@there')).code, 0);
    assert.deepEqual((await inspected('here')).TLSMaterial, {}, 'the keys of the old endpoint are not those of the new one');
    assert.equal((await skep('update', 'here', '--docker', 'from=there')).code, 0);
    assert.deepEqual((await inspected('here')).TLSMaterial, { docker: ['ca.pem'] });
    for (const name of ['here', 'there']) await skep('rm', name);
  });

  it('that could lead nowhere are not made', async () => {
    const problem = async (...args: readonly string[]) => (await skep('create', ...args)).stderr.trim();
    assert.match(await problem('a b'), /^context name "a b" is invalid/);
    assert.equal(await problem('ab', '--docker', 'hots=x'), 'unable to create docker endpoint config: unrecognized config key: hots');
    assert.equal(
      await problem('ab', '--docker', 'host=gopher://x'),
      'unable to create docker endpoint config: unable to apply docker endpoint options: unable to parse docker host `gopher://x`',
    );
    assert.match(await problem('ab', '--docker', 'host=tcp://a:1,ca=none.pem'), /open none\.pem: no such file or directory$/);
    assert.equal(await problem('ab', '--from', 'cd').then((text) => text.split(': open')[0]), 'context "cd": context not found');
    assert.equal((await skep('ls', '-q')).stdout, 'default\n');
  });
});

describe('contexts of both programs', { skip: skipWithoutDocker }, () => {
  let programs: BothPrograms;
  before(() => {
    programs = bothPrograms('/nowhere.sock');
  });
  after(() => programs.close());

  it('are the same files, said in the same words', async () => {
    assert.equal((await programs.skep('context', 'create', 'ours', '--docker', 'host=unix:///a.sock')).code, 0);
    assert.equal((await programs.docker('context', 'create', 'theirs', '--docker', 'host=ssh://b', '--description', 'd')).code, 0);
    for (const args of [['ls'], ['inspect', 'ours', 'theirs'], ['create', 'theirs'], ['use', 'none'], ['rm', 'none', 'default']])
      assert.deepEqual(comparable(await programs.skep('context', ...args)), comparable(await programs.docker('context', ...args)), args.join(' '));
    for (const args of [
      ['update', 'theirs', '--description', 'another'],
      ['update', 'default', '--description', 'x'],
      ['update', 'none'],
      ['export', 'none', '-'],
      ['export', 'theirs', '/nowhere/at/all'],
      ['import', 'default', '/dev/null'],
      ['import', 'new', '/nowhere.tar'],
      ['import', 'new', '/tmp'],
      ['import', 'new', '/dev/null'],
      ['import', 'theirs', '/dev/null'],
    ])
      assert.deepEqual(comparable(await programs.skep('context', ...args)), comparable(await programs.docker('context', ...args)), args.join(' '));
    const folder = mkdtempSync(join(tmpdir(), 'skep-exports-'));
    try {
      const [byDocker, bySkep] = [join(folder, 'docker.tar'), join(folder, 'skep.tar')];
      for (const [maker, reader, file] of [
        ['docker', 'skep', byDocker],
        ['skep', 'docker', bySkep],
      ] as const) {
        assert.equal((await programs[maker]('context', 'export', 'theirs', file)).code, 0);
        assert.equal((await programs[maker]('context', 'export', 'theirs', file)).stderr, `open ${file}: file exists\n`);
        assert.equal((await programs[reader]('context', 'import', `of-${maker}`, file)).stderr, `Successfully imported context "of-${maker}"\n`);
        const of = await programs.docker('context', 'inspect', `of-${maker}`, '--format', '{{json .Metadata}}');
        assert.deepEqual(JSON.parse(of.stdout), {
          Name: `of-${maker}`,
          Metadata: { Description: 'another' },
          Endpoints: { docker: { Host: 'ssh://b', SkipTLSVerify: false } },
        });
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    assert.equal((await programs.docker('context', 'rm', 'ours')).code, 0);
    assert.equal((await programs.skep('context', 'rm', 'theirs')).code, 0);
  });
});
