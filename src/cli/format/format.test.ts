import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { configSpecShape } from '#docker-api/secret-config.ts';
import type { Shape } from '#docker-api/shape.ts';
import { serviceShape } from '../shared/shapes.ts';
import { goDuration, goTime, humanDuration, parseGoDuration } from './duration.ts';
import { byNaturalOrder, type ListFormat, renderList } from './list.ts';
import { indentJson } from './raw-json.ts';
import { bytesSize, humanSize, parseBytes } from './size.ts';
import { alignTabs } from './tabwriter.ts';
import { compileFormat, runFormat, templateValue } from './template.ts';

test('how long ago something was is said as docker says it', () => {
  const said = (seconds: number) => humanDuration(seconds * 1000);
  assert.deepEqual([0.5, 1, 59, 60, 120, 3599, 3600, 7200, 47 * 3600, 48 * 3600, 14 * 86_400, 60 * 86_400, 730 * 86_400].map(said), [
    'Less than a second',
    '1 second',
    '59 seconds',
    'About a minute',
    '2 minutes',
    '59 minutes',
    'About an hour',
    '2 hours',
    '47 hours',
    '2 days',
    '2 weeks',
    '2 months',
    '2 years',
  ]);
});

test("Go's durations are read and written", () => {
  assert.equal(goDuration(2160 * 3600e9), '2160h0m0s');
  assert.equal(goDuration(90e9), '1m30s');
  assert.equal(goDuration(1_500_000), '1.5ms');
  assert.throws(() => parseGoDuration('5'), /missing unit in duration "5"/);
  assert.throws(() => parseGoDuration('x'), /invalid duration "x"/);
  assert.throws(() => parseGoDuration('5q'), /unknown unit "q" in duration "5q"/);
  fc.assert(fc.property(fc.integer({ min: 0, max: 1e15 }), (nanoseconds) => parseGoDuration(goDuration(nanoseconds)) === nanoseconds));
});

test('sizes are written with four digits and read with any unit', () => {
  assert.equal(bytesSize(25_276_510_208), '23.54GiB');
  assert.equal(humanSize(1_984_000, 3), '1.98MB');
  assert.equal(bytesSize(64 * 1024 * 1024), '64MiB');
  assert.equal(parseBytes('1.5g'), 1.5 * 2 ** 30);
  assert.equal(parseBytes('100'), 100);
  assert.equal(parseBytes('64MiB'), 64 * 2 ** 20);
  assert.throws(() => parseBytes('x'), /invalid size: 'x'/);
});

test('moments are shown in UTC without trailing zeros', () => {
  assert.equal(goTime('2026-11-20T12:08:33.850000000Z'), '2026-11-20 12:08:33.85 +0000 UTC');
  assert.equal(goTime('2026-11-20T12:08:33Z'), '2026-11-20 12:08:33 +0000 UTC');
});

test('columns are as wide as their widest cell and three, and at least ten', () => {
  assert.equal(alignTabs('ID\tNAME\tX\na-long-identifier\tb\tc'), 'ID                  NAME      X\na-long-identifier   b         c');
});

const format: ListFormat<{ readonly name: string }> = {
  defaultFormat: 'table {{.Name}}\\t{{.Size}}',
  quietFormat: '{{.Name}}',
  labels: ({ name }) => ({ 'com.example.some-label': name }),
  columns: { Name: { header: 'NAME', value: ({ name }) => name }, Size: { header: 'SIZE', value: () => '<1>' } },
};

test('a list is a table, JSON per line, or what the template says', () => {
  const rows = [{ name: 'a' }, { name: 'b' }];
  assert.equal(renderList(rows, format, { format: '' }), 'NAME      SIZE\na         <1>\nb         <1>\n');
  assert.equal(renderList(rows, format, { format: '', quiet: true }), 'a\nb\n');
  assert.equal(renderList(rows, format, { format: 'json' }), '{"Name":"a","Size":"\\u003c1\\u003e"}\n{"Name":"b","Size":"\\u003c1\\u003e"}\n');
  assert.equal(renderList(rows, format, { format: '{{.Name}}-{{upper .Name}}' }), 'a-A\nb-B\n');
  assert.equal(renderList([], format, { format: 'table' }), 'NAME      SIZE\n');
  assert.equal(renderList(rows, format, { format: 'table {{.Label "com.example.some-label"}}' }), 'some label\na\nb\n');
  assert.throws(() => renderList(rows, format, { format: '{{.Foo}}' }), /template parsing error: .*can't evaluate field Foo/);
  assert.throws(() => renderList(rows, format, { format: '{{.Foo' }), /template parsing error/);
});

test('names are in natural order', () => {
  assert.deepEqual(['web10', 'web2', 'a', 'web1'].sort(byNaturalOrder), ['a', 'web1', 'web2', 'web10']);
});

test('JSON is indented without touching its values', () => {
  assert.equal(
    indentJson('{"a":18446744073709551615,"b":[],"c":{},"d":["x\\"{,"]}'),
    '{\n    "a": 18446744073709551615,\n    "b": [],\n    "c": {},\n    "d": [\n        "x\\"{,"\n    ]\n}',
  );
  fc.assert(fc.property(fc.json(), (text) => assert.deepEqual(JSON.parse(indentJson(text)), JSON.parse(text))));
});

test('a template sees an answer as docker shows it: durations, bytes, versions, what is not there, and maps of no known shape', () => {
  const shown = (source: string, json: unknown, shape?: Shape) => runFormat(compileFormat(source), templateValue(json, shape));
  const service = { Version: { Index: 7 }, Spec: { UpdateConfig: { Delay: 0, Monitor: 90e9 } } };
  assert.equal(shown('{{.Version}} {{.Spec.UpdateConfig.Monitor}} {{json .Spec.UpdateConfig.Monitor}}', service, serviceShape), '7 1m30s 90000000000');
  assert.equal(shown('{{.UpdateStatus}} {{if .UpdateStatus}}a{{else}}b{{end}}', service, serviceShape), '<nil> b');
  assert.throws(() => shown('{{.UpdateStatus.State}}', service, serviceShape), /nil pointer evaluating \*swarm\.UpdateStatus\.State/);
  assert.equal(shown('{{printf "%s" .Data}} {{.Data}} {{json .Data}}', { Data: 'eQo=' }, configSpecShape), 'y\n [121 10] "eQo="');
  const ports = { Ports: { '90/tcp': [{ HostPort: '9090' }], '80/tcp': [] } };
  assert.equal(shown('{{range $port, $to := .Ports}}{{$port}}{{range $to}}={{.HostPort}}{{end}} {{end}}', ports), '80/tcp 90/tcp=9090 ');
});

test('a row as JSON is the same by the template and by the word', () => {
  const noun: ListFormat<string> = {
    columns: { B: { header: 'B', value: (row) => row }, A: { header: 'A', value: () => 1 } },
    defaultFormat: 'table {{.B}}',
    quietFormat: '{{.B}}',
    labels: () => ({ x: 'y' }),
  };
  for (const format of ['json', '{{json .}}']) assert.equal(renderList(['<b>'], noun, { format }), '{"A":1,"B":"\\u003cb\\u003e"}\n');
  assert.equal(renderList(['b'], noun, { format: '{{.B}} {{.Label "x"}}' }), 'b y\n');
});
