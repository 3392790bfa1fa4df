import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { convertProject } from '../convert/convert.ts';
import { readContents } from '../convert/contents.ts';
import type { ExistingObjects, PlanOptions, StackPlan } from '../plan-types.ts';
import { type Files, loadText, readerOf } from '../testing/files.ts';
import { exportStack } from '../export/export.ts';
import { printProject } from '../print.ts';
import { planStack } from './plan.ts';
import { DIGEST_LABEL, LOGICAL_NAME_LABEL } from './versions.ts';

const SALT = '000102030405060708090a0b0c0d0e0f';
const empty: ExistingObjects = { services: [], networks: [], secrets: [], configs: [] };

function plan(files: Files | string, existing: ExistingObjects = empty, options: Partial<PlanOptions> = {}): StackPlan {
  const all = typeof files === 'string' ? { 'compose.yml': files } : files;
  const loaded = loadText(all);
  return planStack(readContents(convertProject(loaded, 'app'), { reader: readerOf(all), variable: loaded.variable }), existing, { salt: SALT, ...options });
}

/** What is there once a plan was carried out; ids are names. Old versions are collected. */
function carryOut({ services, networks, secrets, configs }: StackPlan, before: ExistingObjects = empty): ExistingObjects {
  const apply = <T extends { readonly id: string; readonly spec: { readonly name: string } }>(
    old: readonly T[],
    steps: readonly { readonly action: string; readonly name: string; readonly spec?: T['spec'] }[],
  ): readonly T[] => {
    const gone = new Set(steps.filter(({ action }) => action === 'collect' || action === 'remove').map(({ name }) => name));
    const written = steps.flatMap((step): T[] => (step.spec ? [{ id: `id-${step.name}`, spec: step.spec } as T] : []));
    const kept = old.filter(({ spec }) => !gone.has(spec.name) && !written.some((one) => one.spec.name === spec.name));
    return [...kept, ...written];
  };
  const previous = new Map(before.services.map(({ spec }) => [spec.name, spec]));
  return {
    networks: apply(before.networks, networks),
    secrets: apply(before.secrets, secrets),
    configs: apply(before.configs, configs),
    services: apply(before.services, services).map((service) => {
      const old = previous.get(service.spec.name);
      return old !== undefined && old !== service.spec ? { ...service, previousSpec: old } : service;
    }),
  };
}

const actions = (result: StackPlan) =>
  Object.fromEntries(
    (['networks', 'secrets', 'configs', 'services'] as const).map((kind) => [kind, result[kind].map(({ action, name }) => `${action} ${name}`)]),
  );

