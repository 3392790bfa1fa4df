import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { CliContext } from '../context.ts';
import { askLine, readLine, readSecretLine } from './prompt.ts';

/** A terminal on which `typed` is typed, a text per question. */
function terminal(...typed: readonly (string | Buffer)[]) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (raw: boolean) => modes.push(raw) });
  const modes: boolean[] = [];
  let shown = '';
  const answers = [...typed];
  const output = {
    write(text: string | Uint8Array) {
      shown += Buffer.from(text).toString();
      if (!shown.endsWith(': ')) return;
      const answer = answers.shift();
      if (answer === undefined) stdin.end();
      else stdin.write(answer);
    },
  };
  const context = { stdin, stdout: output, stderr: output } as unknown as CliContext;
  return { context, modes, shown: () => shown };
}

test('a question after another one is answered, too, and a secret is not shown', async () => {
  const { context, modes, shown } = terminal('me\n', 'word\r');
  assert.equal(await askLine(context, 'Username: '), 'me');
  assert.equal(await readSecretLine(context, 'Password: '), 'word');
  assert.equal(shown(), 'Username: Password: \n');
  assert.deepEqual(modes, [true, false]);
});

test('a secret is typed as on a terminal: what is taken back is a character, and any alphabet will do', async () => {
  const bytes = Buffer.from('p\u007fwört\u00e9\b\r');
  const { context } = terminal(bytes);
  assert.equal(await readSecretLine(context, 'Password: '), 'wört');
});

test('Ctrl-C ends the program with 130, the end of the input is an empty answer, to every further question as well', async () => {
  await assert.rejects(readSecretLine(terminal('abc\u0003').context, 'Password: '), { exitCode: 130 });
  assert.equal(await readSecretLine(terminal('\u0004').context, 'Password: '), '');
  const { context } = terminal();
  assert.equal(await askLine(context, 'Username: '), '');
  assert.equal(await readSecretLine(context, 'Password: '), '');
});

test('of a pipe, the first line counts', async () => {
  const context = { stdin: PassThrough.from([Buffer.from('one\r\ntwo\n')]) } as unknown as CliContext;
  assert.equal(await readLine(context), 'one');
});
