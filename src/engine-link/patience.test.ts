import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createFakeClock, type FakeClock } from '#lib/testing/fake-clock.ts';
import type { EngineLink } from './connection.ts';
import { createEngineConnection } from './link.ts';

interface Slow {
  readonly link: EngineLink;
  readonly clock: FakeClock;
  /** Answers that wait, by path. */
  readonly waiting: Map<string, ServerResponse>;
  answersPings: boolean;
  pings: number;
  /** Lets time pass in steps, until the promise is settled or `seconds` are over; resolves with the seconds that passed. */
  pass(seconds: number, until?: Promise<unknown>): Promise<number>;
}

/** An engine that lets every question wait, and pings if it is told to. */
async function withSlowEngine(use: (slow: Slow) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'skep-patience-'));
  const path = join(folder, 'engine.sock');
  const clock = createFakeClock();
  const link = createEngineConnection({ address: `unix://${path}`, clock });
  const waiting = new Map<string, ServerResponse>();
  const slow: Slow = { link, clock, waiting, answersPings: true, pings: 0, pass };
  const server = createServer((request, response) => {
    if (request.url !== '/_ping') return void waiting.set(request.url ?? '', response);
    slow.pings += 1;
    if (slow.answersPings) response.end('OK');
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));

  async function pass(seconds: number, until?: Promise<unknown>): Promise<number> {
    let isSettled = false;
    const settle = () => (isSettled = true);
    until?.then(settle, settle);
    for (let passed = 0; passed < seconds; passed += 1) {
      // What goes over the socket takes real turns of the loop, however many.
      for (let round = 0; round < 50; round += 1) await turn();
      if (isSettled) return passed;
      await clock.advance(1_000);
    }
    return seconds;
  }

  try {
    await use(slow);
  } finally {
    link.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  }
}

test('a question to an engine that answers pings may wait as long as it takes', () =>
  withSlowEngine(async (slow) => {
    const answer = slow.link.json({ method: 'GET', path: '/images/json' });
    assert.equal(await slow.pass(120, answer), 120);
    assert.ok(slow.pings >= 10, `${slow.pings} pings in two minutes`);
    slow.waiting.get('/images/json')?.end('[]');
    assert.deepEqual(await answer, []);
  }));

test('questions to an engine that hangs fail after some seconds, all after the same ping, and a later one succeeds', () =>
  withSlowEngine(async (slow) => {
    slow.answersPings = false;
    const answers = ['/info', '/networks'].map((path) => slow.link.json({ method: 'GET', path }));
    const ended = Promise.allSettled(answers);
    const seconds = await slow.pass(60, ended);
    assert.ok(seconds >= 14 && seconds <= 20, `after ${seconds} s`);
    for (const answer of await ended) {
      assert.equal(answer.status, 'rejected');
      assert.deepEqual([answer.reason.code, /none to a ping within 10 s/.test(answer.reason.message)], ['unavailable', true], answer.reason.message);
    }
    assert.equal(slow.pings, 2, 'the one that waits for it to wake up is the second');
    slow.answersPings = true;
    await slow.pass(20);
    const again = slow.link.json({ method: 'GET', path: '/again' });
    await slow.pass(4, again);
    slow.waiting.get('/again')?.end('{}');
    assert.deepEqual(await again, {});
  }));

test('questions to an engine that is known to hang fail within a second, until it answers again; what it speaks is still known', () =>
  withSlowEngine(async (slow) => {
    const facts = slow.link.facts();
    await slow.pass(1, facts);
    slow.waiting.get('/version')?.end('{"ApiVersion":"1.43"}');
    assert.equal((await facts).apiVersion, 43);
    slow.answersPings = false;
    const first = slow.link.json({ method: 'GET', path: '/info' });
    await slow.pass(
      60,
      first.catch(() => {}),
    );
    await assert.rejects(first, { code: 'unavailable' });

    for (const path of ['/info', '/images/json']) {
      const answer = slow.link.json({ method: 'GET', path });
      assert.equal(await slow.pass(60, answer), 1);
      await assert.rejects(answer, { code: 'unavailable' });
    }
    assert.equal((await slow.link.facts()).apiVersion, 43, 'without a question');

    slow.answersPings = true;
    await slow.pass(20);
    const again = slow.link.json({ method: 'GET', path: '/images/json' });
    assert.equal(await slow.pass(4, again), 4, 'it may take its time again');
    slow.waiting.get('/images/json')?.end('[]');
    assert.deepEqual(await again, []);
  }));

test('what changes something is left to wait', () =>
  withSlowEngine(async (slow) => {
    slow.answersPings = false;
    const created = slow.link.request({ method: 'POST', path: '/containers/create', body: {} });
    assert.equal(await slow.pass(60, created), 60);
    slow.waiting.get('/containers/create')?.writeHead(201).end('{}');
    assert.equal((await created).status, 201);
  }));

test('a stream that has begun is no question any more', () =>
  withSlowEngine(async (slow) => {
    const opening = slow.link.stream({ method: 'GET', path: '/events' });
    await slow.pass(3);
    slow.waiting.get('/events')?.write('{}\n');
    const stream = await opening;
    slow.answersPings = false;
    await slow.pass(60);
    assert.deepEqual([stream.destroyed, slow.pings], [false, 0]);
    stream.destroy();
  }));
