// W2 of the walkthrough: a stack from a Compose file, examples/web, by either command line against a real skepd and dockerd: a PostgreSQL, a web
// application that asks it by name, and nginx in front of it.
import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ensureDebianImage, recipeFor } from '../../scripts/debian-image.ts';
import { lacksCli, stackDeploy, stackTable } from '../lib/cli-version.ts';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';
import { startClientLoop } from './client-loop.ts';
import { type Cli, withEitherProgram } from './programs.ts';

const COME_UP_MS = 90_000;
const example = join(import.meta.dirname, '../../examples/web');

withEitherProgram('W2: a stack from a Compose file', { skip: process.getuid?.() !== 0 && 'needs root', timeout: 600_000 }, ({ program, cliOf }) => {
  let skepd: TestSkepd;
  let folder: string;
  let cli: Cli;

  before(async () => {
    skepd = await startSkepd({ engineOptions: { name: `w2-${program}` } });
    folder = join(skepd.engine.folder, 'project');
    await cp(example, folder, { recursive: true });
    for (const image of ['postgres:15', 'nginx:1.22', 'examples/python:3']) await ensureDebianImage(`unix://${skepd.engine.socket}`, recipeFor(image) ?? image);
    await skepd.init();
    cli = cliOf(skepd);
  });
  after(() => skepd?.stop());

  /** What is compared with the other program's words; resolves with what it says on both outputs. */
  async function say(place: string, args: readonly string[], input?: string): Promise<string> {
    const { code, stdout, stderr } = await cli.say(place, args, input === undefined ? {} : { input });
    assert.equal(code, 0, `${program} ${args.join(' ')}: ${stderr}`);
    return stdout + stderr;
  }
  /** The engine builds: that is not the swarm's business, and only docker has a command for it. */
  const build = (...args: readonly string[]) => skepd.tryDocker(['build', ...args, join(folder, 'web')], { env: { DOCKER_BUILDKIT: '0' } });
  const deploy = (place: string, ...files: string[]) =>
    say(place, [...stackDeploy, ...files.flatMap((file) => ['--compose-file', join(folder, file)]), 'test_swarm']);
  async function page(port = 8000): Promise<string> {
    const { stdout } = await skepd.engine.client.exec(['curl', '-s', '-m', '5', `http://${skepd.engine.address}:${port}/`]);
    return stdout.trim();
  }
  const replicas = (service: string) => cli.run('service', 'ls', '--filter', `name=test_swarm_${service}`, '--format', '{{.Replicas}}');
  const versionOf = async (service: string) => cli.run('service', 'inspect', '--format', '{{.Version.Index}} {{json .Spec}}', `test_swarm_${service}`);

  async function change(edit: (compose: string) => string): Promise<void> {
    const path = join(folder, 'docker-compose.yml');
    await writeFile(path, edit(await readFile(path, 'utf8')));
  }

  test('the engine builds the image, and stack deploy makes network and services', async () => {
    assert.match((await build('-t', 'swarm_web')).stdout, /Successfully tagged swarm_web:latest/);
    const output = await deploy('deploy', 'docker-compose.yml');
    assert.match(output, /Ignoring unsupported options: build/);
    for (const line of ['Creating network test_swarm_default', 'Creating service test_swarm_db', 'Creating service test_swarm_web'])
      assert.ok(output.includes(line), output);
  });

  test('the lists show the stack', async () => {
    await until('both services run', async () => (await replicas('db')) === '1/1' && (await replicas('web')) === '1/1', COME_UP_MS);
    assert.match((await say('stack ls', ['stack', 'ls'])).trim(), program === 'docker' ? stackTable('test_swarm', 2) : /^NAME +SERVICES\ntest_swarm +2$/);
    assert.match(await say('stack ps', ['stack', 'ps', 'test_swarm']), /test_swarm_db\.1 +postgres:15 .*Running/);
    assert.match(await say('stack services', ['stack', 'services', 'test_swarm']), /test_swarm_web +replicated +1\/1 +swarm_web:latest +\*:8000->8000\/tcp/);
    assert.match(await say('service ls', ['service', 'ls']), /test_swarm_db +replicated +1\/1 +postgres:15 +\*:5432->5432\/tcp/);
    await say('service inspect', ['service', 'inspect', '--pretty', 'test_swarm_web']);
  });

  test('the page answers and reaches the database by name', async () => {
    await until('the page answers', async () => (await page()) === 'release first, database says: todos of todo', COME_UP_MS);
  });

  test('the bind mount is the folder itself', async () => {
    await writeFile(join(folder, 'web', 'note.txt'), 'written outside');
    const container = await skepd.engine.docker('ps', '-q', '--filter', 'label=com.docker.swarm.service.name=test_swarm_web');
    assert.equal(await skepd.engine.docker('exec', container, 'cat', '/application/note.txt'), 'written outside');
  });

  test('deploying again changes only what changed', async () => {
    const database = await versionOf('db');
    const [task] = (await cli.run('service', 'ps', '-q', 'test_swarm_db')).split('\n');
    await change((compose) => compose.replace('    depends_on:', '    deploy:\n      replicas: 2\n    depends_on:'));
    const output = await deploy('deploy again', 'docker-compose.yml');
    assert.match(output, /Updating service test_swarm_web \(id: [0-9a-z]{25}\)/);
    await until('two run', async () => (await replicas('web')) === '2/2', COME_UP_MS);
    assert.equal((await versionOf('db')).split(' ').slice(1).join(' '), database.split(' ').slice(1).join(' '));
    assert.deepEqual((await cli.run('service', 'ps', '-q', 'test_swarm_db')).split('\n'), [task]);
    assert.equal((await cli.run('service', 'ps', '-q', 'test_swarm_web')).split('\n').length, 2, 'the first task of web goes on');
  });

  test('a new image rolls while the service keeps answering', async () => {
    await build('--build-arg', 'RELEASE=patch1', '-t', 'swarm_web:patch1');
    const client = await startClientLoop(skepd.engine, `http://${skepd.engine.address}:8000/`);
    const output = await say('service update', ['service', 'update', '--image', 'swarm_web:patch1', '--update-delay', '2s', 'test_swarm_web']);
    assert.match(output, /image swarm_web:patch1 could not be accessed on a registry to record\nits digest\./);
    const answers = await client.stop();
    assert.deepEqual(
      answers.filter((line) => !/^release (first|patch1), database says/.test(line)),
      [],
      'no request failed',
    );
    assert.match(answers.at(-1) ?? '', /^release patch1/);
    const started = (await cli.run('service', 'ps', '--filter', 'desired-state=running', '--format', '{{.ID}}', 'test_swarm_web')).split('\n');
    const times = await Promise.all(started.map((id) => cli.run('inspect', '--type', 'task', '--format', '{{.CreatedAt}}', id)));
    const [first = 0, second = 0] = times.map((time) => Date.parse(time.replace(/ UTC$/, '').replace(/(\.\d{3})\d* /, '$1'))).toSorted((a, b) => a - b);
    assert.ok(second - first >= 2_000, `the second task followed after ${second - first} ms`);
  });

  test('stack rm removes services and network, and leaves volumes', async () => {
    await cli.run('volume', 'create', '--label', 'com.docker.stack.namespace=test_swarm', 'test_swarm_data');
    const output = await say('stack rm', ['stack', 'rm', 'test_swarm']);
    for (const line of ['Removing service test_swarm_db', 'Removing service test_swarm_web', 'Removing network test_swarm_default'])
      assert.ok(output.includes(line), output);
    await gone();
    assert.match(await cli.run('volume', 'ls', '-q'), /^test_swarm_data$/m);
    await cli.run('volume', 'rm', 'test_swarm_data');
  });

  const gone = () =>
    until(
      'the stack is gone',
      async () => (await skepd.engine.docker('ps', '-aq')) === '' && !(await cli.run('network', 'ls', '--format', '{{.Name}}')).includes('test_swarm'),
      60_000,
    );

  test('configs and secrets: created by hand and from the Compose file, read by both services', async () => {
    const config = (await say('config create', ['config', 'create', 'nginx_config', join(folder, 'nginx/nginx.conf')])).trim();
    assert.match(await say('config ls', ['config', 'ls']), new RegExp(`^ID +NAME +CREATED +UPDATED\\n${config} +nginx_config `));
    assert.match(await say('config inspect', ['config', 'inspect', '--pretty', 'nginx_config']), /Data:\nupstream application \{/);
    await say('secret create', ['secret', 'create', 'pg_password', '-'], 'docker\n');
    assert.match(await say('secret ls', ['secret', 'ls', '--format', '{{.Name}}']), /^pg_password$/m);
    const output = await deploy('deploy with nginx', 'docker-compose.yml', 'nginx.yml');
    assert.match(output, /Creating config test_swarm_nginx_conf/);
    await until('the page comes through the reverse proxy', async () => (await page(1337)) === 'release first, database says: todos of todo', COME_UP_MS);
    for (const service of ['db', 'web']) {
      const [container = ''] = (await skepd.engine.docker('ps', '-q', '--filter', `label=com.docker.swarm.service.name=test_swarm_${service}`)).split('\n');
      assert.equal(await skepd.engine.docker('exec', container, 'cat', '/run/secrets/pg_password'), 'docker');
    }
  });

  test('two Compose files make one stack file, which can be deployed', { skip: program === 'docker' && lacksCli(25, '`stack config`') }, async () => {
    await cli.run('stack', 'rm', 'test_swarm');
    await gone();
    // The CLI writes `name:` into the merged file, which its own schemas know from 3.5 on.
    for (const file of ['docker-compose.yml', 'nginx.yml']) {
      const text = await readFile(join(folder, file), 'utf8');
      await writeFile(join(folder, file), text.replace("version: '3.3'", "version: '3.8'"));
    }
    const files = ['docker-compose.yml', 'nginx.yml'].flatMap((file) => ['--compose-file', join(folder, file)]);
    await writeFile(join(folder, 'stack.yml'), await cli.run('stack', 'config', ...files));
    const output = await deploy('deploy the merged file', 'stack.yml');
    assert.match(output, /Creating service test_swarm_nginx/);
    await until('the page comes through the reverse proxy', async () => (await page(1337)) === 'release first, database says: todos of todo', COME_UP_MS);
    await cli.run('stack', 'rm', 'test_swarm');
    await until('no container is left', async () => (await skepd.engine.docker('ps', '-aq')) === '', 60_000);
  });
});
