import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { type LoadedProject, loadProject } from './load/load.ts';
import type { Project } from './project.ts';
import { imageNames, printProject, profileNames, serviceNames, toYaml, volumeNames } from './print.ts';
import { loadText, readerOf } from './testing/files.ts';
import { parseYaml } from './yaml/parse.ts';
import { toPlain } from './yaml/node.ts';

/** What is printed says a version, because Docker's output does, and no environment files: what they say is in it. */
function comparable({ project }: LoadedProject): Project {
  const { version: _version, services, ...others } = project;
  return { ...others, services: Object.fromEntries(Object.entries(services).map(([key, { env_file: _files, ...service }]) => [key, service])) };
}

const full = `
name: shop
services:
  web:
    image: "web:\${TAG:-1}"
    command: sh -c 'echo "$$HOME"'
    env_file: [web.env]
    environment: [A=1, B, "C=yes"]
    depends_on: {db: {condition: service_healthy}}
    networks: {front: {aliases: [www]}, back: }
    ports: ["127.0.0.1:80:80", "8000-8001:80-81/udp", 9]
    volumes: [data:/data:ro, ./src:/src, /anonymous]
    secrets: [key, {source: key, target: other, mode: 0400}]
    healthcheck: {test: curl localhost, interval: 90s}
    deploy: {replicas: 2, update_config: {}, resources: {limits: {cpus: 0.5, memory: 64M}}}
    ulimits: {nofile: {soft: 1, hard: 2}}
    x-note: "$$kept"
  db: {image: db, labels: {"y": "no", "date": 2001-01-01, "multi": "a\\nb\\n"}}
networks: {front: , back: {internal: true}}
volumes: {data: }
secrets: {key: {file: ./key}}
x-top: {a: $untouched}
`;

describe('what is printed', () => {
  const load = (text: string) => loadText({ 'compose.yml': text, 'web.env': 'B=$$notpart\nD=d' });
  it('is printed the same when it is loaded again', () => {
    const first = printProject(load(full));
    const again = load(first);
    assert.deepEqual(comparable(again), comparable(load(full)));
    assert.equal(printProject(again), first);
  });
  it('has a version that docker reads', () => {
    for (const [written, printed] of [
      ['2.4', '3.13'],
      ['3.8', '3.8'],
      ['"3"', '3.13'],
      ['99', '3.13'],
    ])
      assert.match(printProject(loadText({ 'compose.yml': `version: ${written}\nservices: {a: {image: x}}` })), new RegExp(`^version: "${printed}"$`, 'm'));
  });
  it('needs none of the files that variables and labels came from', () => {
    const text = 'services: {a: {image: x, env_file: [{path: e, format: raw}, {path: none, required: false}], label_file: l}}';
    const printed = printProject(loadText({ 'compose.yml': text, e: 'A="q"', l: 'B=c' }));
    assert.doesNotMatch(printed, /_file/);
    assert.deepEqual(loadText({ 'compose.yml': printed }).project.services['a'], { image: 'x', environment: { A: '"q"' }, labels: { B: 'c' } });
  });
  it('is the same in JSON', () => {
    const json = printProject(load(full), { format: 'json' });
    assert.deepEqual(comparable(load(json)), comparable(load(full)));
    assert.equal(printProject(load(json)), printProject(load(full)));
  });
  it('has every dollar twice, but not what was never a template', () => {
    const shown = parse(printProject(load(full))) as { services: { web: { command: string[]; 'x-note': string } }; 'x-top': unknown };
    assert.deepEqual([shown.services.web.command[2], shown.services.web['x-note'], shown['x-top']], ['echo "$$HOME"', '$$kept', { a: '$untouched' }]);
  });
  it('has the variables where they were, on demand, and can still be loaded', () => {
    const raw = printProject(loadText('services: {a: {image: "x:${TAG:-1}", deploy: {replicas: "${N}"}, command: echo $$X}}', { interpolate: false }));
    assert.match(raw, /image: x:\$\{TAG:-1\}/);
    assert.deepEqual(loadText(raw, { environment: { N: '2' } }).project.services['a'], { command: ['echo', '$X'], deploy: { replicas: 2 }, image: 'x:1' });
  });
  it('can be listed', () => {
    const { project } = loadText('services: {b: {image: x}, a: {image: y, profiles: [q, p]}, c: {image: x}}\nvolumes: {v: , u: }', { profiles: ['*'] });
    assert.deepEqual(
      [serviceNames(project), imageNames(project), volumeNames(project), profileNames(project)],
      [
        ['a', 'b', 'c'],
        ['y', 'x'],
        ['u', 'v'],
        ['p', 'q'],
      ],
    );
  });
});

