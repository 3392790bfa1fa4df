import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseImageReference } from './image.ts';

test('image references are split as the pull endpoint wants them', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const cases: [string, string, string][] = [
    ['busybox', 'busybox', 'latest'],
    ['busybox:1', 'busybox', '1'],
    ['host:5000/a/b', 'host:5000/a/b', 'latest'],
    ['host:5000/a/b:c', 'host:5000/a/b', 'c'],
    [`busybox@${digest}`, 'busybox', digest],
    [`host:5000/a:1@${digest}`, 'host:5000/a', digest],
  ];
  for (const [image, name, tag] of cases) assert.deepEqual(parseImageReference(image), { name, tag });
});
