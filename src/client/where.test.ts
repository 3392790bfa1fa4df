import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseSshAddress, sshArguments } from './transport.ts';
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
  assert.throws(() => address({ environment: {}, host: 'unix:///x', context: 'far' }), /cannot specify both --host and --context/);
  assert.throws(() => address({ environment: {}, context: 'nope' }), /context "nope": context not found/);
  assert.throws(() => whereOf({ environment: { DOCKER_TLS_VERIFY: '1' }, host: 'tcp://a:1', configFolder }), /failed to read TLS material/);
});

test('ssh runs the forwarding command, and nothing in an address becomes an option of ssh', () => {
  assert.deepEqual(sshArguments(parseSshAddress('ssh://me@host:2222/run/x.sock')), [
    ...['-o', 'ConnectTimeout=30', '-T', '-l', 'me', '-p', '2222', '--', 'host', 'skep', '--host', 'unix:///run/x.sock', 'dial-stdio'],
  ]);
  assert.throws(() => parseSshAddress('ssh://-oProxyCommand=x/'), /invalid ssh address/);
  assert.throws(() => parseSshAddress('ssh://a:b@host'), /plain-text password is not supported/);
});
