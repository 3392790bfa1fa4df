// Files as they come: in another encoding, nested without end, with keys that have no value, with files beside them that cannot be read. Each is taken, or refused with its place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadProject } from '../index.ts';

type Files = Readonly<Record<string, string | Uint8Array>>;

function load(files: Files) {
  return loadProject({
    files: ['compose.yml'],
    workingDirectory: '/project',
    environment: {},
    reader: {
      read(path) {
        const found = files[path.replace('/project/', '')];
        if (found === 'A FOLDER') throw new Error(`read ${path}: is a directory`);
        return typeof found === 'string' ? new TextEncoder().encode(found) : found;
      },
    },
  });
}

function problem(files: Files): string {
  try {
    load(files);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

const service = (text: string) => `services:\n  a:\n    image: x\n${text}`;

test('text is UTF-8, with or without a mark of it; another encoding is refused where it begins', () => {
  const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(service('    labels: {a: ä}\n').replaceAll('\n', '\r\n'))]);
  assert.deepEqual(load({ 'compose.yml': marked }).project.services['a']?.labels, { a: 'ä' });
  assert.equal(problem({ 'compose.yml': Buffer.from(service('    labels: {a: ä}\n'), 'latin1') }), 'compose.yml:4:1: the text is not in UTF-8');
  assert.equal(
    problem({ 'compose.yml': Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(service(''), 'utf16le')]) }),
    'compose.yml:1:1: the text is not in UTF-8',
  );
  assert.equal(problem({ 'compose.yml': service('    env_file: e\n'), e: Buffer.from('A=1\nB=ä\n', 'latin1') }), 'e:2:1: the text is not in UTF-8');
});

test("a command without a value is the image's own, and a section without one is a mistake", () => {
  const { services } = load({ 'compose.yml': service('    command:\n    entrypoint: ~\n') }).project;
  assert.deepEqual(services['a'], { image: 'x' });
  assert.equal(problem({ 'compose.yml': service('    ports:\n') }), 'compose.yml:4:11: services.a.ports must be a list');
});

test('what is reset needs no value of the right form, in whichever section it stands', () => {
  const base = `services: {a: {image: x, ports: [1], volumes: ["v:/v"], environment: {A: b}, deploy: {replicas: 2}, networks: [n], command: c}}
networks: {n: {driver: x}}
volumes: {v: {driver: x}}
`;
  for (const value of ['null', '', '[]', '{}', '5']) {
    const over = ['ports', 'volumes', 'environment', 'deploy', 'networks', 'command'].map((key) => `    ${key}: !reset ${value}\n`).join('');
    const { project } = loadProject({
      files: ['a.yml', 'b.yml'],
      workingDirectory: '/project',
      environment: {},
      reader: {
        read: (path) =>
          new TextEncoder().encode(path.endsWith('a.yml') ? base : `services:\n  a:\n${over}networks: !reset ${value}\nvolumes: !reset ${value}\n`),
      },
    });
    assert.deepEqual([project.services, project.networks, project.volumes], [{ a: { image: 'x' } }, undefined, undefined], value);
  }
});

test('what nests without end is told so', () => {
  for (const depth of [200, 20_000])
    assert.match(
      problem({ 'compose.yml': `${service('')}x-d: ${'['.repeat(depth)}${']'.repeat(depth)}\n` }),
      /^compose\.yml:4:\d+: yaml: nested deeper than 100 levels$/,
    );
});

test('a file of variables that is none is named with the place that names it', () => {
  assert.equal(
    problem({ 'compose.yml': service('    env_file: [{path: e, format: rww}]\n'), e: '' }),
    'compose.yml:4:34: unsupported env_file format "rww" (there is "raw")',
  );
  assert.equal(problem({ 'compose.yml': service('    env_file: d\n'), d: 'A FOLDER' }), 'compose.yml:4:15: d: read /project/d: is a directory');
  assert.equal(problem({ 'compose.yml': service('    label_file: d\n'), d: 'A FOLDER' }), 'compose.yml:4:17: d: read /project/d: is a directory');
});
