import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { convertText, failureOf, loadText, readerOf } from '../testing/files.ts';
import { readContents } from './contents.ts';
import { convertProject } from './convert.ts';

describe('a stack', () => {
  it('names and labels things as Docker does', () => {
    const stack = convertText(
      'services: {web: {image: x, labels: [c=1], deploy: {labels: [s=1]}, networks: [n]}}\nnetworks: {n: {labels: [l=1]}}\nvolumes: {v: {driver: d}}\nsecrets: {s: {file: ./s, labels: [l=1]}}',
    );
    const [service] = stack.services;
    assert.ok(service?.spec.task.runtime.kind === 'container');
    assert.deepEqual(
      [service.key, service.spec.name, service.spec.labels, service.spec.task.runtime.container.labels],
      ['web', 'app_web', { s: '1', 'com.docker.stack.namespace': 'app', 'com.docker.stack.image': 'x' }, { c: '1', 'com.docker.stack.namespace': 'app' }],
    );
    assert.deepEqual(
      stack.networks.map(({ spec }) => [spec.name, spec.labels, spec.driver]),
      [['app_n', { l: '1', 'com.docker.stack.namespace': 'app' }, { name: 'overlay' }]],
    );
    assert.deepEqual(stack.volumes, [{ key: 'v', name: 'app_v', external: false, driver: { name: 'd' }, labels: { 'com.docker.stack.namespace': 'app' } }]);
    assert.deepEqual(stack.secrets, [
      { key: 's', name: 'app_s', labels: { l: '1', 'com.docker.stack.namespace': 'app' }, source: { kind: 'file', path: '/project/s' } },
    ]);
  });
  it('has services on the default network unless they name others; each is known there by its key', () => {
    const stack = convertText('services: {a: {image: x}, b: {image: x, networks: {n: {aliases: [z]}, default: }}}\nnetworks: {n: , unused: }');
    assert.deepEqual(
      stack.services.map(({ spec }) => spec.task.networks),
      [
        [{ target: 'app_default', aliases: ['a'] }],
        [
          { target: 'app_default', aliases: ['b'] },
          { target: 'app_n', aliases: ['z', 'b'] },
        ],
      ],
    );
    assert.deepEqual(
      stack.networks.map(({ spec }) => spec.name),
      ['app_default', 'app_n'],
    );
  });
  it('refers to a credential spec in a config', () => {
    const stack = convertText('services: {a: {image: x, credential_spec: {config: c}}}\nconfigs: {c: {file: ./c}}');
    const runtime = stack.services[0]?.spec.task.runtime;
    assert.ok(runtime?.kind === 'container');
    assert.deepEqual(
      [runtime.container.privileges?.credentialSpec?.config, runtime.container.configs],
      ['app_c', [{ configId: '', configName: 'app_c', target: { kind: 'runtime' } }]],
    );
  });
  it('leaves out a service that is another program’s, with a warning', () => {
    const stack = convertText('services: {a: {image: x}, b: {provider: {type: other}}}');
    assert.deepEqual([stack.services.map(({ key }) => key), stack.warnings.map(({ name }) => name)], [['a'], ['provider']]);
  });
  it('takes what engines can do, and warns of what joins another container', () => {
    const stack = convertText('services: {a: {image: x, privileged: true, ipc: host, pid: "service:b"}, b: {image: x}}');
    assert.deepEqual(
      stack.warnings.map(({ name }) => name),
      ['pid'],
    );
    const { runtime } = stack.services[0]?.spec.task ?? {};
    assert.deepEqual(runtime?.kind === 'container' && runtime.container.labels, {
      'com.docker.skep.engine.ipc': 'host',
      'com.docker.skep.engine.privileged': 'true',
      'com.docker.stack.namespace': 'app',
    });
  });
  it('shows where a value stands that no engine could take', () => {
    const fails = (text: string) => failureOf(() => convertText(`services:\n  a:\n    image: x\n    ${text}`));
    assert.match(fails('ipc: hosts') ?? '', /compose.yml:4:\d+: service a: ipc: "hosts" is not one of none, private, shareable, host/);
    assert.match(fails('devices: ["fuse"]') ?? '', /"fuse" is not a device such as/);
    assert.match(fails('cpuset: 0-') ?? '', /"0-" is not a list of CPUs/);
  });
  it('has no networks for a service that wants none', () => {
    const stack = convertText('services: {a: {image: x, network_mode: none}}');
    assert.deepEqual([stack.networks, stack.services[0]?.spec.task.networks], [[], undefined]);
  });
  it('refuses names that the daemon would refuse in the middle of a deploy', () => {
    assert.equal(
      failureOf(() => convertText('services:\n  a.b: {image: x}')),
      'compose.yml:2:8: the service\'s name app_a.b cannot be one in DNS: only letters, digits, "_" and "-", and a letter or digit at both ends',
    );
    const network = (rest: string) => `services: {a: {image: x, networks: [n.m]}}\nnetworks: {n.m: ${rest}}`;
    assert.match(
      failureOf(() => convertText(network('{}'))),
      /^compose\.yml:2:\d+: the network's name app_n\.m cannot be one in DNS: .*; give it another one with `name`$/,
    );
    for (const rest of ['{name: nm}', '{external: true}']) assert.equal(convertText(network(rest)).networks.length, 1);
  });

  it('of a project with its variables still in it is refused', () => {
    assert.throws(() => convertText('services: {a: {image: x}}', { interpolate: false }), /variables were not replaced/);
  });
  it('reads what secrets and configs hold only on demand', () => {
    const files = { 'compose.yml': 'secrets: {s: {file: ./s}}', s: 'x' };
    const stack = convertText(files);
    assert.equal(stack.secrets[0]?.data, undefined);
    assert.equal(readContents(stack, { reader: readerOf(files), variable: () => undefined }).secrets[0]?.data, 'eA==');
    assert.equal(
      failureOf(() => readContents(stack, { reader: readerOf({}), variable: () => undefined })),
      'open /project/s: no such file or directory',
    );
  });
});

