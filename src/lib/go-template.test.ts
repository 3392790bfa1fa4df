import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AppError } from './errors.ts';
import { executeTemplate, formatFunctions, parseTemplate, struct, swarmFunctions, type TemplateValue, templateMap } from './go-template.ts';

const data = struct('*example.Data', {
  Name: 'web',
  Count: 3,
  On: true,
  Empty: '',
  Nothing: undefined,
  Labels: templateMap({ b: '2', a: '1', 'x.y': 'dotted' }),
  List: ['x', 'y', 'z'],
  None: [],
  Inner: struct('example.Inner', { Deep: 'down' }),
});

function run(source: string, value: TemplateValue = data): string {
  return executeTemplate(parseTemplate('t', source, swarmFunctions), value);
}

function message(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof AppError, String(error));
    assert.equal(error.code, 'invalidArgument');
    return error.message;
  }
  assert.fail('nothing was thrown');
}

test('templates give what Go gives', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['plain } text {', 'plain } text {'],
    ['{{.Name}}-{{ .Count }}', 'web-3'],
    ['{{.Inner.Deep}}', 'down'],
    ['{{(.Inner).Deep}}', 'down'],
    ['{{.}}|{{.Labels}}|{{.List}}|{{.Inner}}', '{web 3 true  <no value> map[a:1 b:2 x.y:dotted] [x y z] [] {down}}|map[a:1 b:2 x.y:dotted]|[x y z]|{down}'],
    ['{{.Nothing}}', '<no value>'],
    ['a  {{- " b " -}}  c', 'a b c'],
    ['a {{- /* note */ -}} c', 'ac'],
    ['{{/* only a note */}}x', 'x'],
    ['{{if .On}}yes{{else}}no{{end}}', 'yes'],
    ['{{if .Empty}}yes{{else if .None}}none{{else if eq .Count 3}}three{{else}}no{{end}}', 'three'],
    ['{{with .Inner}}{{.Deep}}{{$.Name}}{{end}}', 'downweb'],
    ['{{with .Empty}}x{{else}}y{{end}}', 'y'],
    ['{{with $x := .Name}}{{$x}}{{end}}', 'web'],
    ['{{range .List}}[{{.}}]{{end}}', '[x][y][z]'],
    ['{{range $i, $e := .List}}{{$i}}{{$e}} {{end}}', '0x 1y 2z '],
    ['{{range $e := .List}}{{if eq $e "y"}}{{continue}}{{end}}{{$e}}{{end}}', 'xz'],
    ['{{range .List}}{{if eq . "y"}}{{break}}{{end}}{{.}}{{end}}', 'x'],
    ['{{range .None}}x{{else}}empty{{end}}', 'empty'],
    ['{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}', 'a=1;b=2;x.y=dotted;'],
    ['{{$x := "a"}}{{if .On}}{{$x = "b"}}{{end}}{{$x}}', 'b'],
    ['{{$x := "a"}}{{if .On}}{{$x := "b"}}{{end}}{{$x}}', 'a'],
    ['{{index .Labels "x.y"}}{{index .List 1}}{{index .Labels "missing"}}', 'dottedy'],
    ['{{len .List}}{{len .Name}}{{len .Labels}}', '333'],
    ['{{and .On .Name}}{{or .Empty "else"}}{{not .On}}', 'webelsefalse'],
    ['{{or .On (index .List 99)}}', 'true'],
    ['{{eq .Name "a" "web"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}', 'true true true true true false'],
    ['{{printf "%s/%d/%q/%v/%5s|%-5s|%05d|%x" "a" 7 "q\\"" true "r" "l" 42 255}}', 'a/7/"q\\""/true/    r|l    |00042|ff'],
    ['{{.Name | printf "%s-%s" "x"}}', 'x-web'],
    ['{{print 1 2 "a" "b" 3}}{{println "x" 1}}', '1 2ab3x 1\n'],
    ['{{join "," "a" .Name}}', 'a,web'],
    ['{{html "<a&b>"}}{{urlquery "a b/c"}}', '&lt;a&amp;b&gt;a+b%2Fc'],
    ['{{slice .Name 1 2}}{{slice .List 1}}', 'e[y z]'],
    ['{{define "T"}}<{{.}}>{{end}}{{template "T" .Name}}{{template "T" "y"}}', '<web><y>'],
    ['{{block "B" .Count}}={{.}}{{end}}', '=3'],
    ['{{`raw "text"`}}{{"tab\\t"}}{{0x10}}{{1_000}}{{-3}}{{1.5}}{{\'a\'}}', 'raw "text"tab\t161000-31.597'],
    ['{{true}}{{"é" | len}}', 'true2'],
    ['{{.Name -}}\n {{.Count}}', 'web3'],
    ['{{\n.Name\n}}', 'web'],
  ];
  for (const [source, expected] of cases) assert.equal(run(source), expected, source);
});

