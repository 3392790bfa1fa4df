// Plain containers on swarm networks: `docker run --network`, connect and disconnect, and what is left when they are gone.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { lacksCli } from '../lib/cli-version.ts';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

describe('plain containers on swarm networks', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  let skepd: TestSkepd;
  const docker = (...args: string[]) => skepd.docker(...args);

  before(async () => {
    skepd = await startSkepd();
    await skepd.engine.importBusybox('busybox:1', 'CMD ["sleep","1000"]');
    await skepd.init();
    await docker('network', 'create', '-d', 'overlay', '--attachable', 'open');
    await docker('network', 'create', '-d', 'overlay', 'closed');
    const page = 'echo served > /var/www/index.html; exec httpd -f -p 80 -h /var/www';
    await docker('service', 'create', '--quiet', '--name', 'web', '--network', 'open', 'busybox:1', 'sh', '-c', page);
  });

  after(async () => {
    await skepd?.stop();
  });

  async function attachments(): Promise<number> {
    const { json } = await skepd.http('GET', `/tasks?filters=${encodeURIComponent('{"runtime":["attachment"]}')}`);
    return (json as { DesiredState: string; Status: { State: string } }[]).filter(
      ({ DesiredState, Status }) => DesiredState === 'running' && Status.State === 'running',
    ).length;
  }
  const networksOf = async (container: string) =>
    JSON.parse(await docker('inspect', '--format', '{{json .NetworkSettings.Networks}}', container)) as Record<
      string,
      { NetworkID: string; IPAddress: string }
    >;

  test('a container of `docker run` reaches services by name, and is seen on the swarm’s network', async () => {
    const id = await docker('run', '-d', '--name', 'plain', '--network', 'open', 'busybox:1', 'sleep', '1000');
    const networkId = await docker('network', 'inspect', '--format', '{{.Id}}', 'open');
    const networks = await networksOf(id);
    assert.deepEqual(Object.keys(networks), ['open']);
    assert.equal(networks['open']?.NetworkID, networkId);
    assert.equal(await docker('inspect', '--format', '{{.HostConfig.NetworkMode}}', id), 'open');
    assert.equal(await docker('exec', id, 'wget', '-qO-', 'http://web/'), 'served');
    const shown = JSON.parse(await docker('network', 'inspect', '--format', '{{json .Containers}}', 'open')) as Record<
      string,
      { Name: string; IPv4Address: string }
    >;
    assert.equal(shown[id]?.IPv4Address.split('/')[0], networks['open']?.IPAddress);
    assert.equal(await docker('ps', '-q', '--no-trunc', '--filter', 'network=open', '--filter', 'name=plain'), id);
    assert.equal(await attachments(), 1);
  });

  test('removing the container releases its address', async () => {
    await docker('rm', '-f', 'plain');
    await until('the attachment is gone', async () => (await attachments()) === 0);
  });

  test('an address that the user chose is used', async () => {
    const subnet = await docker('network', 'inspect', '--format', '{{(index .IPAM.Config 0).Subnet}}', 'open');
    const address = subnet.replace(/\.0\/\d+$/, '.200');
    const id = await docker('run', '-d', '--network', 'open', '--ip', address, 'busybox:1');
    assert.equal((await networksOf(id))['open']?.IPAddress, address);
    const twice = await skepd.tryDocker(['run', '-d', '--network', 'open', '--ip', address, 'busybox:1']);
    assert.notEqual(twice.code, 0);
    await docker('rm', '-f', id);
    await until('the attachment is gone', async () => (await attachments()) === 0);
  });

  test('a network that is not attachable refuses in Docker’s words, and leaves no container', async () => {
    const { code, stderr } = await skepd.tryDocker(['run', '-d', '--name', 'refused', '--network', 'closed', 'busybox:1']);
    assert.equal(code, 125);
    assert.match(stderr, /Could not attach to network closed: rpc error: code = PermissionDenied desc = network closed not manually attachable/);
    assert.equal(await docker('ps', '-aq', '--filter', 'name=refused'), '');
    const ingress = await skepd.tryDocker(['run', '-d', '--name', 'refused', '--network', 'ingress', 'busybox:1']);
    assert.match(ingress.stderr, /Could not attach to network ingress: rpc error: code = PermissionDenied desc = network ingress not manually attachable/);
  });

  test('a failed creation leaves no attachment', async () => {
    const { stderr } = await skepd.tryDocker(['run', '-d', '--network', 'open', '--pull', 'never', 'nosuch:1']);
    assert.match(stderr, /No such image/);
    await until('the attachment is gone', async () => (await attachments()) === 0);
  });

  test('a running container is connected and disconnected', async () => {
    await docker('run', '-d', '--name', 'joins', 'busybox:1');
    await docker('network', 'connect', 'open', 'joins');
    assert.deepEqual(Object.keys(await networksOf('joins')).toSorted(), ['bridge', 'open']);
    assert.equal(await attachments(), 1);
    const again = await skepd.http('POST', '/networks/open/connect', { Container: 'joins' });
    assert.deepEqual([again.status, again.json], [409, { message: 'joins is already attached to network open' }]);
    assert.equal(await attachments(), 1);
    await docker('network', 'disconnect', 'open', 'joins');
    // As Go's, our reading of JSON does not mind the case of a name.
    assert.equal((await skepd.http('POST', '/networks/open/connect', { container: 'joins', endpointconfig: { aliases: ['x'] } })).status, 200);
    assert.equal(await attachments(), 1);
    assert.equal((await skepd.http('POST', '/networks/open/disconnect', { container: 'joins' })).status, 200);
    assert.deepEqual(Object.keys(await networksOf('joins')), ['bridge']);
    await until('the attachment is gone', async () => (await attachments()) === 0);
    await docker('rm', '-f', 'joins');
  });

  const tooOld = lacksCli(25, 'several networks of one API request');
  test('several networks are given at once although the engine takes one at a time', { skip: tooOld }, async () => {
    await docker('network', 'create', 'local');
    const id = await docker('run', '-d', '--network', 'local', '--network', 'name=open,alias=other', 'busybox:1');
    assert.deepEqual(Object.keys(await networksOf(id)).toSorted(), ['local', 'open']);
    assert.equal(await attachments(), 1);
    const failed = await skepd.tryDocker(['run', '-d', '--name', 'undone', '--network', 'local', '--network', 'open', '--network', 'closed', 'busybox:1']);
    assert.match(failed.stderr, /network closed not manually attachable/);
    assert.equal(await docker('ps', '-aq', '--filter', 'name=undone'), '');
    await docker('rm', '-f', id);
    await docker('network', 'rm', 'local');
    await until('the attachment is gone', async () => (await attachments()) === 0);
  });

  test('a container that goes while skepd is down is noticed when it is back', async () => {
    const id = await docker('run', '-d', '--network', 'open', 'busybox:1');
    assert.equal(await attachments(), 1);
    await skepd.stopDaemon();
    await skepd.engine.docker('rm', '-f', id);
    await skepd.startDaemon();
    await until('the attachment is gone', async () => (await attachments()) === 0);
  });

  test('events name the swarm’s network and hide the engine’s', async () => {
    const since = String(Date.now() / 1000);
    const id = await docker('run', '-d', '--network', 'open', 'busybox:1');
    await docker('rm', '-f', id);
    const until_ = String(Date.now() / 1000 + 0.5);
    const lines = (
      await docker(
        'events',
        '--since',
        since,
        '--until',
        until_,
        '--filter',
        'type=network',
        '--format',
        '{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}',
      )
    ).split('\n');
    assert.ok(lines.includes('connect open overlay'), lines.join('\n'));
    assert.ok(lines.includes('disconnect open overlay'), lines.join('\n'));
    assert.ok(!lines.some((line) => /^(create|destroy) open (?!overlay)/.test(line)), lines.join('\n'));
  });
});
