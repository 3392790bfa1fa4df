import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { convertProject } from '../convert/convert.ts';
import { printProject } from '../print.ts';
import { failureOf, loadText, serviceOf } from '../testing/files.ts';

const notices = (files: Parameters<typeof loadText>[0], options = {}) => loadText(files, options).warnings.map(({ message }) => message);

describe('variables', () => {
  it('come from the environment, then from .env beside the first file', () => {
    const files = { 'compose.yml': 'services: {a: {image: "x:${TAG}-${REV}"}}', '.env': 'TAG=file\nREV=${TAG}1' };
    assert.equal(loadText(files).project.services['a']?.image, 'x:file-file1');
    assert.equal(loadText(files, { environment: { TAG: 'env' } }).project.services['a']?.image, 'x:env-env1');
  });
  it('come from the files that are named instead of .env, the last one first', () => {
    const files = { 'compose.yml': 'services: {a: {image: "x:${TAG}"}}', '.env': 'TAG=unused', one: 'TAG=1', two: 'TAG=2' };
    assert.equal(loadText(files, { envFiles: ['one', 'two'] }).project.services['a']?.image, 'x:2');
    assert.equal(
      failureOf(() => loadText(files, { envFiles: ['three'] })),
      "couldn't find env file: /project/three",
    );
  });
  it('that are not set are told once, in Docker’s words', () => {
    assert.deepEqual(notices('services: {a: {image: "x:$V", hostname: "$V${W:-}"}}'), ['The "V" variable is not set. Defaulting to a blank string.']);
  });
  it('are not looked for in keys, in the version, and in x- fields', () => {
    const { project } = loadText('x-a: $V\nservices: {a: {image: x, labels: {"${V}": "$$v"}}}');
    assert.deepEqual([project['x-a'], project.services['a']?.labels], ['$V', { '${V}': '$v' }]);
  });
  it('that are required stop the load with file, line and message', () => {
    const text = 'services:\n  a:\n    image: ${TAG:?set it}\n';
    assert.equal(
      failureOf(() => loadText(text)),
      'compose.yml:3:12: invalid interpolation format for services.a.image: "required variable TAG is missing a value: set it"; you may need to escape any $ with another $',
    );
  });
  it('fill numbers and booleans too', () => {
    const service = serviceOf('{image: x, tty: "$T", deploy: {replicas: "${N}", resources: {limits: {pids: "$N"}}}}', { environment: { T: 'yes', N: '3' } });
    assert.deepEqual([service.tty, service.deploy], [true, { replicas: 3, resources: { limits: { pids: 3 } } }]);
  });
  it('stay in place on demand, also where a number is wanted', () => {
    const { project, interpolated } = loadText('services: {a: {image: "x:$T", ports: ["$P:80"], deploy: {replicas: "${N:-3}"}}}', { interpolate: false });
    assert.deepEqual([interpolated, project.services['a']], [false, { deploy: { replicas: '${N:-3}' }, image: 'x:$T', ports: ['$P:80'] }]);
  });
});

describe('a service’s environment', () => {
  it('has its files below what is written, later files over earlier ones', () => {
    const files = {
      'compose.yml': 'services: {a: {image: x, env_file: [one.env, {path: two.env}, {path: none.env, required: false}], environment: [C=own, D, E]}}',
      'one.env': 'A=1\nB=1\nC=1',
      'two.env': 'B=2\nF="q"\nG',
    };
    const { environment } = loadText(files, { environment: { D: 'shell', G: 'g' } }).project.services['a'] ?? {};
    assert.deepEqual(environment, { A: '1', B: '2', C: 'own', D: 'shell', E: null, F: 'q', G: 'g' });
  });
  it('has raw files as they are', () => {
    const files = { 'compose.yml': 'services: {a: {image: x, env_file: {path: e, format: raw}}}', e: '' };
    assert.match(
      failureOf(() => loadText(files)),
      /services\.a\.env_file must be a list/,
    );
    const listed = { 'compose.yml': 'services: {a: {image: x, env_file: [{path: e, format: raw}]}}', e: 'A="q" #x' };
    assert.deepEqual(loadText(listed).project.services['a']?.environment, { A: '"q" #x' });
  });
  it('misses a file with its place', () =>
    assert.equal(
      failureOf(() => loadText('services:\n  a:\n    image: x\n    env_file: no.env')),
      'compose.yml:4:15: open no.env: no such file or directory',
    ));
  it('says file and line of a mistake in it', () => {
    const files = { 'compose.yml': 'services: {a: {image: x, env_file: e.env}}', 'e.env': 'A=1\nb c=2' };
    assert.match(
      failureOf(() => loadText(files)),
      /^e\.env:2:1: invalid env file \(e\.env\): variable 'b c' contains whitespaces$/,
    );
  });
  it('and labels come from label files', () => {
    const files = { 'compose.yml': 'services: {a: {image: x, label_file: l, labels: {b: own}}}', l: 'a=1\nb=2' };
    assert.deepEqual(loadText(files).project.services['a']?.labels, { a: '1', b: 'own' });
  });
});

