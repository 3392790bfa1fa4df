import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configToText } from '../../src/api/convert/config.ts';
import { nodeToText } from '../../src/api/convert/node.ts';
import { secretToText } from '../../src/api/convert/secret.ts';
import { serviceToText } from '../../src/api/convert/service.ts';
import { clusterInfoToJson, swarmToJson } from '../../src/api/convert/swarm.ts';
import { taskToText } from '../../src/api/convert/task.ts';
import { clusterFromJson, configFromJson, nodeFromJson, secretFromJson, serviceFromJson, taskFromJson } from './from-json.ts';
import { type Recorded, readSample, sampleNames, skipWithoutSharedData } from './shared-data.ts';

/**
 * A recorded object as text: our times have milliseconds, and a daemon of API 1.50 has two fields that 20.10 did not have yet.
 */
function textOf(recorded: Recorded): string {
  return JSON.stringify(recorded)
    .replaceAll(/"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{1,3})\d*Z"/g, (_all, seconds: string, milliseconds: string) => {
      const digits = milliseconds.padEnd(3, '0').replace(/0+$/, '');
      return digits === '' ? `"${seconds}Z"` : `"${seconds}.${digits}Z"`;
    })
    .replaceAll('"SELinuxContext":null}', '"SELinuxContext":null,"NoNewPrivileges":false}');
}

describe('recorded objects come out of our conversions byte for byte', { skip: skipWithoutSharedData }, () => {
  for (const name of sampleNames('task')) {
    test(name, () => {
      const sample = readSample(name);
      const { task, networks } = taskFromJson(sample);
      assert.equal(
        taskToText(task, (id) => networks.get(id)),
        textOf({ ...sample, Volumes: null }),
      );
    });
  }
  for (const name of sampleNames('service')) {
    test(name, () => assert.equal(serviceToText(serviceFromJson(readSample(name))), textOf(readSample(name))));
  }
  for (const name of sampleNames('node')) {
    test(name, () => assert.equal(nodeToText(nodeFromJson(readSample(name))), textOf(readSample(name))));
  }
  test('secret', () => assert.equal(secretToText(secretFromJson(readSample('secret'))), textOf(readSample('secret'))));
  test('config', () => assert.equal(configToText(configFromJson(readSample('config'))), textOf(readSample('config'))));
  test('swarm', () => {
    const sample = readSample('swarm');
    const tokens = { worker: sample['JoinTokens'].Worker, manager: sample['JoinTokens'].Manager };
    assert.equal(JSON.stringify(swarmToJson(clusterFromJson(sample), tokens)), textOf({ ...sample, DefaultAddrPool: [] }));
  });
  test('the cluster in info', () => {
    const sample = readSample('info-Swarm-active-manager')['Cluster'];
    assert.equal(JSON.stringify(clusterInfoToJson(clusterFromJson(sample))), textOf({ ...sample, DefaultAddrPool: [] }));
  });
});
