// Whatever a user gets wrong, by the docker CLI and over plain HTTP against a real skepd and engine: a clear error in Docker's words, or a task
// that says why; nothing lost, nothing left behind.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { notFound } from '../lib/cli-version.ts';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const DAEMON = 'Error response from daemon: ';
const IA = 'rpc error: code = InvalidArgument desc = ';

describe('bad input', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  let skepd: TestSkepd;

  before(async () => {
    skepd = await startSkepd();
    await skepd.engine.importBusybox('tiny:1', `CMD ["sh","-c","trap 'exit 0' TERM; sleep 1000 & wait"]`);
    await skepd.engine.importBusybox('tiny:exits', 'CMD ["sh","-c","echo going; exit 3"]');
    await skepd.init();
  });

  after(async () => {
    await skepd?.stop();
  });

  const create = (name: string, ...more: readonly string[]) => ['service', 'create', '--detach', '--no-resolve-image', '--name', name, ...more];

  /** Runs the CLI, expects it to fail, and gives the last line of what it said. */
  async function refused(...args: readonly string[]): Promise<string> {
    const { code, stderr, stdout } = await skepd.tryDocker(args);
    assert.notEqual(code, 0, `docker ${args.join(' ')} was accepted: ${stdout}`);
    return stderr.trim().split('\n').at(-1) ?? '';
  }

  async function answer(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<readonly [number, string]> {
    const { status, json, text } = await skepd.http(method, path, body, headers);
    return [status, (json as { readonly message?: string } | undefined)?.message ?? text.trim()];
  }

  /** The error of the first task of a service that has one. */
  async function taskError(service: string): Promise<string> {
    let error = '';
    await until(`a task of ${service} says why`, async () => {
      const rows = await skepd.docker('service', 'ps', '--no-trunc', '--format', '{{.Error}}', service);
      // The CLI puts it in quotes.
      error = (rows.split('\n').find((row) => row !== '') ?? '').replace(/^"(.*)"$/, '$1');
      return error !== '';
    });
    return error;
  }

  async function remove(...services: readonly string[]): Promise<void> {
    await skepd.docker('service', 'rm', ...services);
  }

  const containers = () => skepd.engine.docker('ps', '-aq');

  test('names that are taken', async () => {
    await skepd.docker(...create('taken', 'tiny:1'));
    await skepd.docker('network', 'create', '-d', 'overlay', 'taken');
    for (const kind of ['secret', 'config']) await skepd.tryDocker([kind, 'create', 'taken', '-'], { input: 'x' });
    assert.equal(
      await refused(...create('TAKEN', 'tiny:1')),
      `${DAEMON}rpc error: code = AlreadyExists desc = name conflicts with an existing object: service TAKEN already exists`,
    );
    assert.equal(await refused('network', 'create', '-d', 'overlay', 'taken'), `${DAEMON}network with name taken already exists`);
    for (const kind of ['secret', 'config']) {
      const { stderr } = await skepd.tryDocker([kind, 'create', 'taken', '-'], { input: 'x' });
      assert.equal(stderr.trim(), `${DAEMON}rpc error: code = AlreadyExists desc = ${kind} taken already exists`);
    }
    await remove('taken');
    await skepd.docker('network', 'rm', 'taken');
    for (const kind of ['secret', 'config']) await skepd.docker(kind, 'rm', 'taken');
  });

  test('names that cannot be', async () => {
    assert.equal(await refused(...create('bad name', 'tiny:1')), `${DAEMON}${IA}name must be valid as a DNS name component`);
    assert.equal(await refused(...create('a'.repeat(64), 'tiny:1')), `${DAEMON}${IA}name must be 63 characters or fewer`);
    assert.equal(await refused('network', 'create', '-d', 'overlay', 'bad name'), `${DAEMON}${IA}name must be valid as a DNS name component`);
    const { stderr } = await skepd.tryDocker(['secret', 'create', '-bad', '-'], { input: 'x' });
    assert.notEqual(stderr, '');
    assert.equal(await refused(...create('img', 'UPPER:x:y')), `${DAEMON}${IA}ContainerSpec: "UPPER:x:y" is not a valid repository/tag`);
  });

  test('networks, secrets and configs that there are not', async () => {
    assert.equal(await refused(...create('n', '--network', 'nosuch', 'tiny:1')), notFound('network', 'nosuch'));
    assert.equal(await refused(...create('n', '--secret', 'nosuch', 'tiny:1')), 'secret not found: nosuch');
    assert.equal(await refused(...create('n', '--config', 'nosuch', 'tiny:1')), 'config not found: nosuch');
    const spec = (container: object) => ({ Name: 'n', TaskTemplate: { ContainerSpec: { Image: 'tiny:1', ...container } } });
    const file = { Name: 'f', UID: '0', GID: '0', Mode: 292 };
    assert.deepEqual(await answer('POST', '/services/create', spec({ Secrets: [{ SecretID: 'x', SecretName: 'y', File: file }] })), [
      400,
      `${IA}secret not found: y`,
    ]);
    assert.deepEqual(await answer('POST', '/services/create', spec({ Configs: [{ ConfigID: 'x', ConfigName: 'y', File: file }] })), [
      400,
      `${IA}config not found: y`,
    ]);
    await skepd.engine.docker('network', 'create', 'mine');
    assert.deepEqual(
      await answer('POST', '/services/create', { Name: 'n', TaskTemplate: { ContainerSpec: { Image: 'tiny:1' }, Networks: [{ Target: 'mine' }] } }),
      [403, 'The network mine cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.'],
    );
    await skepd.engine.docker('network', 'rm', 'mine');
    for (const kind of ['service', 'node', 'network', 'secret', 'config']) {
      const text = await refused(kind, 'rm', 'nosuch');
      const said = text === 'exit status 1' ? (await skepd.tryDocker([kind, 'rm', 'nosuch'])).stderr : text;
      assert.ok(said.includes(notFound(kind, 'nosuch')), said);
    }
    assert.equal(await refused('service', 'ps', 'nosuch'), 'no such service: nosuch');
  });

  test('what is in use stays', async () => {
    for (const kind of ['secret', 'config']) await skepd.tryDocker([kind, 'create', 'used', '-'], { input: 'x' });
    await skepd.docker('network', 'create', '-d', 'overlay', 'used');
    const id = await skepd.docker(...create('user', '--secret', 'used', '--config', 'used', '--network', 'used', 'tiny:1'));
    for (const kind of ['secret', 'config'])
      assert.equal(await refused(kind, 'rm', 'used'), `${DAEMON}${IA}${kind} 'used' is in use by the following service: user`);
    const { stderr } = await skepd.tryDocker(['network', 'rm', 'used']);
    assert.match(stderr, new RegExp(`rpc error: code = FailedPrecondition desc = network [a-z0-9]{25} is in use by service ${id}`));
    const node = await skepd.docker('node', 'ls', '-q');
    assert.match(await refused('node', 'rm', node), /is a cluster manager and is a member of the raft cluster\. It must be demoted to worker before removal/);
    assert.match(await refused('node', 'demote', node), /attempting to demote the last manager of the swarm/);
    await remove('user');
    await skepd.docker('network', 'rm', 'used');
    for (const kind of ['secret', 'config']) await skepd.docker(kind, 'rm', 'used');
  });

  test('updates of what the user did not see', async () => {
    await skepd.docker(...create('stale', 'tiny:1'));
    const { json } = await skepd.http('GET', '/services/stale');
    const { Version, Spec } = json as { readonly Version: { readonly Index: number }; readonly Spec: object };
    const update = (version: number | string, spec: object = Spec) => answer('POST', `/services/stale/update?version=${version}`, spec);
    const sequence = [500, 'rpc error: code = Unknown desc = update out of sequence'];
    assert.deepEqual(await update(Version.Index + 1_000), sequence);
    assert.deepEqual(await update(0), sequence);
    assert.deepEqual(await update('abc'), [400, `invalid service version 'abc': strconv.ParseUint: parsing "abc": invalid syntax`]);
    assert.deepEqual(await update(''), [400, `invalid service version '': strconv.ParseUint: parsing "": invalid syntax`]);
    assert.deepEqual(await update(Version.Index, { ...Spec, Name: 'other' }), [
      501,
      'rpc error: code = Unimplemented desc = renaming services is not supported',
    ]);
    assert.deepEqual(await update(Version.Index, { ...Spec, Mode: { Global: {} } }), [
      501,
      'rpc error: code = Unimplemented desc = service mode change is not allowed',
    ]);
    await remove('stale');
  });

  test('bodies that are no JSON, or not what was asked for', async () => {
    const headers = { 'content-type': 'application/json' };
    for (const body of [
      '{',
      '{"Name":',
      'nonsense',
      '[]',
      '"text"',
      '{"Name":1}',
      '{"Name":"a","TaskTemplate":{"ContainerSpec":{"Image":"i","Env":"A=1"}}}',
      '{} {}',
      '{"Mode":{"Replicated":{"Replicas":-1}}}',
    ]) {
      const [status, message] = await answer('POST', '/services/create', body, headers);
      assert.equal(status, 400, `${body}: ${status} ${message}`);
      assert.notEqual(message, '', body);
    }
    assert.deepEqual(await answer('POST', '/services/create', {}), [400, 'mismatched Runtime and *Spec fields']);
    const [status, message] = await answer('POST', '/services/create', '{}', { 'content-type': 'text/plain' });
    assert.equal(status, 400);
    assert.match(message, /must be 'application\/json'/);
    assert.equal((await answer('GET', '/services?filters=nonsense'))[0], 400);
    assert.deepEqual(await answer('GET', '/tasks?filters={"desired-state":["bogus"]}'), [500, "Invalid desired-state filter: 'bogus'"]);
    assert.deepEqual(await answer('GET', '/services/nosuch'), [404, 'service nosuch not found']);
    assert.deepEqual(await answer('PUT', '/services'), [404, 'page not found']);
  });

  test('API versions that there are not', async () => {
    const [tooNew, newText] = await answer('GET', '/v9.99/services');
    assert.equal(tooNew, 400);
    assert.match(newText, /^client version 9\.99 is too new\. Maximum supported API version is 1\.\d+$/);
    const [tooOld, oldText] = await answer('GET', '/v1.11/services');
    assert.equal(tooOld, 400);
    assert.match(oldText, /^client version 1\.11 is too old\. Minimum supported API version is 1\.24, please upgrade your client to a newer version$/);
  });

  test('secrets and configs that are too large, or empty', async () => {
    const big = (length: number) => 'x'.repeat(length);
    const made = async (kind: string, length: number) => {
      const result = await skepd.tryDocker([kind, 'create', `size${length}`, '-'], { input: big(length) });
      return result.code === 0 ? 'created' : result.stderr.trim();
    };
    const secretSize = `${DAEMON}${IA}secret data must be larger than 0 and less than 512000 bytes`;
    assert.equal(await made('secret', 512_000), secretSize);
    assert.equal(await made('secret', 5_000_000), secretSize);
    assert.equal(await made('secret', 511_999), 'created');
    assert.equal(await made('config', 1_024_000), `${DAEMON}${IA}config data must be larger than 0 and less than 1024000 bytes`);
    assert.equal(await made('config', 1_023_999), 'created');
    assert.deepEqual(await answer('POST', '/secrets/create', { Name: 'none' }), [400, secretSize.slice(DAEMON.length)]);
    const [status, message] = await answer('POST', '/secrets/create', { Name: 'none', Data: '!!' });
    assert.equal(status, 400);
    assert.match(message, /illegal base64 data at input byte 0$/);
    await skepd.docker('secret', 'rm', 'size511999');
    await skepd.docker('config', 'rm', 'size1023999');
  });

  test('ports that somebody has', async () => {
    const id = await skepd.docker(...create('port1', '-p', '8080:80', 'tiny:1'));
    const taken = `${DAEMON}${IA}port '8080' is already in use by service 'port1' (${id}) as an ingress port`;
    assert.equal(await refused(...create('port2', '-p', '8080:80', 'tiny:1')), taken);
    assert.equal(await refused(...create('port2', '-p', 'mode=host,published=8080,target=80', 'tiny:1')), taken);
    // On the host two services may ask for one port; with one node, one of them waits and says why.
    await skepd.docker(...create('host1', '-p', 'mode=host,published=8090,target=80', 'tiny:1'));
    await until('the port is held', async () => (await skepd.docker('service', 'ps', '--format', '{{.CurrentState}}', 'host1')).startsWith('Running'));
    await skepd.docker(...create('host2', '-p', 'mode=host,published=8090,target=80', 'tiny:1'));
    assert.equal(await taskError('host2'), 'no suitable node (host-mode port already in use on 1 node)');
    await remove('port1', 'host1', 'host2');
  });

  test('constraints and resources that no node meets', async () => {
    await skepd.docker(...create('nowhere', '--constraint', 'node.labels.nosuch==x', 'tiny:1'));
    await skepd.docker(...create('huge', '--reserve-memory', '900GiB', 'tiny:1'));
    assert.equal(await taskError('nowhere'), 'no suitable node (scheduling constraints not satisfied on 1 node)');
    assert.equal(await taskError('huge'), 'no suitable node (insufficient resources on 1 node)');
    assert.match(await skepd.docker('service', 'ps', '--format', '{{.CurrentState}}', 'nowhere'), /^Pending/);
    assert.equal(
      await refused(...create('bad', '--constraint', 'foo', 'tiny:1')),
      `${DAEMON}rpc error: code = Unknown desc = constraint expected one operator from ==, !=`,
    );
    // The wait ends as soon as a node fits.
    const node = await skepd.docker('node', 'ls', '-q');
    await skepd.docker('node', 'update', '--label-add', 'nosuch=x', node);
    await until('the task runs', async () => (await skepd.docker('service', 'ps', '--format', '{{.CurrentState}}', 'nowhere')).startsWith('Running'));
    await skepd.docker('node', 'update', '--label-rm', 'nosuch', node);
    await remove('nowhere', 'huge');
  });

  test('images that do not exist and commands that fail', async () => {
    const once = ['--restart-condition', 'none'];
    await skepd.docker(...create('noimage', ...once, 'localhost:1/no/such:image'));
    await skepd.docker(...create('exits', ...once, 'tiny:exits'));
    await skepd.docker(...create('nocommand', ...once, 'tiny:1', '/no/such/command'));
    await skepd.docker(...create('nobind', ...once, '--mount', 'type=bind,source=/no/such/path,target=/x', 'tiny:1'));
    assert.match(await taskError('noimage'), /No such image: localhost:1\/no\/such:image/);
    assert.equal(await taskError('exits'), 'task: non-zero exit (3)');
    assert.match(await taskError('nocommand'), /no such file or directory/);
    assert.match(await taskError('nobind'), /bind source path does not exist: \/no\/such\/path/);
    const states = async (service: string) => skepd.docker('service', 'ps', '--format', '{{.DesiredState}} {{.CurrentState}}', service);
    assert.match(await states('noimage'), /^Shutdown Rejected/);
    assert.match(await states('exits'), /^Shutdown Failed/);
    await remove('noimage', 'exits', 'nocommand', 'nobind');
  });

  test('a network without a free address', async () => {
    await skepd.docker('network', 'create', '-d', 'overlay', '--subnet', '10.77.0.0/29', 'tight');
    await skepd.docker(...create('crowd', '--network', 'tight', '--replicas', '8', 'tiny:1'));
    assert.match(await taskError('crowd'), /no available IPv4 addresses on this network's address pools: tight/);
    const { json } = await skepd.http('GET', `/tasks?filters=${encodeURIComponent('{"service":["crowd"]}')}`);
    const tasks = json as readonly {
      readonly Status: { readonly State: string; readonly Err?: string };
      readonly NetworksAttachments?: readonly { readonly Addresses?: readonly string[] }[];
    }[];
    assert.deepEqual(
      tasks.filter(({ Status }) => ['failed', 'rejected'].includes(Status.State)).map(({ Status }) => Status.Err),
      [],
    );
    const given = tasks.flatMap(({ NetworksAttachments = [] }) => NetworksAttachments.flatMap(({ Addresses = [] }) => Addresses));
    // Six hosts, less the gateway and the virtual IP.
    assert.equal(given.length, 4);
    assert.equal(new Set(given).size, given.length);
    // Addresses that come free are given to those who wait.
    await skepd.docker('service', 'update', '--detach', '--no-resolve-image', '--replicas', String(given.length), 'crowd');
    await until(
      'all that fit run',
      async () => (await skepd.docker('service', 'ls', '--filter', 'name=crowd', '--format', '{{.Replicas}}')) === `${given.length}/${given.length}`,
    );
    await skepd.docker('network', 'create', '-d', 'overlay', '--subnet', '10.77.0.0/24', 'overlaps');
    await skepd.docker(...create('homeless', '--network', 'overlaps', 'tiny:1'));
    assert.match(await taskError('homeless'), /[Pp]ool overlaps/);
    await remove('crowd', 'homeless');
    await skepd.docker('network', 'rm', 'tight', 'overlaps');
  });

  test('services and networks that are removed as soon as they are made', async () => {
    // Removed while their containers are being made, 0 to 480 ms after the request …
    for (let round = 0; round < 12; round++) {
      await skepd.docker('network', 'create', '-d', 'overlay', 'brief');
      await skepd.docker(...create('brief', '--replicas', '3', '--network', 'brief', 'tiny:1'));
      await delay(round * 40);
      await remove('brief');
      // … and the network with them, so that the next one gets the same VXLAN id and subnet while the containers of this one still stop.
      await skepd.docker('network', 'rm', 'brief');
    }
    await skepd.docker('network', 'create', '-d', 'overlay', 'brief');
    await skepd.docker(...create('brief', '--replicas', '3', '--network', 'brief', 'tiny:1'));
    await until('all run', async () => (await skepd.docker('service', 'ls', '--filter', 'name=brief', '--format', '{{.Replicas}}')) === '3/3', 60_000);
    assert.equal(await skepd.docker('service', 'ps', '--filter', 'desired-state=shutdown', '--format', '{{.Error}}', 'brief'), '');
    await remove('brief');
    await skepd.docker('network', 'rm', 'brief');
  });

  test('an engine that stops and comes back under us', async () => {
    // The default delay of restarts outlasts the engine's stop: a container that starts while dockerd 20.10 stops leaves a mount that it can never remove.
    await skepd.docker(...create('steady', '--replicas', '2', 'tiny:1'));
    const replicas = () => skepd.docker('service', 'ls', '--filter', 'name=steady', '--format', '{{.Replicas}}');
    await until('both run', async () => (await replicas()) === '2/2');
    await skepd.engine.stopDaemon();
    // The swarm's own objects can be read and written without an engine.
    assert.equal((await skepd.http('GET', '/services/steady')).status, 200);
    const created = await skepd.http('POST', '/services/create', { Name: 'meanwhile', TaskTemplate: { ContainerSpec: { Image: 'tiny:1' } } });
    assert.equal(created.status, 201, created.text);
    assert.equal((await skepd.http('GET', `/networks?filters=${encodeURIComponent('{"scope":["swarm"]}')}`)).status, 200);
    const [status, message] = await answer('GET', '/containers/json');
    assert.ok(status >= 500 && message !== '', `${status} ${message}`);
    await skepd.engine.startDaemon();
    await until('both run again', async () => (await replicas()) === '2/2', 60_000);
    await until(
      'what was made meanwhile runs',
      async () => (await skepd.docker('service', 'ls', '--filter', 'name=meanwhile', '--format', '{{.Replicas}}')) === '1/1',
      60_000,
    );
    await remove('steady', 'meanwhile');
  });

  test('an engine that hangs for a while', async () => {
    await skepd.docker(...create('patient', '--replicas', '2', 'tiny:1'));
    const running = () => skepd.docker('service', 'ps', 'patient', '--quiet', '--filter', 'desired-state=running');
    await until('both run', async () => (await skepd.docker('service', 'ls', '--filter', 'name=patient', '--format', '{{.Replicas}}')) === '2/2');
    const before = await running();
    const goOn = skepd.engine.freezeDaemon();
    try {
      const [status, message] = await answer('GET', '/containers/json');
      assert.equal(status, 503);
      assert.match(message ?? '', /^Cannot connect to the Docker engine at unix:.*no answer, and none to a ping/);
      assert.match(await skepd.docker('node', 'ls'), /Leader/, 'the swarm can be looked at');
      const created = await skepd.docker(...create('frozen', 'tiny:1'));
      assert.match(created, /^[a-z0-9]{25}$/m);
    } finally {
      goOn();
    }
    await until(
      'what was made meanwhile runs',
      async () => (await skepd.docker('service', 'ls', '--filter', 'name=frozen', '--format', '{{.Replicas}}')) === '1/1',
      60_000,
    );
    assert.equal(await running(), before);
    await remove('patient', 'frozen');
  });

  test('nothing is left behind', async () => {
    await until('no container is left', async () => (await containers()) === '', 30_000).catch(async (error: unknown) => {
      const left = await skepd.engine.docker('ps', '-a', '--format', '{{.Names}} {{.Status}}');
      throw new Error(`${left}\n-- skepd's log:\n${await skepd.daemonLog()}`, { cause: error });
    });
    assert.equal(await skepd.docker('service', 'ls', '-q'), '');
    await until('no task is left', async () => (await skepd.http('GET', '/tasks')).text.trim() === '[]');
    for (const kind of ['secret', 'config']) assert.equal(await skepd.docker(kind, 'ls', '-q'), '');
    assert.equal(await skepd.docker('network', 'ls', '--filter', 'scope=swarm', '--format', '{{.Name}}'), 'ingress');
  });
});
