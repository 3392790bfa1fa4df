// W5 of the walkthrough: secrets and configs, by the real docker CLI against real containers.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const SECRET = 'correct-horse-battery-staple';

describe('W5: secrets and configs', { skip: process.getuid?.() !== 0 && 'needs root', timeout: 300_000 }, () => {
  let skepd: TestSkepd;

  before(async () => {
    skepd = await startSkepd();
    await skepd.engine.importBusybox('tiny:1', `CMD ${JSON.stringify(['sh', '-c', 'trap "exit 0" TERM; sleep 100000 & wait'])}`);
    await skepd.init();
  });
  after(() => skepd?.stop());

  /** `docker secret create name -` and the like: the data comes from standard input. */
  async function createFrom(kind: 'secret' | 'config', name: string, data: string, ...flags: string[]): Promise<string> {
    const { code, stdout, stderr } = await skepd.tryDocker([kind, 'create', ...flags, name, '-'], { input: data });
    assert.equal(code, 0, stderr);
    return stdout.trim();
  }

  const createService = (name: string, ...flags: string[]) => skepd.docker('service', 'create', '-q', '--no-resolve-image', '--name', name, ...flags, 'tiny:1');

  /** The running container of a service. */
  async function containerOf(service: string): Promise<string> {
    let id = '';
    await until(`${service} runs`, async () => {
      id = await skepd.docker('ps', '-q', '--no-trunc', '--filter', `label=com.docker.swarm.service.name=${service}`);
      return id !== '' && !id.includes('\n');
    });
    return id;
  }

  async function inside(service: string, ...command: string[]): Promise<string> {
    return await skepd.docker('exec', await containerOf(service), ...command);
  }

  test('a secret is a file in memory with the mode that was asked for, and inspect never shows it', async () => {
    const id = await createFrom('secret', 'pg_password', SECRET, '--label', 'app=db');
    assert.match(id, /^[0-9a-z]{25}$/);
    assert.match(await skepd.docker('secret', 'ls'), /^ID +NAME +DRIVER +CREATED +UPDATED\n[0-9a-z]{25} +pg_password /);
    const shown = await skepd.docker('secret', 'inspect', 'pg_password');
    assert.equal(shown.includes('Data'), false);
    await createService('db', '--secret', 'pg_password', '--secret', 'source=pg_password,target=/etc/pw,uid=1000,gid=1001,mode=0400');
    assert.equal(await inside('db', 'cat', '/run/secrets/pg_password'), SECRET);
    assert.equal(await inside('db', 'stat', '-c', '%a %u %g', '/run/secrets/pg_password'), '444 0 0');
    assert.equal(await inside('db', 'stat', '-c', '%a %u %g', '/etc/pw'), '400 1000 1001');
    assert.equal(await inside('db', 'cat', '/etc/pw'), SECRET);
    assert.match(await inside('db', 'sh', '-c', "df -T /run/secrets/pg_password | tail -n 1 || grep ' /run/secrets' /proc/mounts"), /tmpfs/);
  });

  test('a config is shown in inspect and can be mounted anywhere', async () => {
    await createFrom('config', 'nginx_conf', 'server { listen 80; }\n');
    const pretty = await skepd.docker('config', 'inspect', '--pretty', 'nginx_conf');
    assert.match(pretty, /Data:\nserver \{ listen 80; \}/);
    assert.match(await skepd.docker('config', 'ls'), /nginx_conf/);
    await createService('proxy', '--config', 'nginx_conf', '--config', 'source=nginx_conf,target=/etc/nginx/nginx.conf,mode=0440,uid=1000');
    assert.equal(await inside('proxy', 'cat', '/etc/nginx/nginx.conf'), 'server { listen 80; }');
    assert.equal(await inside('proxy', 'stat', '-c', '%a %u %g', '/etc/nginx/nginx.conf'), '440 1000 0');
    assert.equal(await inside('proxy', 'cat', '/nginx_conf'), 'server { listen 80; }');
  });

  test('templates in configs and secrets are filled in for each task', async () => {
    await createFrom('config', 'greeting', 'I am {{.Service.Name}}.{{.Task.Slot}} on {{.Node.Hostname}}', '--template-driver', 'golang');
    await createService('greeter', '--config', 'source=greeting,target=/greeting', '--hostname', '{{.Service.Name}}-{{.Task.Slot}}');
    assert.match(await inside('greeter', 'cat', '/greeting'), /^I am greeter\.1 on \S+$/);
    assert.equal(await inside('greeter', 'hostname'), 'greeter-1');
  });

  test('what is in use cannot be removed, and the message says by whom', async () => {
    const secret = await skepd.tryDocker(['secret', 'rm', 'pg_password']);
    assert.equal(secret.code, 1);
    assert.match(secret.stderr, /secret 'pg_password' is in use by the following service: db/);
    const config = await skepd.tryDocker(['config', 'rm', 'nginx_conf']);
    assert.match(config.stderr, /config 'nginx_conf' is in use by the following service: proxy/);
  });

  test('update exchanges secrets and configs of a running service', async () => {
    await createFrom('secret', 'pg_password2', 'another');
    await createFrom('config', 'extra', 'more');
    const exchange = ['--secret-rm', 'pg_password', '--secret-add', 'source=pg_password2,target=pg_password', '--config-add', 'source=extra,target=/extra'];
    await skepd.docker('service', 'update', '-q', '--no-resolve-image', ...exchange, 'db');
    assert.equal(await inside('db', 'cat', '/run/secrets/pg_password'), 'another');
    assert.equal(await inside('db', 'cat', '/extra'), 'more');
    await skepd.docker('service', 'update', '-q', '--no-resolve-image', '--config-rm', 'extra', 'db');
    assert.equal((await skepd.tryDocker(['exec', await containerOf('db'), 'cat', '/extra'])).code, 1);
  });

  test('neither the store nor any other file of the daemon has a secret in clear text', async () => {
    for (const text of [SECRET, Buffer.from(SECRET).toString('base64')]) {
      assert.deepEqual(await filesWith(skepd.stateDirectory, text), [], 'in the state directory');
    }
    // The search would have found it: a config's data is no secret.
    assert.notDeepEqual(await filesWith(skepd.stateDirectory, Buffer.from('server { listen 80; }\n').toString('base64')), []);
    assert.equal((await skepd.daemonLog(100_000)).includes(SECRET), false, 'in the log');
  });

  test('nothing of a secret is left on the node after its tasks are gone', async () => {
    await skepd.docker('service', 'rm', 'db', 'proxy', 'greeter');
    await until('every container is gone', async () => (await skepd.docker('ps', '-aq')) === '');
    // The node keeps one file system in memory for all tasks; it must be empty.
    const { stdout: mounts } = await skepd.engine.exec(['cat', '/proc/mounts']);
    const [, memory = ''] = /^\S+ (\S+\/secrets) tmpfs /m.exec(mounts) ?? [];
    assert.ok(memory.startsWith(skepd.stateDirectory), mounts);
    await until('the files of every task are gone', async () => (await skepd.engine.exec(['ls', '-A', memory])).stdout === '');
    await skepd.docker('secret', 'rm', 'pg_password', 'pg_password2');
    await skepd.docker('config', 'rm', 'nginx_conf', 'greeting', 'extra');
    assert.equal(await skepd.docker('secret', 'ls', '-q'), '');
  });
});

/** Paths of the files below a folder that contain a text. */
async function filesWith(folder: string, text: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path).catch(() => undefined);
    if (content?.includes(text)) found.push(path);
  }
  return found;
}
