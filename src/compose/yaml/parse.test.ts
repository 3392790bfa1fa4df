import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { failureOf } from '../testing/files.ts';
import { textOf, toPlain } from './node.ts';
import { parseYaml } from './parse.ts';
import { goFloat, resolvePlain } from './scalars.ts';

const plain = (text: string) => toPlain(parseYaml(text, 'f.yml'));

describe('YAML', () => {
  it('knows numbers as Docker does: octal with and without "o", hexadecimal, underscores', () => {
    assert.deepEqual(plain('[0440, 0o440, 0x1f, 1_000, -7, 089, 1.5, 1e3]'), [288, 288, 31, 1000, -7, 89, 1.5, 1000]);
  });
  it('takes yes and on for text, true for a boolean, ~ for null', () =>
    assert.deepEqual(plain('[yes, on, n, true, False, ~, null, ""]'), ['yes', 'on', 'n', true, false, null, null, '']));
  it('takes what is in quotes for text', () => assert.deepEqual(plain(`["1", 'true', "null", !!str 5]`), ['1', 'true', 'null', '5']));
  it('follows anchors and merge keys, own keys first', () => {
    assert.deepEqual(plain('x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], a: 0}\nw: *x'), {
      x: { a: 1, b: 2 },
      y: { b: 3, c: 4 },
      z: { a: 0, b: 2, c: 4 },
      w: { a: 1, b: 2 },
    });
  });
  it('knows where each value was written', () => {
    const root = parseYaml('a:\n  b: 1\n', 'f.yml');
    assert.ok(root.kind === 'map');
    const inner = root.entries.get('a')?.value;
    assert.ok(inner?.kind === 'map');
    assert.deepEqual(inner.entries.get('b'), {
      mark: { file: 'f.yml', line: 2, column: 3 },
      value: { kind: 'scalar', value: 1, text: '1', mark: { file: 'f.yml', line: 2, column: 6 } },
    });
  });
  it('takes a key called __proto__ for a key', () => assert.deepEqual(Object.keys(plain('__proto__: {a: 1}') as object), ['__proto__']));

  const mistakes: readonly (readonly [string, RegExp])[] = [
    ['', /^f\.yml:1:1: top-level object must be a mapping \(the file is empty\)$/],
    ['# only a comment\n', /the file is empty/],
    ['a: 1\na: 2', /^f\.yml:2:1: mapping key "a" already defined at line 1$/],
    ['a: {b: 1, c: 2, b: 3}', /^f\.yml:1:17: mapping key "b" already defined at line 1$/],
    ['a: 1\n---\nb: 2', /^f\.yml:3:1: a Compose file holds one YAML document/],
    ['a: [1, 2', /^f\.yml:1:\d+: yaml: /],
    ['a:\n\tb: 1', /^f\.yml:2:\d+: yaml: /],
    ['a: *nobody', /^f\.yml:1:4: yaml: .*nobody/],
    ['a: &a [*a]', /^f\.yml:1:8: yaml: anchor 'a' value contains itself$/],
    ['{[1]: 2}', /a key must be a word/],
    ['a: {<<: 5}', /map merge requires map or sequence of maps/],
  ];
  for (const [text, message] of mistakes)
    it(`refuses ${JSON.stringify(text)}`, () =>
      assert.match(
        failureOf(() => plain(text)),
        message,
      ));

  it('takes a second document that is empty for none', () => assert.deepEqual(plain('a: 1\n---\n'), { a: 1 }));
  it('refuses aliases that make a small file huge', () => {
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 8; level += 1) {
      const before = String.fromCharCode(96 + level);
      lines.push(`${String.fromCharCode(97 + level)}: &${String.fromCharCode(97 + level)} [${Array(10).fill(`*${before}`).join(', ')}]`);
    }
    assert.match(
      failureOf(() => plain(lines.join('\n'))),
      /excessive aliasing|Excessive alias/,
    );
  });
});

describe('text of what is not text', () => {
  const mark = { file: '', line: 1, column: 1 };
  for (const [source, text] of [
    ['1.10', '1.1'],
    ['0x10', '16'],
    ['1e3', '1000'],
    ['1000000.5', '1.0000005e+06'],
    ['0.00001', '1e-05'],
    ['2001-01-01', '2001-01-01 00:00:00 +0000 UTC'],
    ['True', 'true'],
    ['9007199254740993', '9007199254740993'],
  ] as const) {
    it(`${source} is "${text}"`, () => assert.equal(textOf(resolvePlain(source, mark)), text));
  }
  it('is as Go prints it', () => assert.deepEqual([0.5, 100_000, 1e6, 1e21, -2.5e-7].map(goFloat), ['0.5', '100000', '1e+06', '1e+21', '-2.5e-07']));
});
