import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { framedMessages, joinLines, rawMessages, type TaskLogLine } from './logs.ts';

const TIME = '2026-11-20T12:00:00.123456789Z';

function frame(stream: 1 | 2, text: string): Buffer {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

async function linesOf(chunks: readonly Uint8Array[]): Promise<TaskLogLine[]> {
  async function* stream() {
    yield* chunks;
  }
  const lines: TaskLogLine[] = [];
  for await (const line of joinLines(framedMessages(stream()))) lines.push(line);
  return lines;
}

const shown = (lines: readonly TaskLogLine[]) => lines.map(({ stream, line }) => `${stream} ${Buffer.from(line).toString()}`);

test('a line has its stream, time, attributes and text', async () => {
  const [line] = await linesOf([frame(2, `${TIME} a=b%2C+c,d=e hello world\n`)]);
  assert.deepEqual(line && { ...line, line: Buffer.from(line.line).toString() }, {
    stream: 'stderr',
    timestamp: TIME,
    attributes: { a: 'b, c', d: 'e' },
    line: 'hello world\n',
  });
});

test('a line that the engine cut is one line, also when the other stream speaks in between', async () => {
  const lines = await linesOf([frame(1, `${TIME}  first `), frame(2, `${TIME}  other\n`), frame(1, `${TIME}  second\n`)]);
  assert.deepEqual(shown(lines), ['stderr other\n', 'stdout first second\n']);
});

test('a last line without a newline gets one', async () => {
  assert.deepEqual(shown(await linesOf([frame(1, `${TIME}  end`)])), ['stdout end\n']);
});

test('however the network cuts the stream, the same lines come out', async () => {
  const text = fc.string({ maxLength: 20 }).map((value) => value.replaceAll('\n', ' '));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom<1 | 2>(1, 2), text), { maxLength: 10 }),
      fc.array(fc.nat(300), { maxLength: 10 }),
      async (messages, cuts) => {
        const whole = Buffer.concat(messages.map(([stream, value]) => frame(stream, `${TIME}  ${value}\n`)));
        const places = [0, ...cuts.filter((cut) => cut < whole.length).sort((a, b) => a - b), whole.length];
        const chunks = places.slice(1).map((end, index) => whole.subarray(places[index], end));
        assert.deepEqual(
          shown(await linesOf(chunks)),
          messages.map(([stream, value]) => `${stream === 1 ? 'stdout' : 'stderr'} ${value}\n`),
        );
      },
    ),
  );
});

test('Podman’s lines have no attributes, and a time in whole seconds', async () => {
  async function* stream() {
    yield frame(1, '2026-11-20T12:00:00Z hello big world\n');
    yield frame(1, '2026-11-20T12:00:01Z single\n');
  }
  const lines: [string, string][] = [];
  for await (const { timestamp, line } of joinLines(framedMessages(stream()), false)) lines.push([timestamp, Buffer.from(line).toString()]);
  assert.deepEqual(lines, [
    ['2026-11-20T12:00:00.000000000Z', 'hello big world\n'],
    ['2026-11-20T12:00:01.000000000Z', 'single\n'],
  ]);
});

test('a frame that is longer than any engine makes is an error, and is not waited for', async () => {
  const header = Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
  await assert.rejects(linesOf([Buffer.concat([header, Buffer.from('garbage')])]), /the engine sent a frame of 4294967303 bytes/);
});

test('what a terminal prints without ever ending its line is passed on, instead of being kept', async () => {
  const part = Buffer.from(`${TIME} a=b ${'x'.repeat(16_384)}`);
  let given = 0;
  let most = 0;
  let taken = 0;
  async function* chunks() {
    for (let count = 0; count < 400; count++) {
      given += part.length;
      // In pieces that end anywhere.
      yield part.subarray(0, 5_000 + count);
      yield part.subarray(5_000 + count);
      most = Math.max(most, given - taken);
    }
  }
  let text = 0;
  for await (const line of joinLines(rawMessages(chunks()))) {
    text += line.line.length;
    taken = (text / 16_384) * part.length;
    assert.equal(line.timestamp, TIME);
    assert.match(Buffer.from(line.line).toString('latin1'), /^x+\n?$/);
  }
  assert.equal(text, 400 * 16_384 + 1);
  assert(most < 4 * 1_024 * 1_024, `${most} bytes were kept`);
});
