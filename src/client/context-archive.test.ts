import assert from 'node:assert/strict';
import test from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { type ContextArchive, MAX_ARCHIVE_BYTES, packContext, unpackContext } from './context-archive.ts';

const archive: ContextArchive = {
  context: { Name: 'prod', Metadata: { Description: 'all of <it>' }, Endpoints: { docker: { Host: 'tcp://10.0.0.1:2376', SkipTLSVerify: false } } },
  tls: new Map([
    ['docker/ca.pem', Buffer.from('a root')],
    ['docker/key.pem', Buffer.alloc(512, 'k')],
    ['other/file', Buffer.alloc(0)],
  ]),
};

/** A zip of these files, each stored or deflated. */
function zip(files: Readonly<Record<string, string>>, { deflate = false, claim }: { readonly deflate?: boolean; readonly claim?: number } = {}): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(files)) {
    const data = deflate ? deflateRawSync(text) : Buffer.from(text);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(deflate ? 8 : 0, 4);
    fields.writeUInt32LE(data.length, 14);
    fields.writeUInt32LE(claim ?? Buffer.byteLength(text), 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), fields, Buffer.from(name), data]);
    const entry = Buffer.alloc(46);
    entry.write('PK\u0001\u0002');
    fields.copy(entry, 6);
    entry.writeUInt32LE(offset, 42);
    directory.push(entry, Buffer.from(name));
    bodies.push(local);
    offset += local.length;
  }
  const index = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006');
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(index.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...bodies, index, end]);
}

const problem = (bytes: Buffer): string => {
  try {
    unpackContext(bytes);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

const meta = JSON.stringify(archive.context);

test('a context in a file is the same context again, to the byte of its keys', () => {
  assert.deepEqual(unpackContext(packContext(archive)), { ...archive, tls: archive.tls });
  assert.deepEqual(packContext(archive), packContext({ ...archive, tls: new Map([...archive.tls].reverse()) }), 'whatever the order of its files');
});

test("an archive that ends with its last byte of data is whole: docker's own are like that", () => {
  const only = packContext({ ...archive, tls: new Map([['docker/ca.pem', Buffer.from('a root')]]) });
  const cut = only.subarray(0, only.lastIndexOf('a root') + 'a root'.length);
  assert.equal(String(unpackContext(cut).tls.get('docker/ca.pem')), 'a root');
  assert.equal(problem(cut.subarray(0, -1)), 'unexpected EOF');
});

test('a zip is as good as a tar', () => {
  for (const deflate of [false, true]) {
    const { context, tls } = unpackContext(zip({ 'meta.json': meta, 'tls/': '', 'tls/docker/ca.pem': 'a root' }, { deflate }));
    assert.deepEqual([context, String(tls.get('docker/ca.pem'))], [archive.context, 'a root']);
  }
});

test('what is no context is refused with its reason', () => {
  assert.equal(problem(Buffer.from('bad\n')), 'unexpected EOF');
  assert.equal(problem(Buffer.alloc(0)), 'invalid context: no metadata found');
  assert.equal(problem(Buffer.alloc(512, 'x')), 'archive/tar: invalid tar header');
  assert.equal(problem(zip({ 'meta.json': meta }).subarray(0, -8)), 'zip: not a valid zip file');
  assert.equal(problem(zip({ 'tls/docker/ca.pem': 'x' })), 'invalid context: no metadata found');
  for (const text of ['{"Name":', '[]', 'null', '{"Endpoints":[]}', '{"Endpoints":{"docker":"x"}}', '{"Metadata":"x"}'])
    assert.match(problem(zip({ 'meta.json': text })), /^invalid context: meta\.json/, text);
  assert.equal(problem(Buffer.alloc(MAX_ARCHIVE_BYTES + 1)), 'read exceeds the defined limit');
});

test('no file of an archive can lie anywhere but in its endpoint, and none unpacks without end', () => {
  for (const path of [
    'evil',
    '../evil',
    'tls/../../evil',
    'tls/docker/../evil',
    'tls/docker/a/b',
    'tls/file',
    'tls/../evil',
    '/tls/docker/ca.pem',
    './meta.json',
  ])
    assert.equal(problem(zip({ 'meta.json': meta, [path]: 'x' })), `${path}: unexpected context file`);
  const bomb = { 'meta.json': ' '.repeat(50 * 1024 * 1024) };
  for (const claim of [10, 50 * 1024 * 1024]) assert.equal(problem(zip(bomb, { deflate: true, claim })), 'zip: not a valid zip file');
});
