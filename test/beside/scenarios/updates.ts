// Creating, scaling, updating and going back.
import { base, command, FAILS, RUNS, type Scenario, type Spec, type Stage, seconds } from '../stage.ts';

const env = (spec: Spec, value: string) => void (spec.TaskTemplate.ContainerSpec.Env = [value]);

/** A running service, updated to something that fails, with these settings. */
function failing(
  name: string,
  settings: Spec,
  { replicas = 2, bad = FAILS, after }: { replicas?: number; bad?: string; after?: (stage: Stage) => Promise<void> } = {},
): Scenario {
  return {
    name,
    async run(stage) {
      const spec = base(RUNS, replicas);
      // One try for each task: what comes after depends on how fast a machine is.
      spec.TaskTemplate.RestartPolicy = { Condition: 'any', Delay: seconds(0.2), MaxAttempts: 1 };
      Object.assign(spec.UpdateConfig, settings);
      await stage.create(spec);
      await stage.running(replicas);
      await stage.update((next) => command(next, bad));
      await stage.quiet();
      await after?.(stage);
    },
  };
}

function updated(name: string, settings: Spec, replicas = 3): Scenario {
  return {
    name,
    async run(stage) {
      const spec = base(RUNS, replicas);
      Object.assign(spec.UpdateConfig, settings);
      await stage.create(spec);
      await stage.running(replicas);
      await stage.update((next) => env(next, 'A=2'));
      await stage.status('completed');
      await stage.quiet(1_500);
    },
  };
}

const settle = (change: (spec: Spec) => void, query?: string) => async (stage: Stage) => {
  await stage.update(change, query === undefined ? {} : { query });
  await stage.quiet();
};

const SLOT_ONE_FAILS = '[ "$SLOT" = 1 ] && { sleep 2; exit 3; }; trap "exit 0" TERM; sleep 1000 & wait';
const slotFails = (spec: Spec) => {
  env(spec, 'SLOT={{.Task.Slot}}');
  command(spec, SLOT_ONE_FAILS);
};

