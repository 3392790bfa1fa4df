import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { familiarImage, parseImageReference } from './image-reference.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

test('references have a domain, a path, and perhaps a tag and a digest', () => {
  assert.deepEqual(parseImageReference('nginx'), { domain: 'docker.io', path: 'library/nginx' });
  assert.deepEqual(parseImageReference('team/app:1.2'), { domain: 'docker.io', path: 'team/app', tag: '1.2' });
  assert.deepEqual(parseImageReference('localhost/app'), { domain: 'localhost', path: 'app' });
  assert.deepEqual(parseImageReference('reg.example:5000/a/b_c__d-e.f:T_x.1'), { domain: 'reg.example:5000', path: 'a/b_c__d-e.f', tag: 'T_x.1' });
  assert.deepEqual(parseImageReference(`nginx:1@${DIGEST}`), { domain: 'docker.io', path: 'library/nginx', tag: '1', digest: DIGEST });
  assert.deepEqual(parseImageReference('[2001:db8::1]:5000/app'), { domain: '[2001:db8::1]:5000', path: 'app' });
  assert.deepEqual(parseImageReference('Reg/app'), { domain: 'Reg', path: 'app' });
  assert.deepEqual(parseImageReference('index.docker.io/nginx'), { domain: 'docker.io', path: 'library/nginx' });
});

test('a familiar name has a tag, and nothing that goes without saying', () => {
  for (const [text, familiar] of [
    ['nginx', 'nginx:latest'],
    ['docker.io/library/nginx:1', 'nginx:1'],
    ['docker.io/team/app', 'team/app:latest'],
    ['reg.example:5000/library/app', 'reg.example:5000/library/app:latest'],
    [`nginx@${DIGEST}`, `nginx@${DIGEST}`],
    [`nginx:1@${DIGEST}`, `nginx:1@${DIGEST}`],
    ['f'.repeat(64), 'f'.repeat(64)],
  ] as const)
    assert.equal(familiarImage(text), familiar);
});

test('what is no reference is refused', () => {
  for (const text of [
    '',
    ' ',
    'UPPER',
    'UPPER/x:y:z',
    'a b',
    'nginx:',
    'nginx@',
    ':tag',
    '/app',
    'app/',
    'a//b',
    '-a',
    'a-',
    'a..b',
    'a___b',
    'nginx:-x',
    `nginx:${'t'.repeat(129)}`,
    'nginx@sha256:abc',
    `nginx@md5:${'a'.repeat(32)}`,
    `nginx@constructor:${'a'.repeat(32)}`,
    'f'.repeat(64),
    `a/${'b'.repeat(300)}`,
    'reg.example:port/app',
    'http://x/y',
    'nginx\n',
  ]) {
    assert.equal(parseImageReference(text), undefined, JSON.stringify(text));
  }
});

test('any text is judged, and soon', { timeout: 30_000 }, () => {
  fc.assert(fc.property(fc.string(), (text) => void parseImageReference(text)));
  // A pattern that goes back over what it has seen would take hours for this one.
  parseImageReference(`${'a-'.repeat(100_000)}!`);
});
