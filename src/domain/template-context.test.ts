import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '#lib/errors.ts';
import type { ContainerSpec } from './spec.ts';
import { expandContainerSpec, expandPayload, type TemplateTask } from './template-context.ts';
import { taskName } from './task-name.ts';

const node = { hostname: 'host-a', platform: { os: 'linux', architecture: 'x86_64' } };

function taskOf(container: Partial<ContainerSpec>, fields: Partial<TemplateTask> = {}): TemplateTask {
  return {
    id: 'task1',
    serviceId: 'service1',
    serviceName: 'web',
    serviceLabels: { tier: 'front', 'com.example.a': 'b' },
    slot: 2,
    nodeId: 'node1',
    spec: { runtime: { kind: 'container', container: { image: 'i', ...container } }, forceUpdate: 0 },
    ...fields,
  };
}

test('env, hostname and mounts are expanded for service, node and task', () => {
  const task = taskOf({
    hostname: '{{.Service.Name}}-{{.Task.Slot}}-{{.Node.Hostname}}',
    env: [
      'A={{.Service.ID}}/{{.Node.ID}}/{{.Task.ID}}',
      'B={{.Task.Name}}={{.Node.Platform.OS}}',
      'C={{index .Service.Labels "com.example.a"}}',
      'D',
      '{{.E}}',
      'F={{.Service.Labels.tier}}',
    ],
    mounts: [
      {
        type: 'volume',
        source: 'v-{{.Task.Slot}}',
        target: '/{{.Service.Name}}',
        volume: { labels: { k: '{{.Node.ID}}' }, driver: { name: 'd', options: { o: '{{.Task.ID}}' } } },
      },
    ],
  });
  const expanded = expandContainerSpec(task, node);
  assert.equal(expanded.hostname, 'web-2-host-a');
  assert.deepEqual(expanded.env, ['A=service1/node1/task1', 'B=web.2.task1=linux', 'C=b', 'D', '{{.E}}', 'F=front']);
  assert.deepEqual(expanded.mounts, [
    { type: 'volume', source: 'v-2', target: '/web', volume: { labels: { k: 'node1' }, driver: { name: 'd', options: { o: 'task1' } } } },
  ]);
});

test('a spec without templates comes back as it is', () => {
  const task = taskOf({ env: ['A=1'] });
  assert.equal(expandContainerSpec(task, node), task.spec.runtime.kind === 'container' ? task.spec.runtime.container : undefined);
});

test("a task without a slot carries its node's id", () => {
  const { slot: _slot, ...global } = taskOf({ env: ['A={{.Task.Slot}}'] });
  assert.equal(taskName(global), 'web.node1.task1');
  assert.deepEqual(expandContainerSpec(global, node).env, ['A=node1']);
  assert.equal(taskName({ ...global, slot: 0 }), 'web.node1.task1');
});

test("a bad template says what could not be expanded, in SwarmKit's words", () => {
  const cases: readonly (readonly [Partial<ContainerSpec>, string])[] = [
    [{ env: ['A={{.Bad'] }, 'expanding env failed: expanding env "A={{.Bad": template: expansion:1: unclosed action'],
    [
      { env: ['A={{.Nope.X}}'] },
      'expanding env failed: expanding env "A={{.Nope.X}}": template: expansion:1:7: executing "expansion" at <.Nope.X>: can\'t evaluate field Nope in type *template.Context',
    ],
    [
      { hostname: '{{.Node.Bad}}' },
      'expanding hostname failed: template: expansion:1:7: executing "expansion" at <.Node.Bad>: can\'t evaluate field Bad in type struct { ID string; Hostname string; Platform template.Platform }',
    ],
    [
      { mounts: [{ type: 'volume', source: '{{', target: '/a' }] },
      'expanding mounts failed: expanding mount source "{{": template: expansion:1: unclosed action',
    ],
  ];
  for (const [container, message] of cases) {
    assert.throws(
      () => expandContainerSpec(taskOf(container), node),
      (error) => error instanceof AppError && error.message === message,
    );
  }
});

test('payloads see secrets, configs and env by target, and keep every other byte', () => {
  const file = (name: string) => ({ name, uid: '0', gid: '0', mode: 0o444 });
  const task = taskOf({
    env: ['NAME=value=é'],
    secrets: [{ secretId: 's1', secretName: 'pw', file: file('password') }],
    configs: [{ configId: 'c1', configName: 'cf', target: { kind: 'file', file: file('/etc/c') } }],
  });
  const dependencies = {
    secret: (id: string) => (id === 's1' ? Uint8Array.of(0xff, 0x00, 0x41) : undefined),
    config: (id: string) => (id === 'c1' ? Buffer.from('ü') : undefined),
  };
  const source = Buffer.concat([
    Buffer.from([0xfe, 0x80]),
    Buffer.from('é{{secret "password"}}{{config "/etc/c"}}{{env "NAME"}}{{env "NONE"}}{{.Service.Name}}'),
  ]);
  const expected = Buffer.concat([Buffer.from([0xfe, 0x80]), Buffer.from('é'), Buffer.from([0xff, 0x00, 0x41]), Buffer.from('üvalue=éweb')]);
  assert.deepEqual(Buffer.from(expandPayload(source, { name: 'golang' }, task, node, dependencies)), expected);
  assert.equal(expandPayload(source, undefined, task, node, dependencies), source);
  const render = (text: string) => () => expandPayload(Buffer.from(text), { name: 'golang' }, task, node, dependencies);
  assert.throws(render('{{secret "x"}}'), /error calling secret: secret target x not found$/);
  assert.throws(render('{{config "x"}}'), /error calling config: config target x not found$/);
  assert.throws(() => expandPayload(source, { name: 'other' }, task, node, dependencies), /unrecognized template type/);
});
