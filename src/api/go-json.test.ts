import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseGoJson } from './go-json.ts';

function messageFor(text: string): string {
  try {
    parseGoJson(text);
  } catch (error) {
    return (error as Error).message;
  }
  return 'parsed';
}

// Left: bodies; right: what dockerd says (encoding/json of Go, with the prefix of API 1.50).
const cases: readonly [string, string][] = [
  ['{bad', "invalid JSON: invalid character 'b' looking for beginning of object key string"],
  ['nope', "invalid JSON: invalid character 'o' in literal null (expecting 'u')"],
  ['', 'invalid JSON: got EOF while reading request body'],
  ['{"a":', 'invalid JSON: unexpected EOF'],
  ['{"a" 1}', "invalid JSON: invalid character '1' after object key"],
  ['{"a":1 "b":2}', `invalid JSON: invalid character '"' after object key:value pair`],
  ['[1 2]', "invalid JSON: invalid character '2' after array element"],
  ["{'a':1}", "invalid JSON: invalid character '\\'' looking for beginning of object key string"],
  ['{"a":01}', "invalid JSON: invalid character '1' after object key:value pair"],
  ['{"a":"\n"}', "invalid JSON: invalid character '\\n' in string literal"],
  ['{"a":"\\x"}', "invalid JSON: invalid character 'x' in string escape code"],
  ['{"a":.5}', "invalid JSON: invalid character '.' looking for beginning of value"],
  ['{"a":1,}', "invalid JSON: invalid character '}' looking for beginning of object key string"],
  ['{"a":1} {', 'unexpected content after JSON'],
  ['{} x', 'unexpected content after JSON'],
];

test('a body that is no JSON is refused with Go’s reason', () => {
  for (const [text, expected] of cases) assert.equal(messageFor(text), expected, text);
});

test('a closing bracket behind the value is overlooked, as Go overlooks it', () => {
  assert.deepEqual(parseGoJson('{"a":1} }'), { a: 1 });
});

test('what JSON.parse reads is read, and whatever it refuses gets a reason', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => assert.deepEqual(parseGoJson(JSON.stringify(value)), JSON.parse(JSON.stringify(value)))));
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(), fc.string({ maxLength: 2 }), (value, at, garbage) => {
      const text = JSON.stringify(value);
      const index = at % (text.length + 1);
      assert.match(messageFor(text.slice(0, index) + garbage + text.slice(index + 1)), /^(parsed|invalid JSON: .+|unexpected content after JSON)$/s);
    }),
  );
});

test('what is nested too deep is refused before anything is parsed, closed or not', () => {
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    assert.equal(messageFor(open.repeat(500_000)), 'invalid JSON: exceeded max depth');
    assert.equal(messageFor(`${open.repeat(1_001)}1${close.repeat(1_001)}`), 'invalid JSON: exceeded max depth');
    assert.equal(messageFor(`${open.repeat(1_000)}1${close.repeat(1_000)}`), 'parsed');
  }
  assert.equal(messageFor(JSON.stringify(['\\"[[', '['.repeat(5_000)])), 'parsed');
});

test('half of a surrogate pair becomes a replacement character, as in Go; whole ones stay', () => {
  assert.deepEqual(parseGoJson('{"a\\ud800":["\\udfffb","\\ud83d\\ude00","\\\\ud800"]}'), { 'a\ufffd': ['\ufffdb', '\u{1f600}', '\\ud800'] });
});
