import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRules } from './rules.ts';

/** A kernel with one set of rules, and others who may touch it. */
function kernel() {
  const state = { rules: undefined as string | undefined, applications: 0, listings: 0, beforeNextListing: () => {} };
  const rules = createRules({
    apply: (text) => {
      state.rules = text;
      state.applications++;
      return Promise.resolve();
    },
    list: () => {
      state.beforeNextListing();
      state.beforeNextListing = () => {};
      state.listings++;
      return Promise.resolve(state.rules === undefined ? '' : `listed: ${state.rules}`);
    },
  });
  return { state, rules };
}

test('a change costs one command, and the same again none', async () => {
  const { state, rules } = kernel();
  await rules.ensure('a', false);
  await rules.ensure('a', false);
  await rules.ensure('b', false);
  assert.deepEqual([state.rules, state.applications, state.listings], ['b', 2, 0]);
});

test('rules that nobody touches are applied for the first two looks only', async () => {
  const { state, rules } = kernel();
  for (let look = 0; look < 5; look++) await rules.ensure('a', true);
  assert.equal(state.applications, 2);
});

test('what others have touched is repaired at the next look', async () => {
  const { state, rules } = kernel();
  for (let look = 0; look < 3; look++) await rules.ensure('a', true);
  for (const touched of [undefined, 'something else']) {
    state.rules = touched;
    await rules.ensure('a', true);
    assert.equal(state.rules, 'a');
  }
});

test('who touches them between applying and listing is not taken for right', async () => {
  for (const lookTouched of [1, 2, 3]) {
    for (const touched of [undefined, 'something else']) {
      const { state, rules } = kernel();
      for (let look = 1; look <= 4; look++) {
        if (look === lookTouched) state.beforeNextListing = () => void (state.rules = touched);
        await rules.ensure('a', true);
      }
      assert.equal(state.rules, 'a', `touched at look ${lookTouched}`);
    }
  }
});

test('rules that could not be applied, or have gone with their namespace, are applied again', async () => {
  let fails = true;
  let applications = 0;
  const rules = createRules({
    apply: () => {
      applications++;
      return fails ? Promise.reject(new Error('no')) : Promise.resolve();
    },
    list: () => Promise.resolve('x'),
  });
  await assert.rejects(rules.ensure('a', false), /no/);
  fails = false;
  await rules.ensure('a', false);
  rules.forget();
  await rules.ensure('a', false);
  assert.equal(applications, 3);
});
