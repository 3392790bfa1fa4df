import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseBytes } from '#lib/bytes.ts';
import { formatDuration, parseDuration } from '#lib/duration.ts';
import { nearestWord } from '#lib/nearest.ts';
import { splitShellWords } from './shell-words.ts';

describe('durations', () => {
  for (const [text, shown] of [
    ['90s', '1m30s'],
    ['1m', '1m0s'],
    ['1.5s', '1.5s'],
    ['100ms', '100ms'],
    ['0', '0s'],
    ['1h', '1h0m0s'],
    ['1d', '24h0m0s'],
    ['1w', '168h0m0s'],
    ['2us', '2µs'],
    ['1h1m1.001s', '1h1m1.001s'],
    ['3ns', '3ns'],
  ] as const) {
    it(`${text} is ${shown}`, () => assert.equal(formatDuration(parseDuration(text) ?? Number.NaN), shown));
  }
  for (const text of ['', '5', 'abc', '1x', '1s ', 's', '1m-2s']) it(`${JSON.stringify(text)} is none`, () => assert.equal(parseDuration(text), undefined));
  it('are read as they were printed', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (ns) => assert.equal(parseDuration(formatDuration(ns)), ns)));
  });
});

describe('sizes', () => {
  for (const [text, bytes] of [
    ['100', 100],
    ['64M', 67_108_864],
    ['1.5g', 1_610_612_736],
    ['1kb', 1024],
    ['2GiB', 2 * 1024 ** 3],
    ['10 MB', 10 * 1024 ** 2],
    ['5b', 5],
  ] as const) {
    it(`${text} is ${bytes}`, () => assert.deepEqual(parseBytes(text), { bytes }));
  }
  it('say what is wrong with them', () => {
    assert.deepEqual(parseBytes('1x'), { problem: "invalid suffix: 'x'" });
    assert.deepEqual(parseBytes('many'), { problem: "invalid size: 'many'" });
  });
});

describe('a command in one text', () => {
  for (const [text, words] of [
    ['echo "a b" c', ['echo', 'a b', 'c']],
    [`sh -c 'echo "$X"'`, ['sh', '-c', 'echo "$X"']],
    ['a\\ b c', ['a b', 'c']],
    ['a # comment', ['a']],
    ['""', ['']],
    ['a"b"c', ['abc']],
    ['"a\\"b"', ['a"b']],
    ['', []],
  ] as const) {
    it(`${JSON.stringify(text)} has ${words.length} words`, () => assert.deepEqual(splitShellWords(text), words));
  }
  for (const text of ['echo "a', "echo 'a", 'a\\']) it(`${JSON.stringify(text)} has no end`, () => assert.equal(splitShellWords(text), undefined));
});

describe('the nearest word', () => {
  const words = ['image', 'environment', 'volumes', 'ports', 'deploy'];
  for (const [typed, meant] of [
    ['imgae', 'image'],
    ['enviroment', 'environment'],
    ['volume', 'volumes'],
    ['Ports', 'ports'],
    ['colour', undefined],
  ] as const) {
    it(`to ${typed} is ${meant}`, () => assert.equal(nearestWord(typed, words), meant));
  }
});