describe('YAML as it is printed', () => {
  it('is read back by us and by others, whatever the text', () => {
    const odd = fc.constantFrom(
      'yes',
      'n',
      '1:20',
      '0440',
      '1e3',
      '<<',
      '=',
      '~',
      'null',
      '2001-01-01',
      '- a',
      '#x',
      'a: b',
      "it's",
      '"q"',
      ' lead',
      'trail ',
      'a\nb',
      '\n',
      '',
      '$x',
      '@a',
      '*a',
      '&a',
      '!t',
      '%d',
      '.inf',
      '0x1f',
      '1_000',
      'true',
      '\t',
      'a\n ',
      'é\u2028',
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.oneof(odd, fc.string({ minLength: 1 })), fc.oneof(odd, fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(null)), {
          noNullPrototype: true,
        }),
        (value) => {
          fc.pre(Object.keys(value).length > 0);
          const text = toYaml(value);
          assert.deepEqual(toPlain(parseYaml(text, 'f.yml')), value);
        },
      ),
    );
  });
});

// Projects from a small grammar of everything that can be said in two ways.
const name = fc.constantFrom('aa', 'bb', 'cc');
const service = fc.record(
  {
    image: fc.constantFrom('x', 'x:1', 'r.example:5000/x@sha256:' + 'a'.repeat(64)),
    command: fc.oneof(fc.constantFrom('echo "a b"', ''), fc.array(fc.string(), { maxLength: 3 })),
    environment: fc.oneof(
      fc.dictionary(name, fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)), { noNullPrototype: true }),
      fc.array(fc.constantFrom('A=1', 'B', 'C==', 'A=2'), { maxLength: 3 }),
    ),
    ports: fc.array(
      fc.constantFrom<unknown>(
        '80',
        '80:80',
        '1-2:3-4/udp',
        '127.0.0.1:5:6',
        7,
        { target: 8, published: '9', mode: 'host' },
        { target: 1, name: 'n', app_protocol: 'http' },
      ),
      { maxLength: 4 },
    ),
    volumes: fc.array(
      fc.constantFrom<unknown>('aa:/x', './r:/y:ro,rshared', '/anon', '/h:/z:z', { type: 'tmpfs', target: '/t', tmpfs: { size: '1m', mode: '01777' } }),
      { maxLength: 3 },
    ),
    networks: fc.oneof(
      fc.array(name, { maxLength: 3 }),
      fc.dictionary(name, fc.constantFrom<unknown>(null, { aliases: ['q'] }, { ipv4_address: '1.2.3.4' }), { noNullPrototype: true }),
    ),
    stop_grace_period: fc.constantFrom('90s', '1m30s', '0s', '1.5s'),
    tty: fc.constantFrom<unknown>(true, false, 'yes'),
    labels: fc.oneof(fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { noNullPrototype: true, maxKeys: 3 }), fc.constantFrom(['a=b', 'c'])),
    healthcheck: fc.constantFrom<unknown>({ test: 'a b' }, { test: ['CMD', 'a'], interval: '61s', retries: '3' }, { disable: true }, {}),
    deploy: fc.constantFrom<unknown>(
      {},
      { replicas: '2' },
      { mode: 'global' },
      { resources: { limits: { cpus: 0.5, memory: '1g' }, reservations: {} } },
      { update_config: {}, restart_policy: { delay: '5s' } },
    ),
    init: fc.boolean(),
    extra_hosts: fc.constantFrom<unknown>({ h: '::1' }, ['a=1.1.1.1', 'b:2.2.2.2']),
    ulimits: fc.constantFrom<unknown>({ nofile: 5, nproc: { soft: '1', hard: 2 } }),
    gpus: fc.constantFrom<unknown>('all', [{ count: 1 }]),
  },
  { requiredKeys: ['image'], noNullPrototype: true },
);

it('any project is printed the same when it is loaded again', () => {
  fc.assert(
    fc.property(fc.dictionary(name, service, { minKeys: 1, noNullPrototype: true }), (services) => {
      const load = (text: string) => loadProject({ files: ['c.yml'], workingDirectory: '/project', environment: {}, reader: readerOf({ 'c.yml': text }) });
      // A dollar in generated text is not meant as a variable.
      const source = JSON.stringify({ services }).replaceAll('$', '$$$$');
      const first = load(source);
      const printed = printProject(first);
      assert.deepEqual(comparable(load(printed)), comparable(first));
      assert.equal(printProject(load(printed)), printed);
    }),
  );
});