describe('a plan', () => {
  const text = 'services: {a: {image: x, ports: ["80:80"]}, b: {image: y}}';
  it('creates what is not there', () => {
    assert.deepEqual(actions(plan(text)), { networks: ['create app_default'], secrets: [], configs: [], services: ['create app_a', 'create app_b'] });
  });
  it('leaves alone what is as wanted, however often it is made', () => {
    const there = carryOut(plan(text));
    assert.deepEqual(actions(plan(text, there)), {
      networks: ['unchanged app_default'],
      secrets: [],
      configs: [],
      services: ['unchanged app_a', 'unchanged app_b'],
    });
  });
  it('names the fields that change, and whether tasks are replaced', () => {
    const there = carryOut(plan(text));
    const [a, b] = plan('services: {a: {image: "x:2", ports: ["80:80"]}, b: {image: y, deploy: {replicas: 3, labels: {l: v}}}}', there).services;
    assert.ok(a?.action === 'update' && b?.action === 'update');
    assert.deepEqual(a.changes, [
      { path: 'labels.com.docker.stack.image', before: 'x', after: 'x:2' },
      { path: 'task.runtime.container.image', before: 'x', after: 'x:2' },
    ]);
    assert.deepEqual(b.changes, [
      { path: 'labels.l', after: 'v' },
      { path: 'mode.replicas', before: '1', after: '3' },
    ]);
    assert.deepEqual([a.restarts, b.restarts], [true, false]);
  });
  it('keeps the digest and the platforms that were found for an image that is written as before', () => {
    const made = carryOut(plan('services: {a: {image: x}}'));
    const services = made.services.map(({ id, spec }) => {
      const { runtime } = spec.task;
      assert.ok(runtime.kind === 'container');
      const pinned = { kind: 'container' as const, container: { ...runtime.container, image: `x@sha256:${'a'.repeat(64)}` } };
      return {
        id,
        spec: { ...spec, task: { ...spec.task, runtime: pinned, placement: { platforms: [{ os: 'linux', architecture: 'amd64' }] }, forceUpdate: 4 } },
      };
    });
    assert.deepEqual(actions(plan('services: {a: {image: x}}', { ...made, services }))['services'], ['unchanged app_a']);
    const [forced] = plan('services: {a: {image: x}}', { ...made, services }, { force: true }).services;
    assert.ok(forced?.action === 'update');
    assert.deepEqual([forced.changes, forced.restarts], [[{ path: 'task.forceUpdate', before: '4', after: '5' }], true]);
  });
  it('removes services that are gone only when it may, and never those of others', () => {
    const there = carryOut(plan(text));
    const foreign = there.services.map(({ id, spec }) => ({ id, spec: { ...spec, name: 'other_c', labels: { 'com.docker.stack.namespace': 'other' } } }));
    const existing = { ...there, services: [...there.services, ...foreign.slice(0, 1)] };
    const shorter = 'services: {a: {image: x, ports: ["80:80"]}}';
    assert.deepEqual(actions(plan(shorter, existing))['services'], ['unchanged app_a']);
    assert.deepEqual(actions(plan(shorter, existing, { prune: true }))['services'], ['unchanged app_a', 'remove app_b']);
  });
  it('looks only at the services that are named', () => {
    assert.deepEqual(actions(plan('services: {a: {image: x, networks: [n]}, b: {image: y}}\nnetworks: {n: }', empty, { services: ['a'] })), {
      networks: ['create app_n'],
      secrets: [],
      configs: [],
      services: ['create app_a'],
    });
    assert.deepEqual(plan(text, empty, { services: ['z'] }).problems, ['no such service in the stack: z']);
  });
  it('says in Docker’s words what is missing', () => {
    const result = plan(
      'services: {a: {image: x, networks: [n, h], secrets: [s], configs: [c]}}\nnetworks: {n: {external: true}, h: {external: true, name: host}}\nsecrets: {s: {external: true}}\nconfigs: {c: {external: true}}',
    );
    assert.deepEqual(result.problems, [
      'service a: secret not found: s',
      'service a: config not found: c',
      'network "n" is declared as external, but could not be found. You need to create a swarm-scoped network before the stack is deployed',
    ]);
  });
  it('never changes a network, but says what would differ', () => {
    const there = carryOut(plan('services: {a: {image: x, networks: [n]}}\nnetworks: {n: }'));
    const [step] = plan('services: {a: {image: x, networks: [n]}}\nnetworks: {n: {internal: true, driver_opts: {o: 1}}}', there).networks;
    assert.deepEqual(step, { action: 'unchanged', name: 'app_n', id: 'id-app_n', differs: ['internal', 'options.o'] });
  });
});

