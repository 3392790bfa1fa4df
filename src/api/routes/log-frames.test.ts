import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogChunk } from '#control/control.ts';
import { AppError } from '#lib/errors.ts';
import { framesOf } from './log-frames.ts';
import { logOptions } from './logs.ts';

const chunk: LogChunk = {
  taskId: 't1',
  nodeId: 'n1',
  serviceId: 's1',
  stream: 'stdout',
  timestamp: '2026-11-20T11:51:00.12Z',
  attributes: {},
  line: Buffer.from('hello\n'),
};

async function* chunksOf(...chunks: readonly (LogChunk | Error)[]): AsyncGenerator<LogChunk> {
  for (const item of chunks) {
    if (item instanceof Error) throw item;
    yield item;
  }
}

async function bytesOf(chunks: AsyncIterable<LogChunk>, view: Partial<Parameters<typeof framesOf>[1]> = {}): Promise<Buffer> {
  const frames: Uint8Array[] = [];
  for await (const frame of framesOf(chunks, { tty: false, details: false, timestamps: false, ...view })) frames.push(frame);
  return Buffer.concat(frames);
}

/** A stream as a client takes it apart. */
function parse(bytes: Buffer): [number, string][] {
  const frames: [number, string][] = [];
  for (let at = 0; at < bytes.length; ) {
    assert.equal(bytes.readUIntBE(at + 1, 3), 0);
    const length = bytes.readUInt32BE(at + 4);
    frames.push([bytes.readUInt8(at), bytes.toString('utf8', at + 8, at + 8 + length)]);
    at += 8 + length;
  }
  return frames;
}

test('each line is framed with its stream and its length in bytes', async () => {
  const stderr: LogChunk = { ...chunk, stream: 'stderr', line: Buffer.from('grüße\n') };
  assert.deepEqual(parse(await bytesOf(chunksOf(chunk, stderr))), [
    [1, 'hello\n'],
    [2, 'grüße\n'],
  ]);
});

test('a terminal’s output has no frames', async () => {
  assert.equal((await bytesOf(chunksOf(chunk, chunk), { tty: true })).toString(), 'hello\nhello\n');
});

test('details name node, service and task, in order of key and escaped', async () => {
  const labelled: LogChunk = { ...chunk, attributes: { 'a b': 'c,d=e', z: "1'2" } };
  assert.deepEqual(parse(await bytesOf(chunksOf(labelled), { details: true })), [
    [1, 'a+b=c%2Cd%3De,com.docker.swarm.node.id=n1,com.docker.swarm.service.id=s1,com.docker.swarm.task.id=t1,z=1%272 hello\n'],
  ]);
});

test('timestamps come first and always have nine digits after the second', async () => {
  assert.deepEqual(parse(await bytesOf(chunksOf(chunk), { details: true, timestamps: true }))[0]?.[1].split(' ')[0], '2026-11-20T11:51:00.120000000Z');
});

test('a failure after the beginning is told in the stream', async () => {
  assert.deepEqual(parse(await bytesOf(chunksOf(chunk, new AppError('unknown', 'node n2 is gone')))), [
    [1, 'hello\n'],
    [3, 'Error grabbing logs: node n2 is gone\n'],
  ]);
});

test('tail and since are read as Docker reads them', () => {
  const options = (fields: Record<string, string>) => logOptions(new URLSearchParams({ stdout: '1', ...fields }));
  assert.deepEqual(options({}), { follow: false, stdout: true, stderr: false });
  assert.deepEqual(options({ tail: 'all', follow: '1', stderr: 'true' }), { follow: true, stdout: true, stderr: true });
  assert.equal(options({ tail: '5' }).tail, 5);
  assert.equal(options({ since: '1795175483.25' }).since, 1_795_175_483_250);
  for (const [fields, message] of [
    [{ tail: 'x' }, 'tail value must be a positive integer or "all"'],
    [{ tail: '-3' }, 'negative tail values not supported'],
    [{ since: 'abc' }, 'could not parse since timestamp: strconv.ParseInt: parsing "abc": invalid syntax'],
  ] as const) {
    assert.throws(() => options(fields), { message, httpStatus: 500 });
  }
});
