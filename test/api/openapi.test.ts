import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { anyServiceSpec } from '../../src/api/convert/arbitraries.ts';
import { serviceSpecToJson } from '../../src/api/convert/service.ts';
import { taskSpecToJson } from '../../src/api/convert/task-spec.ts';
import { loadOpenApi } from './openapi.ts';
import { readSample, sampleNames, skipWithoutSharedData } from './shared-data.ts';

describe('the published description of the Engine API', { skip: skipWithoutSharedData }, () => {
  const openApi = skipWithoutSharedData ? undefined : loadOpenApi();

  test('accepts whatever service spec we can show', () => {
    fc.assert(
      fc.property(anyServiceSpec, (spec) => {
        const {
          SwapBytes: _swap,
          MemorySwappiness: _swappiness,
          ...resources
        } = spec.task.resources ? (serviceSpecToJson(spec).TaskTemplate?.Resources ?? {}) : {};
        const shown = { ...serviceSpecToJson(spec), TaskTemplate: { ...taskSpecToJson(spec.task, { withRuntime: true }), Resources: resources } };
        assert.equal(openApi?.checkDefinition('ServiceSpec', JSON.parse(JSON.stringify(shown))), undefined);
      }),
    );
  });

  for (const name of sampleNames('')) {
    const kind = /^(service|task|node|secret|config|network)\b/.exec(name)?.[1];
    if (kind === undefined) continue;
    const definition = kind.charAt(0).toUpperCase() + kind.slice(1);
    test(`accepts the recorded ${name}`, () => assert.equal(openApi?.checkDefinition(definition, readSample(name)), undefined));
  }
});
