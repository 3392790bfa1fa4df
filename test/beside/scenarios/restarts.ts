// Tasks that end by themselves.
import { base, RUNS, type Scenario, type Spec, seconds } from '../stage.ts';

function ending(name: string, command: string, policy: Spec, more: (spec: Spec) => void = () => {}): Scenario {
  return {
    name,
    async run(stage) {
      const spec = base(command);
      spec.TaskTemplate.RestartPolicy = { Delay: seconds(0.2), ...policy };
      more(spec);
      await stage.create(spec);
      await stage.quiet(4_000);
    },
  };
}

export const restarts: readonly Scenario[] = [
  ending('restart none, exit 0', 'sleep 0.4', { Condition: 'none' }),
  ending('restart none, exit 1', 'sleep 0.4; exit 1', { Condition: 'none' }),
  ending('restart on-failure, exit 0', 'sleep 0.4', { Condition: 'on-failure' }),
  ending('restart on-failure, two attempts', 'sleep 0.4; exit 1', { Condition: 'on-failure', MaxAttempts: 2 }),
  ending('restart any, exit 0, two attempts', 'sleep 0.4', { Condition: 'any', MaxAttempts: 2 }),
  ending('restart any, many attempts', 'sleep 0.2; exit 1', { Condition: 'any', MaxAttempts: 7 }),
  ending('restart within a window', 'sleep 0.2; exit 1', { Condition: 'any', MaxAttempts: 2, Window: seconds(60) }),
  ending('restart delay', 'sleep 0.2; exit 1', { Condition: 'any', MaxAttempts: 1, Delay: seconds(2) }),
  ending('no such image', RUNS, { Condition: 'any', MaxAttempts: 1 }, (spec) => void (spec.TaskTemplate.ContainerSpec.Image = 'nosuch:1')),
  ending('no such program', RUNS, { Condition: 'any', MaxAttempts: 1 }, (spec) => void (spec.TaskTemplate.ContainerSpec.Command = ['/nosuch'])),
  ending('no such directory', RUNS, { Condition: 'any', MaxAttempts: 1 }, (spec) => {
    spec.TaskTemplate.ContainerSpec.Mounts = [{ Type: 'bind', Source: '/nosuch', Target: '/a' }];
  }),
  ending('no such user', RUNS, { Condition: 'any', MaxAttempts: 1 }, (spec) => void (spec.TaskTemplate.ContainerSpec.User = 'nosuch')),
  ending('relative mount', RUNS, { Condition: 'any', MaxAttempts: 1 }, (spec) => {
    spec.TaskTemplate.ContainerSpec.Mounts = [{ Type: 'volume', Source: 'v', Target: 'rel' }];
  }),
  ending('no such log driver', RUNS, { Condition: 'none' }, (spec) => void (spec.TaskTemplate.LogDriver = { Name: 'nosuch' })),
  ending('bad template at run time', RUNS, { Condition: 'none' }, (spec) => void (spec.TaskTemplate.ContainerSpec.Hostname = 'a b c')),
  ending('unhealthy', RUNS, { Condition: 'any', MaxAttempts: 1 }, (spec) => {
    spec.TaskTemplate.ContainerSpec.Healthcheck = { Test: ['CMD', 'false'], Interval: seconds(0.3), Timeout: seconds(1), Retries: 2 };
  }),
  ending('healthy after a while', 'sleep 1; touch /tmp/ok; trap "exit 0" TERM; sleep 1000 & wait', { Condition: 'any', MaxAttempts: 1 }, (spec) => {
    spec.TaskTemplate.ContainerSpec.Healthcheck = {
      Test: ['CMD', 'test', '-e', '/tmp/ok'],
      Interval: seconds(0.3),
      Timeout: seconds(1),
      Retries: 2,
      StartPeriod: seconds(10),
    };
  }),
  ending('ends before it is healthy', 'sleep 0.7; exit 0', { Condition: 'any', MaxAttempts: 1 }, (spec) => {
    spec.TaskTemplate.ContainerSpec.Healthcheck = { Test: ['CMD', 'false'], Interval: seconds(30), Timeout: seconds(1), Retries: 2 };
  }),
  fromOutside('killed', 'kill'),
  fromOutside('stopped', 'stop'),
  fromOutside('removed', 'rm', '-f'),
  {
    name: 'given up, then scaled and forced',
    async run(stage) {
      const spec = base('sleep 0.3; exit 1');
      spec.TaskTemplate.RestartPolicy.MaxAttempts = 1;
      await stage.create(spec);
      await stage.quiet();
      await stage.update((next) => void (next.Mode.Replicated.Replicas = 2));
      await stage.quiet();
      await stage.update((next) => void (next.TaskTemplate.ForceUpdate = 1));
      await stage.quiet();
    },
  },
];

/** Somebody does this to the container of a task that runs, past the swarm. */
function fromOutside(done: string, ...command: readonly string[]): Scenario {
  return {
    name: `${done} from outside`,
    async run(stage) {
      const spec = base();
      spec.TaskTemplate.Placement = { Constraints: ['node.role==manager'] };
      await stage.create(spec);
      await stage.running(1);
      const [task] = await stage.tasks();
      await stage.side.nodes[0]?.engine.docker(...command, task.Status.ContainerStatus.ContainerID);
      await stage.quiet();
    },
  };
}