export const updates: readonly Scenario[] = [
  {
    name: 'create three',
    async run(stage) {
      await stage.create(base(RUNS, 3));
      await stage.running(3);
    },
  },
  {
    name: 'scale up and down',
    async run(stage) {
      await stage.create(base(RUNS, 1));
      await stage.running(1);
      await stage.update((spec) => void (spec.Mode.Replicated.Replicas = 3));
      await stage.running(3);
      await stage.update((spec) => void (spec.Mode.Replicated.Replicas = 1));
      await stage.running(1);
      await stage.quiet();
      await stage.update((spec) => void (spec.Mode.Replicated.Replicas = 0));
      await stage.quiet();
      await stage.update((spec) => void (spec.Mode.Replicated.Replicas = 2));
      await stage.running(2);
    },
  },
  updated('update stop-first', {}),
  updated('update start-first', { Order: 'start-first' }),
  updated('update parallelism 0', { Parallelism: 0 }),
  updated('update parallelism 2', { Parallelism: 2 }),
  updated('update delay', { Delay: seconds(0.7) }, 2),
  updated('update delay beyond monitor', { Delay: seconds(4.5), Order: 'start-first' }, 2),
  failing('failing pause', {}),
  failing('failing pause start-first', { Order: 'start-first' }),
  failing('failing continue', { FailureAction: 'continue' }),
  failing('failing continue start-first', { FailureAction: 'continue', Order: 'start-first' }),
  failing('failing rollback', { FailureAction: 'rollback' }),
  failing('failing rollback start-first', { FailureAction: 'rollback', Order: 'start-first' }),
  failing('failing rollback start-first parallelism 0', { FailureAction: 'rollback', Order: 'start-first', Parallelism: 0 }, { replicas: 3 }),
  failing('failing rollback single start-first', { FailureAction: 'rollback', Order: 'start-first' }, { replicas: 1 }),
  failing('failing rollback parallelism 0', { FailureAction: 'rollback', Parallelism: 0 }, { replicas: 3 }),
  failing('failing exits zero', { FailureAction: 'pause' }, { bad: 'sleep 2' }),
  failing('failing at once', { FailureAction: 'pause' }, { bad: 'exit 7' }),
  failing('failing no such program', { FailureAction: 'rollback' }, { bad: 'exec /nosuch' }),
  failing('paused then back', {}, { after: settle((spec) => command(spec, RUNS)) }),
  failing('paused start-first then back', { Order: 'start-first' }, { after: settle((spec) => command(spec, RUNS)) }),
  failing('paused start-first then back single', { Order: 'start-first' }, { replicas: 1, after: settle((spec) => command(spec, RUNS)) }),
  failing('paused then better', {}, { after: settle((spec) => command(spec, `${RUNS} # better`)) }),
  failing('paused start-first then better', { Order: 'start-first' }, { after: settle((spec) => command(spec, `${RUNS} # better`)) }),
  failing('paused then rollback', {}, { after: settle(() => {}, '&rollback=previous') }),
  failing('paused start-first then rollback', { Order: 'start-first' }, { after: settle(() => {}, '&rollback=previous') }),
  failing('paused then labels', {}, { after: settle((spec) => void (spec.Labels = { a: 'b' })) }),
  failing('paused start-first then labels', { Order: 'start-first' }, { after: settle((spec) => void (spec.Labels = { a: 'b' })) }),
  failing('paused then scaled', {}, { after: settle((spec) => void (spec.Mode.Replicated.Replicas = 3)) }),
  failing('paused then scaled down', {}, { after: settle((spec) => void (spec.Mode.Replicated.Replicas = 1)) }),
  failing('paused then forced', {}, { after: settle((spec) => void (spec.TaskTemplate.ForceUpdate = 1)) }),
  {
    name: 'failure ratio not reached',
    async run(stage) {
      const spec = base(RUNS, 4);
      spec.TaskTemplate.RestartPolicy.MaxAttempts = 1;
      spec.UpdateConfig.MaxFailureRatio = 0.5;
      spec.UpdateConfig.Parallelism = 2;
      await stage.create(spec);
      await stage.running(4);
      await stage.update(slotFails);
      await stage.quiet();
    },
  },
  {
    name: 'failure ratio reached',
    async run(stage) {
      const spec = base(RUNS, 4);
      spec.TaskTemplate.RestartPolicy.MaxAttempts = 1;
      spec.UpdateConfig.MaxFailureRatio = 0.2;
      spec.UpdateConfig.FailureAction = 'rollback';
      spec.UpdateConfig.Parallelism = 0;
      await stage.create(spec);
      await stage.running(4);
      await stage.update(slotFails);
      await stage.quiet();
    },
  },
  {
    name: 'rollback that fails',
    async run(stage) {
      const spec = base('[ -e /proc/uptime ] && sleep 2; exit 3');
      spec.TaskTemplate.RestartPolicy.MaxAttempts = 1;
      spec.UpdateConfig.FailureAction = 'rollback';
      await stage.create(spec);
      await stage.quiet();
      await stage.update((next) => command(next, FAILS));
      await stage.quiet();
    },
  },
  {
    name: 'rollback twice',
    async run(stage) {
      await stage.create(base(RUNS, 2));
      await stage.running(2);
      await stage.update((spec) => env(spec, 'A=2'));
      await stage.status('completed');
      await stage.update(() => {}, { query: '&rollback=previous' });
      await stage.status('rollback_completed');
      stage.say(`env ${JSON.stringify((await stage.service()).Spec.TaskTemplate.ContainerSpec.Env)}`);
      await stage.update(() => {}, { query: '&rollback=previous' });
      await stage.status('rollback_completed');
      await stage.quiet();
      stage.say(`env ${JSON.stringify((await stage.service()).Spec.TaskTemplate.ContainerSpec.Env)}`);
    },
  },
  {
    name: 'rollback of nothing',
    async run(stage) {
      await stage.create(base());
      await stage.running(1);
      await stage.update(() => {}, { query: '&rollback=previous' });
      await stage.update((spec) => void (spec.Labels = { a: 'b' }));
      await stage.quiet();
      await stage.update(() => {}, { query: '&rollback=previous' });
      await stage.quiet();
      stage.say(`labels ${JSON.stringify((await stage.service()).Spec.Labels)}`);
    },
  },
  {
    name: 'rollback start-first',
    async run(stage) {
      const spec = base(RUNS, 2);
      spec.RollbackConfig.Order = 'start-first';
      spec.RollbackConfig.Parallelism = 0;
      await stage.create(spec);
      await stage.running(2);
      await stage.update((next) => env(next, 'A=2'));
      await stage.status('completed');
      await stage.update(() => {}, { query: '&rollback=previous' });
      await stage.status('rollback_completed');
      await stage.quiet();
    },
  },
  {
    name: 'update while updating',
    async run(stage) {
      const spec = base(RUNS, 3);
      spec.UpdateConfig.Delay = seconds(3);
      await stage.create(spec);
      await stage.running(3);
      await stage.update((next) => env(next, 'A=2'));
      await stage.status('updating');
      await stage.quiet(1_200);
      await stage.update((next) => {
        env(next, 'A=3');
        next.UpdateConfig.Delay = 0;
      });
      await stage.status('completed');
      await stage.quiet();
    },
  },
  {
    name: 'update taken back while updating',
    async run(stage) {
      const spec = base(RUNS, 3);
      spec.UpdateConfig.Delay = seconds(3);
      await stage.create(spec);
      await stage.running(3);
      await stage.update((next) => env(next, 'A=2'));
      await stage.status('updating');
      await stage.quiet(1_200);
      await stage.update(() => {}, { query: '&rollback=previous' });
      await stage.status('rollback_completed');
      await stage.quiet();
    },
  },
  {
    name: 'scaled while updating',
    async run(stage) {
      const spec = base(RUNS, 2);
      spec.UpdateConfig.Delay = seconds(2);
      await stage.create(spec);
      await stage.running(2);
      await stage.update((next) => env(next, 'A=2'));
      await stage.quiet(1_000);
      await stage.update((next) => void (next.Mode.Replicated.Replicas = 4));
      await stage.status('completed');
      await stage.quiet();
    },
  },
  {
    name: 'removed while updating',
    async run(stage) {
      const spec = base(RUNS, 2);
      spec.UpdateConfig.Delay = seconds(5);
      await stage.create(spec);
      await stage.running(2);
      await stage.update((next) => env(next, 'A=2'));
      await stage.status('updating');
      await stage.remove();
      await stage.quiet();
    },
  },
  {
    name: 'update of nothing',
    async run(stage) {
      await stage.create(base());
      await stage.running(1);
      await stage.update(() => {});
      await stage.quiet(1_500);
      await stage.update((spec) => void (spec.Labels = { a: 'b' }));
      await stage.quiet(1_500);
      await stage.update((spec) => void (spec.UpdateConfig.Parallelism = 3));
      await stage.quiet(1_500);
      await stage.update((spec) => void (spec.TaskTemplate.RestartPolicy.Delay = seconds(1)));
      await stage.quiet(2_500);
    },
  },
  {
    name: 'history',
    async run(stage) {
      const spec = base();
      spec.UpdateConfig.Monitor = seconds(0.1);
      await stage.create(spec);
      await stage.running(1);
      for (let force = 1; force <= 7; force++) {
        await stage.update((next) => void (next.TaskTemplate.ForceUpdate = force));
        await stage.status('completed');
      }
      await stage.quiet();
      stage.say(`${(await stage.tasks()).length} tasks`);
    },
  },
  {
    name: 'slow to stop',
    async run(stage) {
      const spec = base('trap "" TERM; sleep 1000 & wait; sleep 1000');
      spec.TaskTemplate.ContainerSpec.StopGracePeriod = seconds(2);
      await stage.create(spec);
      await stage.running(1);
      await stage.update((next) => env(next, 'A=2'));
      await stage.status('completed');
      await stage.quiet();
    },
  },
  {
    name: 'stop signal',
    async run(stage) {
      const spec = base('trap "exit 5" USR1; sleep 1000 & wait');
      spec.TaskTemplate.ContainerSpec.StopSignal = 'SIGUSR1';
      await stage.create(spec);
      await stage.running(1);
      await stage.update((next) => env(next, 'A=2'));
      await stage.status('completed');
      await stage.quiet();
    },
  },
];
