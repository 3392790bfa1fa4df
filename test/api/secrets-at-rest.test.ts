// What of a secret, a token or a key lies on the disk of a node that is manager and worker: nothing that can be read.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type InProcessApi, initRequest, startInProcessApi } from './in-process.ts';

const SECRET = 'the-word-that-nobody-may-read';

function filesUnder(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

describe('on a disk', () => {
  let api: InProcessApi;
  before(async () => {
    api = await startInProcessApi();
    const locked = { ...initRequest, Spec: { ...initRequest.Spec, EncryptionConfig: { AutoLockManagers: true } }, AutoLockManagers: true };
    assert.equal((await api.http('POST', '/swarm/init', locked)).status, 200);
  });
  after(() => api.close());

  it('there is no secret, join token, registry password or unlock key in the clear, in any form, and every file is its owner’s', async () => {
    const data = Buffer.from(SECRET).toString('base64');
    const { ID } = (await api.http('POST', '/secrets/create', { Name: 'word', Data: data })).body as { readonly ID: string };
    const reference = { SecretID: ID, SecretName: 'word', File: { Name: 'word', UID: '0', GID: '0', Mode: 0o444 } };
    const spec = { Name: 'reader', TaskTemplate: { ContainerSpec: { Image: 'busybox', Secrets: [reference] } } };
    const auth = Buffer.from(JSON.stringify({ username: 'u', password: SECRET })).toString('base64');
    assert.equal((await api.http('POST', '/services/create', spec, { 'X-Registry-Auth': auth })).status, 201);
    await api.until<readonly { readonly Status: { readonly State: string } }[]>('/tasks', (tasks) => tasks.some(({ Status }) => Status.State === 'running'));
    const { JoinTokens } = (await api.http('GET', '/swarm')).body as { readonly JoinTokens: Readonly<Record<string, string>> };
    const { UnlockKey } = (await api.http('GET', '/swarm/unlockkey')).body as { readonly UnlockKey: string };
    const words = [
      SECRET,
      data,
      auth,
      ...Object.values(JoinTokens).map((token) => token.split('-').at(-1) ?? ''),
      UnlockKey,
      UnlockKey.replace('SWMKEY-1-', ''),
    ];
    const files = filesUnder(api.stateFolder);
    assert(files.length > 5, files.join());
    for (const path of files) {
      assert.equal(statSync(path).mode & 0o077, 0, `others may read ${path}`);
      const bytes = readFileSync(path);
      for (const word of words) {
        const forms = [word, Buffer.from(word).toString('base64').replace(/=+$/, ''), Buffer.from(word).toString('hex')];
        for (const form of forms) assert.equal(bytes.includes(form), false, `${path} holds a secret`);
      }
    }
  });

  it('and no answer shows one', async () => {
    for (const path of ['/secrets', '/services', '/tasks', '/nodes', '/secrets/word', '/services/reader']) {
      const text = JSON.stringify((await api.http('GET', path)).body);
      for (const form of [SECRET, Buffer.from(SECRET).toString('base64').replace(/=+$/, ''), 'X-Registry-Auth', 'registryAuth'])
        assert.equal(text.includes(form), false, `${path}: ${form}`);
    }
  });
});
