import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { engineTls, findEngine } from './engine-address.ts';

test('what was asked for comes first, then DOCKER_HOST unless it is ourselves', () => {
  const own = 'unix:///run/skep/skep.sock';
  assert.equal(findEngine('tcp://192.0.2.1:2376', [own], { DOCKER_HOST: 'unix:///x.sock' }), 'tcp://192.0.2.1:2376');
  assert.equal(findEngine('', [own], { DOCKER_HOST: 'unix:///x.sock' }), 'unix:///x.sock');
});

test('an engine over TCP is spoken to with TLS when the environment of the docker CLI says so', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-tls-'));
  context.after(() => rmSync(folder, { recursive: true }));
  assert.equal(engineTls('tcp://192.0.2.1:2375', {}), undefined);
  assert.equal(engineTls('unix:///x.sock', { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder }), undefined);
  assert.throws(() => engineTls('tcp://192.0.2.1:2376', { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder }), /cannot read .*ca.pem/);
  for (const name of ['ca.pem', 'cert.pem', 'key.pem']) writeFileSync(join(folder, name), name);
  const tls = engineTls('tcp://192.0.2.1:2376', { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder });
  assert.deepEqual([tls?.verify, String(tls?.key)], [true, 'key.pem']);
  assert.equal(engineTls('tcp://192.0.2.1:2376', { DOCKER_CERT_PATH: folder })?.verify, false);
});
