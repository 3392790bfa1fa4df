// W2 of the walkthrough: a stack from a Compose file, by the real docker CLI against a real skepd and dockerd. The applications are a few lines of
// shell that behave as theirs: a database that answers on 5432, a web application that asks it by name, a reverse proxy that reads its configuration.
import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { lacksCli, stackDeploy, stackTable } from '../lib/cli-version.ts';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';
import { startClientLoop } from './client-loop.ts';

describe('W2: a stack from a Compose file', { skip: process.getuid?.() !== 0 && 'needs root', timeout: 300_000 }, () => {
  let skepd: TestSkepd;
  let folder: string;
  const docker = (...args: string[]) => skepd.docker(...args);

  before(async () => {
    skepd = await startSkepd();
    folder = join(skepd.engine.folder, 'project');
    await cp(join(import.meta.dirname, 'w2'), folder, { recursive: true });
    await skepd.engine.importBusybox('busybox:1');
    const answer = 'printf "%s of %s" "$POSTGRES_DB" "$POSTGRES_USER"; [ ! -e /run/secrets/pg_password ] || printf " (%s)" "$(cat /run/secrets/pg_password)"';
    await skepd.engine.importBusybox('postgres:latest', `CMD ${JSON.stringify(['nc', '-ll', '-p', '5432', '-e', 'sh', '-c', answer])}`);
    await skepd.engine.importBusybox('nginx:latest', 'CMD ["nc","-ll","-p","1337","-e","sh","/proxy.sh"]');
    await skepd.init();
  });
  after(() => skepd?.stop());

  /** The CLI in the project's folder, with what it says on both outputs. */
  async function cli(args: readonly string[], input?: string): Promise<string> {
    const { code, stdout, stderr } = await skepd.tryDocker(args, { env: { DOCKER_BUILDKIT: '0' }, ...(input === undefined ? {} : { input }) });
    assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}`);
    return stdout + stderr;
  }
  const deploy = (...files: string[]) => cli([...stackDeploy, ...files.flatMap((file) => ['--compose-file', join(folder, file)]), 'test_swarm']);
  async function page(port = 8000): Promise<string> {
    const { stdout } = await skepd.engine.client.exec(['curl', '-s', '-m', '5', `http://${skepd.engine.address}:${port}/cgi-bin/index.cgi`]);
    return stdout.trim();
  }
  const replicas = (service: string) => docker('service', 'ls', '--filter', `name=test_swarm_${service}`, '--format', '{{.Replicas}}');
  const versionOf = async (service: string) => docker('service', 'inspect', '--format', '{{.Version.Index}} {{json .Spec}}', `test_swarm_${service}`);

  async function change(edit: (compose: string) => string): Promise<void> {
    const path = join(folder, 'docker-compose.yml');
    await writeFile(path, edit(await readFile(path, 'utf8')));
  }

  test('the engine builds the image, and stack deploy makes network and services', async () => {
    assert.match(await cli(['build', '-t', 'swarm_web', join(folder, 'web')]), /Successfully tagged swarm_web:latest/);
    const output = await deploy('docker-compose.yml');
    assert.match(output, /Ignoring unsupported options: build/);
    for (const line of ['Creating network test_swarm_default', 'Creating service test_swarm_db', 'Creating service test_swarm_web'])
      assert.ok(output.includes(line), output);
  });

  test('the lists show the stack', async () => {
    await until('both services run', async () => (await replicas('db')) === '1/1' && (await replicas('web')) === '1/1');
    assert.match(await docker('stack', 'ls'), stackTable('test_swarm', 2));
    assert.match(await docker('stack', 'ps', 'test_swarm'), /test_swarm_db\.1 +postgres:latest .*Running/);
    assert.match(await docker('stack', 'services', 'test_swarm'), /test_swarm_web +replicated +1\/1 +swarm_web:latest +\*:8000->8000\/tcp/);
    assert.match(await docker('service', 'ls'), /test_swarm_db +replicated +1\/1 +postgres:latest +\*:5432->5432\/tcp/);
  });

  test('the page answers and reaches the database by name', async () => {
    await until('the page answers', async () => (await page()).startsWith('release first'));
    assert.equal(await page(), 'release first, database says: todos of todo');
  });

  test('the bind mount is the folder itself', async () => {
    await writeFile(join(folder, 'web', 'note.txt'), 'written outside');
    const { stdout } = await skepd.engine.client.exec(['curl', '-s', `http://${skepd.engine.address}:8000/note.txt`]);
    assert.equal(stdout, 'written outside');
  });

  test('deploying again changes only what changed', async () => {
    const database = await versionOf('db');
    const [task] = (await docker('service', 'ps', '-q', 'test_swarm_db')).split('\n');
    await change((compose) => compose.replace('    depends_on:', '    deploy:\n      replicas: 2\n    depends_on:'));
    const output = await deploy('docker-compose.yml');
    assert.match(output, /Updating service test_swarm_web \(id: [0-9a-z]{25}\)/);
    await until('two run', async () => (await replicas('web')) === '2/2');
    assert.equal((await versionOf('db')).split(' ').slice(1).join(' '), database.split(' ').slice(1).join(' '));
    assert.deepEqual((await docker('service', 'ps', '-q', 'test_swarm_db')).split('\n'), [task]);
    assert.equal((await docker('service', 'ps', '-q', 'test_swarm_web')).split('\n').length, 2, 'the first task of web goes on');
  });

  test('a new image rolls while the service keeps answering', async () => {
    await cli(['build', '--build-arg', 'RELEASE=patch1', '-t', 'swarm_web:patch1', join(folder, 'web')]);
    const client = await startClientLoop(skepd.engine, `http://${skepd.engine.address}:8000/cgi-bin/index.cgi`);
    const output = await cli(['service', 'update', '--image', 'swarm_web:patch1', '--update-delay', '2s', 'test_swarm_web']);
    assert.match(output, /image swarm_web:patch1 could not be accessed on a registry to record\nits digest\./);
    const answers = await client.stop();
    assert.deepEqual(
      answers.filter((line) => !/^release (first|patch1), database says/.test(line)),
      [],
      'no request failed',
    );
    assert.match(answers.at(-1) ?? '', /^release patch1/);
    const started = (await docker('service', 'ps', '--filter', 'desired-state=running', '--format', '{{.ID}}', 'test_swarm_web')).split('\n');
    const times = await Promise.all(started.map((id) => docker('inspect', '--type', 'task', '--format', '{{.CreatedAt}}', id)));
    const [first = 0, second = 0] = times.map((time) => Date.parse(time.replace(/ UTC$/, '').replace(/(\.\d{3})\d* /, '$1'))).toSorted((a, b) => a - b);
    assert.ok(second - first >= 2_000, `the second task followed after ${second - first} ms`);
  });

  test('stack rm removes services and network, and leaves volumes', async () => {
    await docker('volume', 'create', '--label', 'com.docker.stack.namespace=test_swarm', 'test_swarm_data');
    const output = await cli(['stack', 'rm', 'test_swarm']);
    for (const line of ['Removing service test_swarm_db', 'Removing service test_swarm_web', 'Removing network test_swarm_default'])
      assert.ok(output.includes(line), output);
    await until('no container is left', async () => (await docker('ps', '-aq')) === '');
    await until('no network is left', async () => !(await docker('network', 'ls', '--format', '{{.Name}}')).includes('test_swarm'));
    assert.equal(await docker('volume', 'ls', '-q'), 'test_swarm_data');
    await docker('volume', 'rm', 'test_swarm_data');
  });

  test('configs and secrets: created by hand and from the Compose file, read by both services', async () => {
    const config = await docker('config', 'create', 'nginx_config', join(folder, 'nginx/nginx.conf'));
    assert.match(await docker('config', 'ls'), new RegExp(`^ID +NAME +CREATED +UPDATED\\n${config} +nginx_config `));
    assert.match(await docker('config', 'inspect', '--pretty', 'nginx_config'), /Data:\nupstream application \{/);
    await cli(['secret', 'create', 'pg_password', '-'], 'docker\n');
    assert.match(await docker('secret', 'ls', '--format', '{{.Name}}'), /^pg_password$/);
    await writeFile(
      join(folder, 'proxy.yml'),
      [
        "version: '3.3'",
        'services:',
        '  db: {secrets: [pg_password]}',
        '  web: {secrets: [pg_password]}',
        '  nginx:',
        '    image: nginx',
        '    stop_grace_period: 1s',
        "    ports: ['1337:1337']",
        '    volumes: [./proxy.sh:/proxy.sh:ro]',
        '    configs: [{source: nginx_conf, target: /etc/nginx/nginx.conf}]',
        'configs: {nginx_conf: {file: ./nginx/nginx.conf}}',
        'secrets: {pg_password: {external: true}}',
        '',
      ].join('\n'),
    );
    const output = await deploy('docker-compose.yml', 'proxy.yml');
    assert.match(output, /Creating config test_swarm_nginx_conf/);
    await until(
      'the page comes through the reverse proxy',
      async () => (await page(1337)) === 'release first, database says: todos of todo (docker)\npassword: docker',
    );
  });

  test('two Compose files make one stack file, which can be deployed', { skip: lacksCli(25, '`stack config`') }, async () => {
    await docker('stack', 'rm', 'test_swarm');
    await until(
      'the stack is gone',
      async () => (await docker('ps', '-aq')) === '' && !(await docker('network', 'ls', '--format', '{{.Name}}')).includes('test_swarm'),
    );
    // The CLI writes `name:` into the merged file, which its own schemas know from 3.5 on.
    for (const file of ['docker-compose.yml', 'proxy.yml']) {
      const text = await readFile(join(folder, file), 'utf8');
      await writeFile(join(folder, file), text.replace("version: '3.3'", "version: '3.8'"));
    }
    const files = ['docker-compose.yml', 'proxy.yml'].flatMap((file) => ['--compose-file', join(folder, file)]);
    await writeFile(join(folder, 'stack.yml'), await docker('stack', 'config', ...files));
    const output = await deploy('stack.yml');
    assert.match(output, /Creating service test_swarm_nginx/);
    await until('the page comes through the reverse proxy', async () => (await page(1337)).startsWith('release first, database says: todos of todo (docker)'));
    await docker('stack', 'rm', 'test_swarm');
    await until('no container is left', async () => (await docker('ps', '-aq')) === '');
  });
});