describe('a seccomp profile', () => {
  const files = { 'compose.yml': 'services: {a: {image: x, security_opt: ["seccomp:p.json"]}}', 'p.json': '{\n "defaultAction": "$ALLOW"\n}' };
  it('goes along as text, because nodes do not have the file', () => {
    const loaded = loadText(files);
    assert.deepEqual(loaded.project.services['a']?.security_opt, ['seccomp:{"defaultAction":"$ALLOW"}']);
    assert.deepEqual(loadText(printProject(loaded)).project.services, loaded.project.services);
    const runtime = convertProject(loaded, 'app').services[0]?.spec.task.runtime;
    assert.ok(runtime?.kind === 'container');
    const { seccomp } = runtime.container.privileges ?? {};
    assert.deepEqual([seccomp?.mode, Buffer.from(seccomp?.profile ?? '', 'base64').toString()], ['custom', '{"defaultAction":"$ALLOW"}']);
  });
  it('of an included file is relative to that file', () => {
    const included = { 'compose.yml': 'include: [sub/c.yml]', 'sub/c.yml': files['compose.yml'], 'sub/p.json': '{}' };
    assert.deepEqual(loadText(included).project.services['a']?.security_opt, ['seccomp:{}']);
  });
  it('that is not there or is no JSON is refused', () => {
    assert.match(
      failureOf(() => loadText({ 'compose.yml': files['compose.yml'] })),
      /^compose\.yml:1:41: opening seccomp profile \(p\.json\) failed: no such file/,
    );
    assert.match(
      failureOf(() => loadText({ ...files, 'p.json': '{' })),
      /compacting json for seccomp profile/,
    );
  });
});

describe('extends', () => {
  it('begins with a service of the same file, over several steps', () => {
    const { services } = loadText(
      'services:\n  a: {extends: b, command: [a]}\n  b: {extends: {service: c}, environment: {X: b}}\n  c: {image: x, environment: [X=c, Y=c], command: [c]}',
    ).project;
    assert.deepEqual(services['a'], { command: ['a'], environment: { X: 'b', Y: 'c' }, image: 'x' });
  });
  it('begins with a service of another file, whose paths are relative to that file', () => {
    const files = {
      'compose.yml': 'services: {a: {extends: {file: base/b.yml, service: b}, volumes: ["./own:/own"]}}',
      'base/b.yml': 'services: {b: {image: x, env_file: b.env, volumes: ["./data:/data"]}}',
      'base/b.env': 'A=1',
    };
    assert.deepEqual(loadText(files).project.services['a'], {
      environment: { A: '1' },
      env_file: [{ path: '/project/base/b.env' }],
      image: 'x',
      volumes: [
        { type: 'bind', source: '/project/base/data', target: '/data' },
        { type: 'bind', source: '/project/own', target: '/own' },
      ],
    });
  });
  it('takes a service of an earlier file when its own has none of the name', () => {
    const files = { '0.yml': 'services: {base: {image: x}}', '1.yml': 'services: {a: {extends: base, tty: true}}' };
    assert.deepEqual(loadText(files, { files: ['0.yml', '1.yml'] }).project.services['a'], { image: 'x', tty: true });
  });
  it('takes back what it extends with !reset and !override', () => {
    const { services } = loadText(
      'services:\n  a: {extends: b, ports: !reset [], dns: !override [8.8.8.8]}\n  b: {image: x, ports: ["80:80"], dns: [1.1.1.1]}',
    ).project;
    assert.deepEqual(services['a'], { dns: ['8.8.8.8'], image: 'x' });
  });
  const mistakes: readonly (readonly [string, RegExp])[] = [
    ['services: {a: {extends: none}}', /^compose\.yml:1:25: cannot extend service "a" in compose\.yml: service "none" not found$/],
    ['services: {a: {extends: {file: no.yml, service: b}}}', /^compose\.yml:1:25: open no\.yml: no such file or directory$/],
    ['services: {a: {extends: b}, b: {extends: a}}', /circular reference: service a extends b extends a/],
    ['services: {a: {extends: {file: x.yml}}}', /services\.a\.extends service is required/],
  ];
  for (const [text, message] of mistakes)
    it(`refuses ${text}`, () =>
      assert.match(
        failureOf(() => loadText(text)),
        message,
      ));
  it('finds circles over files', () => {
    const files = {
      'compose.yml': 'services: {a: {extends: {file: o.yml, service: b}}}',
      'o.yml': 'services: {b: {extends: {file: compose.yml, service: a}}}',
    };
    assert.match(
      failureOf(() => loadText(files)),
      /circular reference: service a extends b extends a/,
    );
  });
});