describe('configs and secrets that change', () => {
  const files = (content: string): Files => ({
    'compose.yml': 'services: {a: {image: x, configs: [c], secrets: [s]}, b: {image: y}}\nconfigs: {c: {file: ./f}}\nsecrets: {s: {file: ./f}}',
    f: content,
  });

  it('begin with the name that Docker gives them; a secret’s label does not tell its content to a guesser in a hurry', () => {
    const first = plan(files('one'));
    assert.deepEqual([actions(first)['configs'], actions(first)['secrets']], [['create app_c'], ['create app_s']]);
    const [config] = first.configs;
    const [secret] = first.secrets;
    assert.ok(config?.action === 'create' && secret?.action === 'create');
    assert.deepEqual(config.spec.labels, { 'com.docker.stack.namespace': 'app' });
    assert.match(secret.spec.labels[DIGEST_LABEL] ?? '', new RegExp(`^scrypt:${SALT}:[0-9a-f]{64}$`));
  });

  it('get a new version under the same logical name, and the services that use them roll', () => {
    const there = carryOut(plan(files('one')));
    const second = plan(files('two'), there, { salt: 'ff'.repeat(16) });
    const [config] = second.configs;
    const [secret] = second.secrets;
    assert.ok(config?.action === 'create' && secret?.action === 'create');
    assert.match(config.name, /^app_c-[0-9a-f]{10}$/);
    assert.deepEqual([config.logicalName, config.replaces, config.spec.labels[LOGICAL_NAME_LABEL]], ['app_c', 'app_c', 'app_c']);
    assert.ok(secret.spec.labels[DIGEST_LABEL]?.startsWith(`scrypt:${SALT}:`), 'the salt of the earlier version is used again');
    const [a, b] = second.services;
    assert.ok(a?.action === 'update' && a.restarts);
    const { runtime } = a.spec.task;
    assert.ok(runtime.kind === 'container');
    assert.deepEqual([runtime.container.configs?.[0]?.configName, runtime.container.secrets?.[0]?.secretName], [config.name, secret.name]);
    assert.deepEqual([runtime.container.configs?.[0]?.target.kind, b?.action], ['file', 'unchanged']);
  });

  it('stay while a service could be rolled back to them, and go afterwards', () => {
    const one = carryOut(plan(files('one')));
    const second = plan(files('two'), one);
    assert.ok(second.configs.every(({ action }) => action !== 'collect'));
    const two = carryOut(second, one);
    const third = plan(files('three'), two);
    assert.deepEqual(
      third.configs.map(({ action }) => action),
      ['create'],
      'the first version is the previous one still',
    );
    const three = carryOut(third, two);
    const fourth = plan(files('three'), three);
    assert.deepEqual(
      fourth.configs.map(({ action, name }) => [action, name === 'app_c']),
      [
        ['unchanged', false],
        ['collect', true],
      ],
    );
    assert.deepEqual(
      fourth.secrets.map(({ action, name }) => [action, name === 'app_s']),
      [
        ['unchanged', false],
        ['collect', true],
      ],
    );
  });

  it('return to an earlier version that is still there instead of making it again', () => {
    const one = carryOut(plan(files('one')));
    const two = carryOut(plan(files('two'), one), one);
    const back = plan(files('one'), two);
    assert.deepEqual([back.configs[0]?.action, back.configs[0]?.name, back.secrets[0]?.name], ['unchanged', 'app_c', 'app_s']);
    assert.equal(back.services[0]?.action, 'update');
  });

  it('only get other labels when only labels change', () => {
    const there = carryOut(plan(files('one')));
    const labelled = { ...files('one'), 'compose.yml': files('one')['compose.yml']?.replaceAll('file: ./f', 'file: ./f, labels: {l: v}') ?? '' };
    const result = plan(labelled, there);
    assert.deepEqual(actions(result), {
      networks: ['unchanged app_default'],
      secrets: ['update app_s'],
      configs: ['update app_c'],
      services: ['unchanged app_a', 'unchanged app_b'],
    });
    const [secret] = result.secrets;
    assert.ok(secret?.action === 'update' && secret.spec.labels[DIGEST_LABEL] !== undefined, 'the digest stays');
  });

  it('that Docker’s CLI made: a config is known by its content, a secret gets a version of ours', () => {
    const { services, ...made } = carryOut(plan(files('one')));
    const bare = made.secrets.map(({ id, spec }) => ({ id, spec: { name: spec.name, labels: { 'com.docker.stack.namespace': 'app' } } }));
    const result = plan(files('one'), { ...made, secrets: bare, services });
    assert.deepEqual([result.configs[0]?.action, result.secrets[0]?.action], ['unchanged', 'create']);
  });

  it('are exported under their logical names, and nothing changes when that is deployed', () => {
    const one = carryOut(plan(files('one')));
    const two = carryOut(plan(files('two'), one), one);
    const exported = exportStack('app', two);
    assert.deepEqual(exported.project.configs, { c: { content: 'two' } });
    const result = plan(printProject(exported), two);
    assert.deepEqual([result.problems, result.services.map(({ action }) => action)], [[], ['unchanged', 'unchanged']]);
  });

  it('with long names still fit', () => {
    const key = 'k'.repeat(60);
    const long = (content: string) => ({ 'compose.yml': `services: {a: {image: x}}\nconfigs: {${key}: {content: ${content}}}` });
    const [step] = plan(long('two'), carryOut(plan(long('one')))).configs;
    assert.deepEqual([step?.name.length, step?.action], [64, 'create']);
  });
});
