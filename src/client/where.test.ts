import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTransport, parseSshAddress, sshArguments } from './transport.ts';
import { DEFAULT_HOST, whereOf } from './where.ts';

test('the daemon is found in the order of docker: option, DOCKER_HOST, context, default', (context) => {
  const configFolder = mkdtempSync(join(tmpdir(), 'skep-where-'));
  context.after(() => rmSync(configFolder, { recursive: true, force: true }));
  const meta = join(configFolder, 'contexts', 'meta', createHash('sha256').update('far').digest('hex'));
  mkdirSync(meta, { recursive: true });
  writeFileSync(join(meta, 'meta.json'), JSON.stringify({ Name: 'far', Endpoints: { docker: { Host: 'tcp://far:2375' } } }));
  const address = (options: Omit<Parameters<typeof whereOf>[0], 'configFolder'>) => whereOf({ ...options, configFolder }).address;
  assert.equal(address({ environment: {} }), DEFAULT_HOST);
  assert.equal(address({ environment: { DOCKER_HOST: 'tcp://a:1' }, currentContext: 'far' }), 'tcp://a:1');
  assert.equal(address({ environment: {}, currentContext: 'far' }), 'tcp://far:2375');
  assert.equal(address({ environment: { DOCKER_CONTEXT: 'far' } }), 'tcp://far:2375');
  assert.equal(address({ environment: { DOCKER_HOST: 'tcp://a:1' }, context: 'far' }), 'tcp://far:2375');
  assert.equal(address({ environment: { DOCKER_HOST: 'tcp://a:1' }, host: 'unix:///x' }), 'unix:///x');
  for (const [written, meant] of [
    ['', DEFAULT_HOST],
    [' ', DEFAULT_HOST],
    ['unix://', DEFAULT_HOST],
    ['tcp://', 'tcp://localhost:2375'],
    [':1', 'tcp://localhost:1'],
    ['a:1', 'tcp://a:1'],
    ['/x', 'unix:///x'],
  ] as const)
    assert.equal(address({ environment: { DOCKER_HOST: written } }), meant);
  assert.throws(() => address({ environment: {}, host: 'unix:///x', context: 'far' }), /cannot specify both --host and --context/);
  assert.throws(() => address({ environment: {}, context: 'nope' }), /context "nope": context not found/);
  assert.throws(() => whereOf({ environment: { DOCKER_TLS_VERIFY: '1' }, host: 'tcp://a:1', configFolder }), /failed to read TLS material/);
});

test('what is no way to a daemon says why', async () => {
  await assert.rejects(createTransport('tcp://127.0.0.1:99999'), /unable to parse docker host `tcp:\/\/127\.0\.0\.1:99999`: there is no port 99999/);
  await assert.rejects(createTransport('gopher://x'), /unable to parse docker host `gopher:\/\/x`/);
  const transport = await createTransport('tcp://nosuch.invalid:1');
  const unknown = Object.assign(new Error('getaddrinfo ENOTFOUND nosuch.invalid'), { code: 'ENOTFOUND', hostname: 'nosuch.invalid' });
  assert.equal(transport.explain(unknown).message, 'error during connect: tcp://nosuch.invalid:1: lookup nosuch.invalid: no such host');
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  assert.equal(transport.explain(refused).message, 'Cannot connect to the Docker daemon at tcp://nosuch.invalid:1. Is the docker daemon running?');
});

test('ssh runs the forwarding command, and nothing in an address becomes an option of ssh', () => {
  assert.deepEqual(sshArguments(parseSshAddress('ssh://me@host:2222/run/x.sock')), [
    ...['-o', 'ConnectTimeout=30', '-T', '-l', 'me', '-p', '2222', '--', 'host', 'skep', '--host', 'unix:///run/x.sock', 'dial-stdio'],
  ]);
  assert.throws(() => parseSshAddress('ssh://-oProxyCommand=x/'), /invalid ssh address/);
  assert.throws(() => parseSshAddress('ssh://a:b@host'), /plain-text password is not supported/);
});
