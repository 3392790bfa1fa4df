import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Task, TaskStatus } from '#domain/objects.ts';
import type { DesiredState, TaskState } from '#domain/task-state.ts';
import { compareStates, isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { ContainerState } from './executor.ts';
import { LEAVE_TIMEOUT_MS, nextStep, noFacts, SERVING_TIMEOUT_MS, type TaskFacts, type TaskStep } from './task-machine.ts';
import { testTask } from './testing/tasks.ts';

const container = (changes: Partial<ContainerState> = {}): ContainerState => ({
  containerId: 'c1',
  status: 'running',
  pid: 7,
  exitCode: 0,
  health: 'none',
  oomKilled: false,
  hostPorts: [],
  ...changes,
});
const status = (state: TaskState, changes: Partial<TaskStatus> = {}): TaskStatus => ({ state, timestamp: 0, message: state, ...changes });
const facts = (changes: Partial<TaskFacts>): TaskFacts => ({ ...noFacts, container: 'absent', ...changes });
const statusOf = (step: TaskStep): TaskStatus => (step.kind === 'status' ? step.status : assert.fail(`expected a status, got ${JSON.stringify(step)}`));
const actionOf = (step: TaskStep): string => (step.kind === 'action' ? step.action : assert.fail(`expected an action, got ${JSON.stringify(step)}`));
const task = testTask('t1');

test('the way up is accepted, preparing, ready, starting, running with SwarmKit’s messages', () => {
  const up: [TaskState, Partial<TaskFacts>, TaskState, string][] = [
    ['assigned', {}, 'accepted', 'accepted'],
    ['accepted', {}, 'preparing', 'preparing'],
    ['preparing', { prepared: true, container: container({ status: 'created' }) }, 'ready', 'prepared'],
    ['ready', { container: container({ status: 'created' }) }, 'starting', 'starting'],
    ['starting', { container: container(), announced: true }, 'running', 'started'],
    ['running', { container: container({ status: 'exited' }) }, 'complete', 'finished'],
  ];
  for (const [from, known, to, message] of up) {
    const next = statusOf(nextStep(task, status(from), facts(known), 5));
    assert.deepEqual([next.state, next.message], [to, message]);
  }
});

test('a task that starts names its container: who waits for its health check can look into it', () => {
  const created = facts({ prepared: true, container: container({ status: 'created' }) });
  assert.equal(statusOf(nextStep(task, status('preparing'), created, 0)).container, undefined);
  const known = { containerId: container().containerId, pid: 0, exitCode: 0 };
  assert.deepEqual(statusOf(nextStep(task, status('ready'), created, 0)).container, known);
});

test('nothing is decided before the container was looked at', () => {
  assert.equal(actionOf(nextStep(task, status('running'), noFacts, 0)), 'inspect');
});

test('a task that is wanted ready only is prepared and not started', () => {
  const ready = testTask('t1', { desiredState: 'ready' });
  assert.equal(actionOf(nextStep(ready, status('preparing'), facts({}), 0)), 'prepare');
  assert.deepEqual(nextStep(ready, status('ready'), facts({ container: container({ status: 'created' }) }), 0), { kind: 'wait' });
});

test('a running container is made known to the data plane before the task is reported running', () => {
  assert.equal(actionOf(nextStep(task, status('starting'), facts({ container: container() }), 0)), 'announce');
});

test('a health check holds a task at starting until its first verdict', () => {
  const starting = facts({ container: container({ health: 'starting' }), announced: true });
  assert.deepEqual(nextStep(task, status('starting'), starting, 0), { kind: 'wait' });
  assert.equal(statusOf(nextStep(task, status('starting'), { ...starting, container: container({ health: 'healthy' }) }, 0)).state, 'running');
  const unhealthy = { ...starting, container: container({ health: 'unhealthy' }) };
  assert.equal(actionOf(nextStep(task, status('starting'), unhealthy, 0)), 'mark-unhealthy');
  assert.equal(actionOf(nextStep(task, status('starting'), { ...unhealthy, unhealthy: true }, 0)), 'stop');
  const ended = statusOf(
    nextStep(task, status('starting'), facts({ container: container({ status: 'exited', exitCode: 137, health: 'unhealthy' }), unhealthy: true }), 0),
  );
  assert.deepEqual([ended.state, ended.error], ['failed', 'task: non-zero exit (137): dockerexec: unhealthy container']);
  const polite = facts({ container: container({ status: 'exited', exitCode: 0, health: 'unhealthy' }), unhealthy: true });
  assert.equal(statusOf(nextStep(task, status('starting'), polite, 0)).error, 'dockerexec: unhealthy container');
});

test('a running task that turns unhealthy leaves the load balancers, is stopped, and has failed for that', () => {
  const running = facts({ container: container({ health: 'unhealthy' }), announced: true, unhealthy: true });
  const left = statusOf(nextStep(task, status('running'), running, 0));
  assert.equal(left.serving, false);
  assert.equal(actionOf(nextStep(task, left, running, 0)), 'stop');
  const ended = statusOf(nextStep(task, left, { ...running, container: container({ status: 'exited', exitCode: 137 }) }, 0));
  assert.deepEqual([ended.state, ended.error], ['failed', 'task: non-zero exit (137): dockerexec: unhealthy container']);
});

test('a running task says which of its published ports another program on the node has, as long as it has it', () => {
  const ports = [8080, 8081].map((publishedPort) => ({ protocol: 'tcp', targetPort: 80, publishedPort, publishMode: 'ingress' }) as const);
  const published = testTask('t1', { ports });
  const running = facts({ container: container(), announced: true, portsInUse: ['tcp/22', 'tcp/8081', 'udp/8080'] });
  const warned = statusOf(nextStep(published, status('running'), running, 5));
  assert.deepEqual([warned.state, warned.error], ['running', 'published port 8081/tcp already in use by another program on this node: not served here']);
  assert.deepEqual(nextStep(published, warned, running, 5), { kind: 'wait' });
  assert.equal(statusOf(nextStep(published, warned, { ...running, portsInUse: [] }, 6)).error, undefined);
  const ended = statusOf(nextStep(published, warned, { ...running, container: container({ status: 'exited' }) }, 7));
  assert.deepEqual([ended.state, ended.error], ['complete', undefined]);
});

test('failures before starting reject a task, later ones fail it; the message stays that of the step', () => {
  const rejected = statusOf(nextStep(task, status('preparing', { message: 'preparing' }), facts({ failure: 'No such image: x' }), 0));
  assert.deepEqual([rejected.state, rejected.message, rejected.error], ['rejected', 'preparing', 'No such image: x']);
  const failed = statusOf(nextStep(task, status('starting', { message: 'starting' }), facts({ failure: 'starting container failed: no' }), 0));
  assert.deepEqual([failed.state, failed.message, failed.error], ['failed', 'starting', 'starting container failed: no']);
});

test('a process that ends with an error has failed, with its exit code and what is known of the cause', () => {
  const end = (changes: Partial<ContainerState>) =>
    statusOf(nextStep(task, status('running', { message: 'started' }), facts({ container: container({ status: 'exited', ...changes }) }), 0));
  assert.equal(end({ exitCode: 1 }).error, 'task: non-zero exit (1)');
  assert.equal(end({ exitCode: 137, oomKilled: true }).error, 'task: non-zero exit (137): container ran out of memory');
  assert.deepEqual(end({ exitCode: 1 }).container, { containerId: 'c1', pid: 0, exitCode: 1 });
  assert.equal(statusOf(nextStep(task, status('running'), facts({}), 0)).error, 'dockerexec: container destroyed');
});

test('a process that ended before anybody looked was running all the same', () => {
  const exited = facts({ container: container({ status: 'exited', exitCode: 2 }) });
  const running = statusOf(nextStep(task, status('starting'), exited, 0));
  assert.equal(running.state, 'running');
  assert.equal(statusOf(nextStep(task, running, exited, 0)).state, 'failed');
});

test('a task with ingress ports is not let into the load balancers before they listen, at most for a bounded time', () => {
  const published = testTask('t1', { ports: [{ protocol: 'tcp', targetPort: 80, publishedPort: 80, publishMode: 'ingress' }] });
  const known = facts({ container: container(), announced: true });
  const running = statusOf(nextStep(published, status('starting'), known, 100));
  assert.deepEqual([running.serving, running.startedAt], [false, 100]);
  assert.equal(actionOf(nextStep(published, running, known, 100)), 'probe-serving');
  assert.equal(statusOf(nextStep(published, running, { ...known, serving: true }, 101)).serving, true);
  assert.equal(statusOf(nextStep(published, running, known, 100 + SERVING_TIMEOUT_MS)).serving, true);
  assert.equal(statusOf(nextStep(task, status('starting'), known, 0)).serving, undefined);
});

test('an orderly shutdown waits for the load balancers, then for connections, then sends the signal', () => {
  const stopping = testTask('t1', { desiredState: 'shutdown', version: 9 });
  const running = facts({ container: container(), announced: true });
  assert.equal(actionOf(nextStep(stopping, status('running'), running, 100)), 'mark-leaving');
  const leaving = { ...running, leavingSince: 100 };
  assert.deepEqual(nextStep(stopping, status('running'), leaving, 101), { kind: 'wait', wakeAt: 100 + LEAVE_TIMEOUT_MS });
  const applied = { ...leaving, networkAppliedVersion: 9 };
  assert.equal(actionOf(nextStep(stopping, status('running'), applied, 101)), 'drain');
  assert.equal(actionOf(nextStep(stopping, status('running'), leaving, 100 + LEAVE_TIMEOUT_MS)), 'drain');
  assert.equal(actionOf(nextStep(stopping, status('running'), { ...applied, drained: true }, 101)), 'stop');
  const ended = statusOf(nextStep(stopping, status('running'), { ...applied, container: container({ status: 'exited', exitCode: 137 }) }, 102));
  assert.deepEqual([ended.state, ended.message, ended.error, ended.container?.exitCode], ['shutdown', 'shutdown', undefined, 137]);
});

test('a task that is over and whose container runs all the same is stopped', () => {
  const shut = testTask('t1', { desiredState: 'shutdown' });
  assert.equal(actionOf(nextStep(shut, status('orphaned'), facts({ container: container() }), 0)), 'stop');
  assert.deepEqual(nextStep(shut, status('orphaned'), facts({ container: container({ status: 'exited' }) }), 0), { kind: 'wait' });
});

test('an attachment goes to running without a container', () => {
  const attachment: Task = testTask('t1', { spec: { runtime: { kind: 'attachment', containerId: 'x' }, forceUpdate: 0 } });
  assert.equal(actionOf(nextStep(attachment, status('preparing'), noFacts, 0)), 'prepare');
  assert.equal(actionOf(nextStep(attachment, status('starting'), noFacts, 0)), 'announce');
  assert.equal(statusOf(nextStep(attachment, status('starting'), { ...noFacts, announced: true }, 0)).state, 'running');
  assert.equal(statusOf(nextStep({ ...attachment, desiredState: 'remove' }, status('running'), noFacts, 0)).state, 'shutdown');
});

const anyStatus = fc
  .record({ state: fc.constantFrom(...(Object.keys(taskStateRank) as TaskState[])), serving: fc.option(fc.boolean(), { nil: undefined }) })
  .map(({ state, serving }) => status(state, serving === undefined ? {} : { serving }));
const anyContainer = fc.record({
  status: fc.constantFrom<ContainerState['status']>('created', 'running', 'exited'),
  exitCode: fc.constantFrom(0, 1, 137),
  health: fc.constantFrom<ContainerState['health']>('none', 'starting', 'healthy', 'unhealthy'),
});
const anyFacts = fc.record({
  container: fc.oneof(fc.constant(undefined), fc.constant('absent' as const), anyContainer.map(container)),
  prepared: fc.boolean(),
  announced: fc.boolean(),
  serving: fc.boolean(),
  failure: fc.option(fc.constant('broken'), { nil: undefined }),
  unhealthy: fc.boolean(),
  leavingSince: fc.option(fc.nat(5_000), { nil: undefined }),
  networkAppliedVersion: fc.integer({ min: -1, max: 3 }),
  drained: fc.boolean(),
  portsInUse: fc.subarray(['tcp/80']),
});
const anyDesired = fc.constantFrom<DesiredState>('ready', 'running', 'complete', 'shutdown', 'remove');
const anyTask = fc.record({ desiredState: anyDesired, attachment: fc.boolean(), published: fc.boolean() }).map(({ desiredState, attachment, published }) =>
  testTask('t1', {
    desiredState,
    ...(attachment ? { spec: { runtime: { kind: 'attachment', containerId: '' }, forceUpdate: 0 } } : {}),
    ...(published ? { ports: [{ protocol: 'tcp', targetPort: 80, publishedPort: 80, publishMode: 'ingress' }] } : {}),
  }),
);

test('whatever is seen, a status never goes back and a finished task stays as it is', () => {
  fc.assert(
    fc.property(anyTask, anyStatus, anyFacts, fc.nat(20_000), (anyOne, from, known, now) => {
      const step = nextStep(anyOne, from, known, now);
      if (step.kind !== 'status') return;
      assert.ok(!isTerminal(from.state), 'a finished task got another status');
      const order = compareStates(step.status.state, from.state);
      // The same state again only to say that it serves now or does not any more, or that somebody else has its port.
      assert.ok(order > 0 || (order === 0 && (step.status.serving !== from.serving || step.status.error !== from.error)));
      assert.ok(step.status.state !== 'running' || taskStateRank[anyOne.desiredState] > taskStateRank.ready || from.state !== 'ready');
    }),
    { numRuns: 5_000 },
  );
});

test('the same facts give the same step', () => {
  fc.assert(
    fc.property(anyTask, anyStatus, anyFacts, fc.nat(20_000), (anyOne, from, known, now) =>
      assert.deepEqual(nextStep(anyOne, from, known, now), nextStep(anyOne, from, known, now)),
    ),
  );
});

test('a task that shall stop ends within a bounded number of steps when actions do what they say', () => {
  fc.assert(
    fc.property(anyStatus, anyFacts, (from, known) => {
      const stopping = testTask('t1', { desiredState: 'shutdown' });
      let current = from;
      let seen: TaskFacts = { ...known, container: known.container ?? 'absent' };
      let now = 0;
      for (let steps = 0; steps < 10; steps++) {
        const step = nextStep(stopping, current, seen, now);
        if (step.kind === 'status') current = step.status;
        else if (step.kind === 'wait') {
          if (step.wakeAt === undefined) break;
          now = step.wakeAt;
        } else if (step.action === 'mark-leaving') seen = { ...seen, leavingSince: now };
        else if (step.action === 'drain') seen = { ...seen, drained: true };
        else {
          assert.equal(step.action, 'stop');
          seen = { ...seen, container: container({ status: 'exited', exitCode: 143 }) };
        }
      }
      assert.ok(isTerminal(current.state));
      assert.ok(typeof seen.container === 'string' || seen.container?.status !== 'running');
    }),
  );
});
