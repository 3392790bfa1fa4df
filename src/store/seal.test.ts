import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AppError } from '#lib/errors.ts';
import { createDataKey, createSealer, createUnlockKey, formatUnlockKey, parseUnlockKey, unwrapDataKey, wrapDataKey } from './seal.ts';

test('what was sealed opens again, in its context only, and never twice the same', () => {
  const sealer = createSealer(createDataKey());
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), fc.string(), fc.string(), (plain, context, other) => {
      const sealed = sealer.seal(plain, context);
      assert.deepEqual([...sealer.open(sealed, context)], [...plain]);
      assert.notEqual(sealer.seal(plain, context), sealed);
      if (other !== context) assert.throws(() => sealer.open(sealed, other), /cannot be unsealed/);
    }),
  );
});

test('a single changed bit, a cut or another key does not open, and the error does not tell the content', () => {
  const sealer = createSealer(createDataKey());
  const sealed = sealer.seal(Buffer.from('the password'), 'secret/1');
  const bytes = Buffer.from(sealed.slice(6), 'base64');
  for (let index = 0; index < bytes.length; index++) {
    const changed = Buffer.from(bytes);
    changed[index] = (changed[index] ?? 0) ^ 1;
    assert.throws(
      () => sealer.open(`skep1:${changed.toString('base64')}`, 'secret/1'),
      (error) => error instanceof AppError && error.message === 'secret/1 cannot be unsealed: it was damaged, or sealed with another key',
    );
  }
  assert.throws(() => sealer.open(sealed.slice(0, 20), 'secret/1'), AppError);
  assert.throws(() => sealer.open('plain text', 'secret/1'), AppError);
  assert.throws(() => createSealer(createDataKey()).open(sealed, 'secret/1'), AppError);
});

test('the data key is had back with the unlock key and with no other', () => {
  const [dataKey, unlockKey] = [createDataKey(), createUnlockKey()];
  const wrapped = wrapDataKey(dataKey, unlockKey);
  assert.deepEqual([...unwrapDataKey(wrapped, unlockKey)], [...dataKey]);
  for (const [text, key] of [
    [wrapped, createUnlockKey()],
    ['', unlockKey],
    [wrapped.slice(0, 30), unlockKey],
  ] as const) {
    assert.throws(
      () => unwrapDataKey(text, key),
      (error) => error instanceof AppError && error.httpStatus === 401 && error.message === 'swarm could not be unlocked: invalid key provided',
    );
  }
});

test('an unlock key is shown and read in Docker’s form', () => {
  const key = createUnlockKey();
  const text = formatUnlockKey(key);
  assert.match(text, /^SWMKEY-1-[A-Za-z0-9+/]{43}$/);
  assert.deepEqual([...parseUnlockKey(text)], [...key]);
  for (const wrong of ['', 'SWMKEY-1-', `${text}=`, text.slice(0, -1), text.replace('-1-', '-2-'), ` ${text}`, 'banana']) {
    assert.throws(
      () => parseUnlockKey(wrong),
      (error) => error instanceof AppError && error.httpStatus === 400 && error.message === 'invalid key string',
    );
  }
});