test("what cannot be parsed is refused in Go's words", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['{{.Bad', 'template: t:1: unclosed action'],
    ['a\n{{.Bad', 'template: t:2: unclosed action'],
    ['{{/* x', 'template: t:1: unclosed comment'],
    ['{{}}', 'template: t:1: missing value for command'],
    ['{{if}}{{end}}', 'template: t:1: missing value for if'],
    ['{{if .On}}', 'template: t:1: unexpected EOF'],
    ['{{end}}', 'template: t:1: unexpected {{end}}'],
    ['{{else}}', 'template: t:1: unexpected {{else}}'],
    ['{{nope}}', 'template: t:1: function "nope" not defined'],
    ['{{$x}}', 'template: t:1: undefined variable "$x"'],
    ['{{"abc}}', 'template: t:1: unterminated quoted string'],
    ['{{.A | 3}}', 'template: t:1: non executable command in pipeline stage 2'],
    ['{{.A |}}', 'template: t:1: missing value for command'],
    ['{{(.A}}', 'template: t:1: unclosed left paren'],
    ['{{.A)}}', 'template: t:1: unexpected ")" in command'],
    ['{{#}}', "template: t:1: unrecognized character in action: U+0023 '#'"],
    ['{{.A#}}', "template: t:1: bad character U+0023 '#'"],
    ['{{break}}', 'template: t:1: {{break}} outside {{range}}'],
    ['{{3x}}', 'template: t:1: bad number syntax: "3x"'],
  ];
  for (const [source, expected] of cases)
    assert.equal(
      message(() => run(source)),
      expected,
      source,
    );
});

test("what cannot be evaluated is refused in Go's words", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['{{.Nope.X}}', 'template: t:1:7: executing "t" at <.Nope.X>: can\'t evaluate field Nope in type *example.Data'],
    ['a\né {{.Nope}}', 'template: t:2:5: executing "t" at <.Nope>: can\'t evaluate field Nope in type *example.Data'],
    ['{{.Name.X}}', 'template: t:1:7: executing "t" at <.Name.X>: can\'t evaluate field X in type string'],
    ['{{.Labels.zz}}', 'template: t:1:9: executing "t" at <.Labels.zz>: map has no entry for key "zz"'],
    ['{{index .List 7}}', 'template: t:1:2: executing "t" at <index .List 7>: error calling index: index out of range: 7'],
    ['{{lt 1 "a"}}', 'template: t:1:2: executing "t" at <lt 1 "a">: error calling lt: incompatible types for comparison'],
    ['{{range .Name}}{{end}}', 'template: t:1:8: executing "t" at <.Name>: range can\'t iterate over web'],
    ['{{template "none"}}', 'template: t:1:0: executing "t" at <{{template "none"}}>: template "none" not defined'],
    ['{{not}}', 'template: t:1:2: executing "t" at <not>: wrong number of args for not: want 1 got 0'],
    ['{{nil}}', 'template: t:1:2: executing "t" at <nil>: nil is not a command'],
  ];
  for (const [source, expected] of cases)
    assert.equal(
      message(() => run(source)),
      expected,
      source,
    );
});

test('nothing but the data can be reached', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'fields', 'kind', 'size', 'length', 'get']) {
    assert.match(
      message(() => run(`{{.${name}}}`)),
      /can't evaluate field/,
    );
    assert.match(
      message(() => run(`{{.Labels.${name}}}`)),
      /map has no entry/,
    );
    assert.match(
      message(() => run(`{{.List.${name}}}`)),
      /can't evaluate field/,
    );
    assert.equal(run(`{{index .Labels "${name}"}}`), '');
  }
});

test('a template that grows without end is given up', () => {
  const doubling = Array.from({ length: 40 }, (_, level) => `{{define "t${level}"}}{{template "t${level + 1}"}}{{template "t${level + 1}"}}{{end}}`).join('');
  assert.match(
    message(() => run(`${doubling}{{define "t40"}}${'x'.repeat(50)}{{end}}{{template "t0"}}`)),
    /too long|too many steps/,
  );
  assert.match(
    message(() => run('{{define "r"}}{{template "r"}}{{end}}{{template "r"}}')),
    /exceeded maximum template depth/,
  );
  assert.match(
    message(() => run('{{if true}}'.repeat(500))),
    /nesting is too deep/,
  );
  assert.match(
    message(() => run(`{{${'('.repeat(5_000)}}}`)),
    /template: t:1: /,
  );
});

test("docker's format functions are there for those who ask for them", () => {
  const render = (source: string) => executeTemplate(parseTemplate('', source, formatFunctions), data);
  assert.equal(render('{{json .Labels}}{{upper .Name}}{{lower "AB"}}{{title "ab cd"}}'), '{"a":"1","b":"2","x.y":"dotted"}WEBabAb Cd');
  assert.equal(render('{{join .List "/"}}{{range split "a,b" ","}}<{{.}}>{{end}}{{pad "x" 1 2}}{{truncate "abcdef" 3}}'), 'x/y/z<a><b> x  abc');
});

test('parsing and executing either gives text or throws an AppError', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '{{',
      '}}',
      '{{-',
      '-}}',
      '.',
      '.Name',
      '.Labels',
      '.List',
      '$',
      '$x',
      ':=',
      '|',
      '(',
      ')',
      'if ',
      'range ',
      'with ',
      '{{end}}',
      '{{else}}',
      '"a"',
      '`',
      'printf "%d" ',
      'index ',
      ' 1 ',
      'and ',
      '/*',
      '*/',
      'define "x"',
      'template "x"',
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      try {
        assert.equal(typeof run(pieces.join('')), 'string');
      } catch (error) {
        assert.ok(error instanceof AppError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

test('text without actions comes through unchanged', () => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !text.includes('{{')),
      (text) => assert.equal(run(text), text),
    ),
  );
});
