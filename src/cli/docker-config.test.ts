import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { readDockerConfig } from './docker-config.ts';

function folderWith(context: TestContext, text?: string): { readonly folder: string; readonly file: string } {
  const folder = mkdtempSync(join(tmpdir(), 'skep-config-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'config.json');
  if (text !== undefined) writeFileSync(file, text);
  return { folder, file };
}

test('no file, an empty one, and one with what we do not know are fine, and the last is kept', (context) => {
  for (const text of [undefined, '', ' \n', '{}', '{"currentContext":null}']) {
    const config = readDockerConfig(folderWith(context, text).folder);
    assert.deepEqual([config.problem, config.values], [undefined, {}], text ?? 'no file');
  }
  const { folder, file } = folderWith(context, '{"plugins":{"a":1},"currentContext":"far"}');
  readDockerConfig(folder).save((values) => ({ ...values, credsStore: 'x' }));
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), { plugins: { a: 1 }, currentContext: 'far', credsStore: 'x' });
});

test('what cannot be read is said and does not stop a command, and is never written over', (context) => {
  for (const [text, problem, values] of [
    ['{bad', /config\.json\): Expected property name/, {}],
    ['[]', /config\.json\): it is no JSON object/, {}],
    ['{"currentContext":5,"psFormat":"x"}', /config\.json\): currentContext: not of the right type/, { psFormat: 'x' }],
    ['{"auths":{"a":"b"},"pruneFilters":[1]}', /config\.json\): auths, pruneFilters: not of the right type/, {}],
  ] as const) {
    const { folder, file } = folderWith(context, text);
    const config = readDockerConfig(folder);
    assert.match(config.problem ?? '', problem);
    assert.deepEqual(config.values, values);
    assert.throws(() => config.save((before) => before), /is not changed, because it cannot be read/);
    assert.equal(readFileSync(file, 'utf8'), text);
  }
  const { folder, file } = folderWith(context);
  mkdirSync(file);
  assert.match(readDockerConfig(folder).problem ?? '', /config\.json: is a directory$/);
});