describe('a mistake in a service', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['{hostname: h}', 'compose.yml:1:15: invalid image reference for service a: no image specified'],
    [
      '{build: .}',
      'compose.yml:1:15: invalid image reference for service a: no image specified (nodes cannot build one: build it, push it, and name it with `image`)',
    ],
    ['{image: "A B"}', 'compose.yml:1:23: invalid image reference for service a: invalid reference format: repository name (library/A B) must be lowercase'],
    ['{image: "a b"}', 'compose.yml:1:23: invalid image reference for service a: invalid reference format'],
    ['{image: x, networks: [n]}', 'compose.yml:1:37: service a: undefined network "n"'],
    ['{image: x, secrets: [s]}', 'compose.yml:1:36: service a: undefined secret "s"'],
    ['{image: x, configs: [c]}', 'compose.yml:1:36: service a: undefined config "c"'],
    ['{image: x, volumes: ["vv:/v"]}', 'compose.yml:1:36: undefined volume "vv"'],
    ['{image: x, volumes: [{type: bind, target: /t}]}', 'compose.yml:1:36: invalid mount config for type "bind": field Source must not be empty'],
    ['{image: x, volumes: [{type: tmpfs, target: /t, source: s}]}', 'compose.yml:1:36: invalid tmpfs source, source must be empty'],
    ['{image: x, deploy: {mode: many}}', 'compose.yml:1:41: service a: Unknown mode: many'],
    ['{image: x, deploy: {mode: global, replicas: 2}}', 'compose.yml:1:59: service a: replicas can only be used with replicated or replicated-job mode'],
    ['{image: x, scale: 3, deploy: {replicas: 2}}', "compose.yml:1:33: service a: can't set distinct values on 'scale' and 'deploy.replicas'"],
    ['{image: x, deploy: {replicas: -1}}', "compose.yml:1:45: cannot parse 'Deploy.Replicas', -1 overflows uint"],
    ['{image: x, restart: maybe}', 'compose.yml:1:35: service a: unknown restart policy: maybe'],
    ['{image: x, healthcheck: {test: a, disable: true}}', "compose.yml:1:39: service a: test and disable can't be set at the same time"],
    ['{image: x, deploy: {restart_policy: {condition: maybe}}}', 'compose.yml:1:63: invalid RestartCondition: "maybe"'],
    ['{image: x, memswap_limit: 5m}', 'compose.yml:1:41: service a: memswap_limit needs a memory limit'],
    ['{image: x, cpus: "1.0000000001"}', 'compose.yml:1:15: value is too precise'],
    ['{image: x, ports: [{published: 80}]}', 'compose.yml:1:34: service a: a port has no target'],
    ['{image: x, credential_spec: {file: a, registry: b}}', 'compose.yml:1:43: invalid credential spec: cannot specify both "file" and "registry"'],
  ];
  for (const [body, message] of cases)
    it(`${body} is told with its place`, () =>
      assert.equal(
        failureOf(() => convertText(`services: {a: ${body}}`)),
        message,
      ));

  it('a blank name of the stack is refused', () =>
    assert.equal(
      failureOf(() => convertProject(loadText('{}'), ' ')),
      'invalid stack name: " "',
    ));
  it('a secret needs exactly one source', () => {
    assert.equal(
      failureOf(() => convertText('secrets: {s: {}}')),
      'compose.yml:1:14: secrets.s: one of file, environment, driver or external must be set',
    );
    assert.equal(
      failureOf(() => convertText('configs: {c: {file: ./c, content: x}}')),
      'compose.yml:1:14: configs.c: file and content cannot be set at the same time',
    );
  });
});

it('restart: no means it', () =>
  assert.deepEqual(convertText('services: {a: {image: x, restart: no}}').services[0]?.spec.task.restart, { condition: 'none', maxAttempts: 0 }));
