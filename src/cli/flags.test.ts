import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FlagSpec, UsageError } from './command.ts';
import { parseFlags } from './flags.ts';
import { flagHint, suggestions } from './suggest.ts';

const specs: readonly FlagSpec[] = [
  { name: 'detach', short: 'd', description: '' },
  { name: 'quiet', short: 'q', description: '' },
  { name: 'name', type: 'string', description: '' },
  { name: 'env', short: 'e', type: 'list', description: '' },
  { name: 'replicas', type: 'uint', description: '' },
];

const refusal = (...argv: string[]) => {
  try {
    parseFlags(argv, specs, false);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    return `${error.exitCode} ${error.message}`;
  }
  return assert.fail('was accepted');
};

test('options are cut as docker cuts them', () => {
  const { flags, args } = parseFlags(['-dq', 'a', '--name=x', '-e', 'A=1', '-eB=2', '-e=C=3', '--detach=false', 'b', '--', '--name'], specs, false);
  assert.deepEqual(args, ['a', 'b', '--name']);
  assert.equal(flags.bool('detach'), false);
  assert.equal(flags.has('detach'), true);
  assert.equal(flags.bool('quiet'), true);
  assert.equal(flags.text('name'), 'x');
  assert.deepEqual(flags.texts('env'), ['A=1', 'B=2', 'C=3']);
});

test('a value may look like an option', () => {
  const { flags } = parseFlags(['--name', '--env', '-e', '-d'], specs, false);
  assert.equal(flags.text('name'), '--env');
  assert.deepEqual(flags.texts('env'), ['-d']);
  assert.equal(flags.bool('detach'), false);
});

test('where options come first, what follows the first argument is not looked at', () => {
  const { flags, args } = parseFlags(['-d', 'image', 'sh', '-c', '--name', '--bogus'], specs, true);
  assert.deepEqual(args, ['image', 'sh', '-c', '--name', '--bogus']);
  assert.equal(flags.has('name'), false);
});

test('what is wrong is said in the words of docker, with its exit code', () => {
  assert.equal(refusal('--bogus'), '125 unknown flag: --bogus');
  assert.equal(refusal('--bogus=3'), '125 unknown flag: --bogus');
  assert.equal(refusal('-x'), "125 unknown shorthand flag: 'x' in -x");
  assert.equal(refusal('-qx'), "125 unknown shorthand flag: 'x' in -x");
  assert.equal(refusal('--name'), '125 flag needs an argument: --name');
  assert.equal(refusal('-e'), "125 flag needs an argument: 'e' in -e");
  assert.equal(refusal('--replicas', 'x'), '125 invalid argument "x" for "--replicas" flag: strconv.ParseUint: parsing "x": invalid syntax');
  assert.equal(refusal('--detach=x'), '125 invalid argument "x" for "-d, --detach" flag: strconv.ParseBool: parsing "x": invalid syntax');
});

test('typos get a suggestion, other words none', () => {
  assert.deepEqual(suggestions('serivce', ['service', 'secret', 'stack']), ['service']);
  assert.deepEqual(suggestions('zzzz', ['service', 'secret']), []);
  assert.match(flagHint('unknown flag: --replica', specs), /Did you mean --replicas\?/);
  assert.equal(flagHint('unknown flag: --zzzzzz', specs), '');
});
