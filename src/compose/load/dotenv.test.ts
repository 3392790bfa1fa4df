import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DotenvError, parseDotenv, parseRawEnvFile } from './dotenv.ts';

function parse(text: string, outer: Readonly<Record<string, string>> = {}): Record<string, string | null> {
  return Object.fromEntries(parseDotenv(text, (name) => outer[name]));
}

describe('a file of variables', () => {
  it('has names and values, comments and empty lines', () => {
    assert.deepEqual(parse('# comment\nA=1\n\n  B = two words  \nexport C=3\nD: 4\nE=\nF\n'), { A: '1', B: 'two words', C: '3', D: '4', E: '', F: null });
  });
  it('ends unquoted values at a comment after white space', () => {
    assert.deepEqual(parse('A=x # y\nB=x#y\nC=#y\nD="x # y" # z\n'), { A: 'x', B: 'x#y', C: '', D: 'x # y' });
  });
  it('keeps what is in single quotes, and knows escapes in double quotes', () => {
    assert.deepEqual(parse(`A='$X \\n "q"'\nB="a\\nb\\t\\"q\\" \\$X"\n`, { X: 'x' }), { A: '$X \\n "q"', B: 'a\nb\t"q" $X' });
  });
  it('lets quoted values span lines', () => assert.deepEqual(parse('A="one\ntwo"\nB=\'three\nfour\'\nC=5'), { A: 'one\ntwo', B: 'three\nfour', C: '5' }));
  it('replaces variables from outside and from the lines above, outside first', () => {
    assert.deepEqual(parse('A=1\nB=${A}-$X\nC="${A:-d}${NONE:-d}"\nX=in\nD=$X', { X: 'out' }), { A: '1', B: '1-out', C: '1d', X: 'in', D: 'out' });
  });
  it('takes a $ that begins no variable as it is', () => assert.deepEqual(parse('A=pa$$word\nB=5$\nC=$1'), { A: 'pa$word', B: '5$', C: '$1' }));
  it('reads files from Windows, with a byte order mark', () => assert.deepEqual(parse('\uFEFFA=1\r\nB="x\r\ny"\r\n'), { A: '1', B: 'x\ny' }));

  const mistakes: readonly (readonly [string, number, RegExp])[] = [
    ['A=1\nB c=2', 2, /variable 'B c' contains whitespaces/],
    ['=1', 1, /no name/],
    ['A="open\nB=1', 1, /unterminated quoted value "open/],
    ['A="x" y', 1, /unexpected "y" after a quoted value/],
    ['\n\nA-ö=1', 3, /unexpected character "ö"/],
    ['A=${B:?missing}', 1, /required variable B is missing a value: missing/],
  ];
  for (const [text, line, message] of mistakes) {
    it(`says the line of the mistake in ${JSON.stringify(text)}`, () =>
      assert.throws(
        () => parse(text),
        (error) => error instanceof DotenvError && error.line === line && message.test(error.message),
      ));
  }

  it('never loops or fails otherwise, whatever it is given', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('A', '=', '"', "'", '\n', '$', '{', '}', '#', ' ', ':', '\\', '-') }), (text) => {
        try {
          parse(text);
        } catch (error) {
          assert.ok(error instanceof DotenvError, String(error));
        }
      }),
    );
  });
});

describe('a raw file of variables', () => {
  it('has no quotes, no variables and no comments within lines', () => {
    assert.deepEqual(Object.fromEntries(parseRawEnvFile('# c\nA="q"\n B=a b #c\nC=$A\nD\nE=\r\n')), { A: '"q"', B: 'a b #c', C: '$A', D: null, E: '' });
  });
  it('refuses white space in names', () => assert.throws(() => parseRawEnvFile('A=1\na b=2'), { message: "variable 'a b' contains whitespaces", line: 2 }));
});
