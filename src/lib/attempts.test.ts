import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAttempts } from './attempts.ts';

test('who is wrong too often waits, and then has one try after the other; others do not wait', () => {
  let now = 5_000;
  const attempts = createAttempts({ burst: 3, refillMs: 2_000 }, () => now);
  const mayTry = (place: string) => {
    try {
      attempts.assertMayTry(place, 'guesses');
      return 'yes';
    } catch (error) {
      return (error as Error).message;
    }
  };
  for (let index = 0; index < 3; index++) {
    assert.equal(mayTry('a'), 'yes');
    attempts.wrong('a');
  }
  assert.equal(mayTry('a'), 'too many wrong guesses: try again in 2 s');
  assert.equal(mayTry('b'), 'yes');
  now += 2_000;
  assert.equal(mayTry('a'), 'yes');
  attempts.wrong('a');
  assert.notEqual(mayTry('a'), 'yes');
  attempts.right('a');
  assert.equal(mayTry('a'), 'yes');
  for (let index = 0; index < 20_000; index++) attempts.wrong(`place ${index}`);
  assert.equal(mayTry('place 19999'), 'yes');
});
