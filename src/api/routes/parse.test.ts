import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flag, objectVersion, onlyKeys, parseFilters, registryAuthOf, strictFlag } from './parse.ts';
import { parseUntil } from './until.ts';

const query = (fields: Record<string, string>) => new URLSearchParams(fields);
const filters = (text: string) => onlyKeys(parseFilters(query({ filters: text })), ['name', 'label']);

test('filters are read in both of their forms', () => {
  assert.deepEqual(filters('{"name":{"a":true,"b":true}}'), { name: ['a', 'b'] });
  assert.deepEqual(filters('{"name":["a"],"label":[]}'), { name: ['a'], label: [] });
  assert.deepEqual(filters(''), {});
  assert.deepEqual(filters('null'), {});
});

test('an unknown filter is named, a malformed one is not', () => {
  assert.throws(() => filters('{"bogus":{"a":true}}'), { message: "invalid filter 'bogus'", httpStatus: 400 });
  for (const text of ['nope', '[]', '{"name":"a"}', '{"name":[1]}', '{"name":{"a":"b"}}', '5']) {
    assert.throws(() => filters(text), { message: 'invalid filter', httpStatus: 400 }, text);
  }
});

test('most booleans are true unless they are a word for false; a few are read strictly', () => {
  for (const word of ['', '0', 'no', 'False', ' none ']) assert.equal(flag(query({ force: word }), 'force'), false, word);
  for (const word of ['1', 'yes', 'banana']) assert.equal(flag(query({ force: word }), 'force'), true, word);
  assert.equal(flag(query({}), 'force'), false);
  assert.equal(strictFlag(query({ status: 'T' }), 'status'), true);
  assert.throws(() => strictFlag(query({ status: 'maybe' }), 'status'), {
    message: 'invalid value for status: maybe: strconv.ParseBool: parsing "maybe": invalid syntax',
  });
});

test('a version must be an unsigned number', () => {
  assert.equal(objectVersion(query({ version: '17' }), 'service'), 17);
  assert.throws(() => objectVersion(query({}), 'service'), { message: `invalid service version '': strconv.ParseUint: parsing "": invalid syntax` });
  assert.throws(() => objectVersion(query({ version: '9'.repeat(30) }), 'node'), { message: /^invalid node version '9+': .*value out of range$/ });
});

test('registry credentials that cannot be read count as none', () => {
  const encoded = Buffer.from('{"username":"u","password":"p"}').toString('base64url');
  assert.equal(registryAuthOf(encoded), encoded);
  for (const header of [undefined, '', 'garbage!', Buffer.from('{}').toString('base64url')]) assert.equal(registryAuthOf(header), undefined);
});

test('until is a moment or a duration back from now', () => {
  const now = 1_000_000_000_000;
  assert.equal(parseUntil([], now), undefined);
  assert.equal(parseUntil(['1h30m'], now), now - 5_400_000);
  assert.equal(parseUntil(['1500'], now), 1_500_000);
  assert.equal(parseUntil(['2001-09-09T01:46:40Z'], now), now);
  assert.throws(() => parseUntil(['soon'], now), { httpStatus: 400 });
});
