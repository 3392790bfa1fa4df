import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import { type Absence, Absences, type Cause, downAt, type Knock, type Machines } from './absences.ts';

const GRACE_MS = 15_000;

/** Looks every 200 ms as the dispatcher does; answers after how long the node is down, counted from the absence's beginning. */
async function downAfter(cause: Cause, { usedToAnswer = true, startedMsAgo = 60_000, answers }: Case): Promise<number> {
  const clock = createFakeClock();
  const machines: Machines = { usedToAnswer: () => usedToAnswer, knock: async () => answers(clock.elapsed() - begunAt) };
  const absences = new Absences({ clock, machines });
  const begunAt = clock.elapsed();
  absences.begin('n1', { cause, graceUntil: begunAt + GRACE_MS, startingUntil: begunAt - startedMsAgo + GRACE_MS });
  while (absences.due().length === 0) {
    absences.knock();
    await clock.advance(200);
    assert(clock.elapsed() - begunAt < 60_000, 'some time it is down');
  }
  return clock.elapsed() - begunAt;
}

interface Case {
  readonly usedToAnswer?: boolean;
  readonly startedMsAgo?: number;
  readonly answers: (afterMs: number) => Knock;
}

const cases: readonly (readonly [string, Cause, Case, number, number])[] = [
  ['a node whose process ended has 1.5 s to open another session, whatever its machine says', 'closed', { answers: () => 'alive' }, 1_500, 1_700],
  ['a node that fell silent with its machine is down after 1.5 s', 'silent', { answers: () => 'silent' }, 1_500, 1_700],
  ['likewise where a firewall never let an answer through', 'silent', { usedToAnswer: false, answers: () => 'silent' }, 1_500, 1_700],
  ['a node that fell silent on a machine that answers is only busy, and has three heartbeats', 'silent', { answers: () => 'alive' }, 15_000, 15_200],
  ['a manager that was stopped in order, where nobody listens then, has as long to start again', 'silent', { answers: () => 'no daemon' }, 15_000, 15_200],
  ['a machine that answers for a while and then does not is gone', 'silent', { answers: (ms) => (ms < 6_000 ? 'alive' : 'silent') }, 7_600, 8_200],
  ['after a take-over a silent machine is given up within two seconds', 'taken over', { answers: () => 'silent' }, 1_800, 2_000],
  ['but within five where it never answered', 'taken over', { usedToAnswer: false, answers: () => 'silent' }, 5_000, 5_200],
  [
    'a manager that has just started gives all machines time to start',
    'taken over',
    { usedToAnswer: false, startedMsAgo: 3_000, answers: () => 'silent' },
    12_000,
    12_200,
  ],
  ['but not those that it has seen alive', 'taken over', { startedMsAgo: 3_000, answers: () => 'silent' }, 1_800, 2_000],
  ['after a take-over a machine that answers has three heartbeats', 'taken over', { answers: () => 'alive' }, 15_000, 15_200],
  ['one whose manager does not run has five seconds, in which it may start again', 'taken over', { answers: () => 'no daemon' }, 5_000, 5_200],
];

for (const [name, cause, given, from, to] of cases) {
  test(name, async () => {
    const ms = await downAfter(cause, given);
    assert(ms >= from && ms <= to, `down after ${ms} ms`);
  });
}

test('a machine that loses a third of all packets both ways is not taken for silent', async () => {
  let state = 7;
  const chance = () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
  const ms = await downAfter('silent', { answers: () => (chance() < 0.49 ? 'alive' : 'silent') });
  assert(ms > 5_000, `down after ${ms} ms`);
});

test('a stall of this process delays every end by as much', async () => {
  const clock = createFakeClock();
  const absences = new Absences({ clock });
  absences.begin('n1', { cause: 'closed', graceUntil: clock.elapsed() + GRACE_MS });
  await clock.advance(1_000);
  absences.forgive(3_000);
  await clock.advance(3_000);
  assert.deepEqual(absences.due(), []);
  await clock.advance(1_000);
  assert.deepEqual(absences.due(), ['n1']);
});

test('no node is down before 1.5 s or after three heartbeats and a start, and an answer never shortens its time', () => {
  const at = fc.integer({ min: 0, max: 20_000 });
  const absence = fc.record({
    since: at,
    unanswered: fc.nat(20),
    usedToAnswer: fc.boolean(),
    startingUntil: at,
    cause: fc.constantFrom('closed', 'silent', 'taken over'),
  });
  fc.assert(
    fc.property(absence, at, fc.option(fc.nat(20_000)), (given, afterMs, answered) => {
      const now = given.since + afterMs;
      const base: Absence = { ...given, cause: given.cause as Cause, graceUntil: given.since + GRACE_MS };
      const answeredAt = Math.min(now, given.since + (answered ?? 0));
      const down = downAt(answered === null ? base : { ...base, aliveAt: answeredAt }, now);
      assert(down >= given.since + 1_500);
      assert(down <= Math.max(given.since + GRACE_MS, given.startingUntil));
      if (answered !== null && now - answeredAt < 1_000) assert(down >= downAt(base, now));
    }),
  );
});