describe('include', () => {
  const included = { 'sub/c.yml': 'services: {b: {image: "b:$T", volumes: ["./d:/d"]}}\nnetworks: {n: {}}', 'sub/.env': 'T=sub' };
  it('brings another project with paths and variables of its own', () => {
    const { services, networks } = loadText({
      'compose.yml': 'include: [sub/c.yml]\nservices: {a: {image: "a:$T", networks: [n]}}',
      '.env': 'T=',
      ...included,
    }).project;
    assert.deepEqual(
      [services['a']?.image, services['b'], networks],
      ['a:', { image: 'b:', volumes: [{ type: 'bind', source: '/project/sub/d', target: '/d' }] }, { n: {} }],
    );
    assert.equal(loadText({ 'compose.yml': 'include: [sub/c.yml]', ...included }).project.services['b']?.image, 'b:sub');
  });
  it('takes several files as one, another folder and another file of variables', () => {
    const files = {
      'compose.yml': 'include: [{path: [sub/c.yml, over.yml], project_directory: ., env_file: my.env}]',
      'over.yml': 'services: {b: {tty: true}}',
      'my.env': 'T=mine',
      ...included,
    };
    assert.deepEqual(loadText(files).project.services['b'], { image: 'b:mine', tty: true, volumes: [{ type: 'bind', source: '/project/d', target: '/d' }] });
  });
  it('may bring the same file twice, and a later file may change what it brought', () => {
    const files = { '0.yml': 'include: [sub/c.yml, x.yml]', 'x.yml': 'include: [sub/c.yml]', '1.yml': 'services: {b: {image: other}}', ...included };
    assert.equal(loadText(files, { files: ['0.yml', '1.yml'] }).project.services['b']?.image, 'other');
  });
  it('refuses two that say different things of one name', () => {
    assert.match(
      failureOf(() => loadText({ 'compose.yml': 'include: [sub/c.yml]\nservices: {b: {image: own}}', ...included })),
      /^compose\.yml:2:\d+: services\.b conflicts with imported resource \(sub\/c\.yml:1\)$/,
    );
  });
  it('refuses circles, files that are not there, and what is not a file', () => {
    assert.match(
      failureOf(() => loadText({ 'compose.yml': 'include: [o.yml]', 'o.yml': 'include: [compose.yml]' })),
      /^o\.yml:1:11: include cycle detected: compose\.yml -> o\.yml -> compose\.yml$/,
    );
    assert.match(
      failureOf(() => loadText('include: [no.yml]')),
      /^compose\.yml:1:11: open no\.yml: no such file or directory$/,
    );
    assert.match(
      failureOf(() => loadText('include: ["https://example.com/c.yml"]')),
      /only files can be included/,
    );
  });
});

describe('profiles', () => {
  const text =
    'services:\n  a: {image: a}\n  b: {image: b, profiles: [debug]}\n  c: {image: c, profiles: [debug, test]}\n  d: {image: d, depends_on: {b: {condition: service_started, required: false}}}';
  const names = (options: Parameters<typeof loadText>[1]) => Object.keys(loadText(text, options).project.services).join('');
  it('leave services out unless one of theirs is active', () => {
    assert.deepEqual(
      [names({}), names({ profiles: ['test'] }), names({ environment: { COMPOSE_PROFILES: 'x, debug' } }), names({ profiles: ['*'] })],
      ['ad', 'acd', 'abcd', 'abcd'],
    );
  });
  it('of which one is empty are active where none is named', () => {
    const named = (profiles: readonly string[]) => Object.keys(loadText("services: {a: {image: a, profiles: ['', p]}}", { profiles }).project.services);
    assert.deepEqual([named([]), named(['p']), named(['q'])], [['a'], ['a'], []]);
  });
  it('refuse a service that needs one that is left out', () => {
    const needing = 'services:\n  a: {image: a, depends_on: [b]}\n  b: {image: b, profiles: [p]}';
    assert.equal(
      failureOf(() => loadText(needing)),
      'compose.yml:2:30: service "a" depends on service "b", which is in no active profile',
    );
  });
});

describe('bad input', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['[]', /^compose\.yml:1:1: top-level object must be a mapping$/],
    [
      'services: {a: {image: x, enviroment: {}}}',
      /^compose\.yml:1:26: services\.a Additional property enviroment is not allowed \(did you mean "environment"\?\)$/,
    ],
    ['service: {}', /^compose\.yml:1:1: \(root\) Additional property service is not allowed \(did you mean "services"\?\)$/],
    ['services: [a]', /^compose\.yml:1:11: services must be a mapping$/],
    ['services:\n', /services must be a mapping$/],
    ['services: {a: }', /services\.a must be a mapping$/],
    ['services: {"a b": {image: x}}', /services Additional property a b is not allowed$/],
    ['services: {a: {image: 5}}', /^compose\.yml:1:23: services\.a\.image must be a string$/],
    ['services: {a: {image: x, ports: "80"}}', /services\.a\.ports must be a list$/],
    ['services: {a: {image: x, ports: ["x"]}}', /services\.a\.ports\.0 Does not match format 'ports'$/],
    ['services: {a: {image: x, stop_grace_period: "5"}}', /services\.a\.stop_grace_period Does not match format 'duration'$/],
    ['services: {a: {image: x, environment: {A: {}}}}', /services\.a\.environment\.A must be a string, number or null$/],
    ['services: {a: {image: x, volumes: [{source: x, target: y}]}}', /services\.a\.volumes\.0 type is required$/],
    ['services: {a: {image: x, deploy: {update_config: {order: last}}}}', /must be one of the following: "start-first", "stop-first"$/],
    ['services: {a: {image: x, depends_on: [b]}}', /^compose\.yml:1:39: service "a" depends on undefined service "b"$/],
    [
      'services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [c]}, c: {image: x, depends_on: [a]}}',
      /dependency cycle detected: a -> b -> c -> a$/,
    ],
    ['services: {a: {image: x, depends_on: [a]}}', /dependency cycle detected: a -> a$/],
    ['services: {a: {image: x, depends_on: {b: {condition: ready}}}}', /services\.a\.depends_on\.b\.condition must be one of the following/],
    ['networks: {n: {external: {name: x}, name: y}}', /network n: network\.external\.name and network\.name conflict; only use network\.name$/],
  ];
  for (const [text, message] of cases)
    it(`${JSON.stringify(text)} is refused with its place`, () =>
      assert.match(
        failureOf(() => loadText(text)),
        message,
      ));

  it('is told all at once', () => {
    const message = failureOf(() => loadText('services:\n  a: {imag: x, tty: maybe}\n  b: {image: y, ports: [z]}'));
    assert.deepEqual(
      message.split('\n').map((line) => line.split(' ')[0]),
      ['compose.yml:2:7:', 'compose.yml:2:21:', 'compose.yml:3:25:'],
    );
  });
  it('is a file that is missing, or none at all', () => {
    assert.equal(
      failureOf(() => loadText('', { files: ['nosuch.yml'] })),
      'open nosuch.yml: no such file or directory',
    );
    assert.equal(
      failureOf(() => loadText('', { files: [] })),
      'Specify a Compose file (with --compose-file)',
    );
  });
  it('names the file in which the mistake is, among several', () => {
    assert.match(
      failureOf(() => loadText({ 'a.yml': 'services: {a: {image: x}}', 'b.yml': 'services: {a: {tty: 5}}' }, { files: ['a.yml', 'b.yml'] })),
      /^b\.yml:1:21: services\.a\.tty must be a boolean$/,
    );
  });
});

it('reads the standard input relative to the working directory', () => {
  const { project } = loadText({ '-': 'services: {a: {image: x, volumes: ["./d:/d"]}}' }, { files: ['-'] });
  assert.deepEqual(project.services['a']?.volumes, [{ type: 'bind', source: '/project/d', target: '/d' }]);
});

it('warns of the old form of external names', () => {
  const loaded = loadText('networks: {n: {external: {name: x}}}');
  assert.deepEqual(
    [loaded.project.networks, loaded.warnings.map(({ message }) => message)],
    [{ n: { name: 'x', external: true } }, ['network n: network.external.name is deprecated in favor of network.name']],
  );
});
