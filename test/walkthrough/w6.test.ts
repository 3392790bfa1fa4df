// W6 of the walkthrough: updates and rollback, by either command line against real containers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { convergedText } from '../lib/cli-version.ts';
import { run, until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';
import { startClientLoop } from './client-loop.ts';
import { type Cli, withEitherProgram } from './programs.ts';

interface TaskRow {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly desired: string;
  readonly current: string;
  readonly error: string;
}

withEitherProgram('W6: updates and rollback', { skip: process.getuid?.() !== 0 && 'needs root' }, ({ program, cliOf }) => {
  let skepd: TestSkepd;
  let cli: Cli;

  before(async () => {
    skepd = await startSkepd({ engineOptions: { name: `w6-${program}` } });
    cli = cliOf(skepd);
    // Each answers with its own name; a second is what a real service takes to stop.
    for (const tag of ['web:1', 'web:2']) {
      const serve = `trap 'sleep 0.2; exit 0' TERM; echo ${tag} > /var/www/index.html; httpd -f -p 80 -h /var/www & wait; wait`;
      await skepd.engine.importBusybox(tag, `CMD ${JSON.stringify(['sh', '-c', serve])}`);
    }
    await skepd.engine.importBusybox('web:broken', 'CMD ["sh","-c","exit 7"]');
    await skepd.engine.importBusybox(
      'web:sick',
      `CMD ["sh","-c","trap 'exit 0' TERM; sleep 1000 & wait"]`,
      'HEALTHCHECK --interval=500ms --timeout=1s --retries=2 CMD ["false"]',
    );
    await skepd.init();
  });

  after(async () => {
    await skepd?.stop();
  });

  async function tasks(service: string): Promise<readonly TaskRow[]> {
    const output = await cli.run(
      'service',
      'ps',
      '--no-trunc',
      '--format',
      '{{.ID}}|{{.Name}}|{{.Image}}|{{.DesiredState}}|{{.CurrentState}}|{{.Error}}',
      service,
    );
    return output.split('\n').map((line) => {
      const [id = '', name = '', image = '', desired = '', current = '', error = ''] = line.split('|');
      return { id, name: name.replace(/^ *\\_ /, ''), image, desired, current, error };
    });
  }

  async function running(service: string): Promise<readonly TaskRow[]> {
    return (await tasks(service)).filter(({ desired, current }) => desired === 'Running' && current.startsWith('Running'));
  }

  async function updateStatus(service: string): Promise<{ readonly State: string; readonly Message: string }> {
    return JSON.parse(await cli.run('service', 'inspect', '--format', '{{json .UpdateStatus}}', service));
  }

  const imageOf = (service: string) => cli.run('service', 'inspect', '--format', '{{.Spec.TaskTemplate.ContainerSpec.Image}}', service);

  const createArguments = (name: string, ...more: readonly string[]) => [
    'service',
    'create',
    '--quiet',
    '--no-resolve-image',
    '--name',
    name,
    '--replicas',
    '4',
    '--update-monitor',
    '1s',
    ...more,
    'web:1',
  ];

  /** Counts, as often as it can, how many containers of a service run at once, until `work` is done. */
  async function watchContainers<T>(service: string, work: Promise<T>): Promise<{ readonly result: T; readonly least: number; readonly most: number }> {
    const state = { isOver: false, least: Number.POSITIVE_INFINITY, most: 0 };
    const watching = (async () => {
      while (!state.isOver) {
        const names = await skepd.engine.docker('ps', '-q', '--filter', `label=com.docker.swarm.service.name=${service}`);
        const count = names.split('\n').filter((line) => line !== '').length;
        state.least = Math.min(state.least, count);
        state.most = Math.max(state.most, count);
      }
    })();
    try {
      return { result: await work, ...state };
    } finally {
      state.isOver = true;
      await watching;
    }
  }

  test('a rolling update replaces task by task, loses no request, and leaves its history', async () => {
    await cli.run(...createArguments('roll', '-p', '8081:80', '--update-delay', '500ms'));
    const url = `http://${skepd.engine.address}:8081/`;
    assert.equal((await skepd.engine.client.exec(['curl', '-s', '-m', '5', url])).stdout.trim(), 'web:1');
    const client = await startClientLoop(skepd.engine, url);
    const update = cli.say('roll', ['service', 'update', '--no-resolve-image', '--image', 'web:2', 'roll']);
    const { result, least } = await watchContainers('roll', update);
    const answers = await client.stop();
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /^roll\n/);
    assert.match(result.stdout, new RegExp(`${convergedText('roll')}\\n$`));
    assert.ok(least >= 3, `one at a time, but only ${least} of 4 ran at some moment`);
    assert.deepEqual(
      answers.filter((answer) => answer !== 'web:1' && answer !== 'web:2'),
      [],
    );
    assert.ok(answers.includes('web:1') && answers.includes('web:2'), `${answers.length} answers`);
    await until('the update is complete', async () => (await updateStatus('roll')).State === 'completed');
    assert.equal((await updateStatus('roll')).Message, 'update completed');
    const history = (await cli.say('history', ['service', 'ps', 'roll'])).stdout.trim().split('\n').slice(1);
    for (const [index, line] of history.entries()) {
      const slot = Math.floor(index / 2) + 1;
      assert.match(
        line,
        index % 2 === 0 ? new RegExp(` roll\\.${slot} +web:2 .*Running +Running `) : new RegExp(` \\\\_ roll\\.${slot} +web:1 .*Shutdown +Shutdown `),
      );
    }
    assert.equal(history.length, 8);
  });

  test('start-first starts the new task before the old one stops', async () => {
    await cli.run(...createArguments('first', '--update-order', 'start-first', '--update-parallelism', '2'));
    const { result, least, most } = await watchContainers('first', cli.try(['service', 'update', '--no-resolve-image', '--image', 'web:2', 'first']));
    assert.equal(result.code, 0, result.stderr);
    // Old containers may still be stopping while the next new ones start: there is no bound but twice the replicas.
    assert.ok(least >= 4 && most > 4 && most <= 8, `between ${least} and ${most} containers ran`);
    assert.deepEqual(
      (await running('first')).map(({ image }) => image),
      Array.from({ length: 4 }, () => 'web:2'),
    );
  });

  test('an update that nothing depends on restarts no task', async () => {
    await cli.run(...createArguments('same'));
    const before = await tasks('same');
    await cli.run(
      'service',
      'update',
      '--quiet',
      '--no-resolve-image',
      '--label-add',
      'a=b',
      '--update-delay',
      '1s',
      '--constraint-add',
      'node.role==manager',
      'same',
    );
    assert.deepEqual(
      (await tasks('same')).map(({ id }) => id),
      before.map(({ id }) => id),
    );
    await cli.run('service', 'update', '--quiet', '--no-resolve-image', '--force', 'same');
    const after = await running('same');
    assert.equal(after.length, 4);
    assert.ok(after.every(({ id }) => !before.some((task) => task.id === id)));
  });

  test('a bad image pauses the update after what the policy allows, and the rest goes on', async () => {
    await cli.run(...createArguments('pause', '--update-delay', '10s', '--restart-delay', '200ms'));
    const result = await cli.say('pause', ['service', 'update', '--no-resolve-image', '--image', 'web:broken', 'pause']);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /service update paused: update paused due to failure or early termination of task [a-z0-9]{25}/);
    assert.equal((await updateStatus('pause')).State, 'paused');
    const rows = await tasks('pause');
    // The delay outlasts the failure: the second slot is never begun.
    const touched = new Set(rows.filter(({ image }) => image === 'web:broken').map(({ name }) => name));
    assert.equal(touched.size, 1);
    assert.equal((await running('pause')).filter(({ image }) => image === 'web:1').length, 3);
    assert.match(rows.find(({ image, error }) => image === 'web:broken' && error !== '')?.error ?? '', /task: non-zero exit \(7\)/);
    // Repairing the image takes the roll-out up again.
    const repaired = await cli.try(['service', 'update', '--quiet', '--no-resolve-image', '--update-delay', '0s', '--image', 'web:2', 'pause']);
    assert.equal(repaired.code, 0, repaired.stderr);
    assert.deepEqual(
      (await running('pause')).map(({ image }) => image),
      Array.from({ length: 4 }, () => 'web:2'),
    );
  });

  test('a health check that fails rolls the update back by itself, without a lost request', async () => {
    await cli.run(
      ...createArguments('heal', '-p', '8082:80', '--update-failure-action', 'rollback', '--update-order', 'start-first', '--rollback-monitor', '1s'),
    );
    const client = await startClientLoop(skepd.engine, `http://${skepd.engine.address}:8082/`);
    const result = await cli.try(['service', 'update', '--no-resolve-image', '--image', 'web:sick', 'heal']);
    const answers = await client.stop();
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, new RegExp(convergedText('heal')));
    assert.deepEqual(
      answers.filter((answer) => answer !== 'web:1'),
      [],
    );
    assert.equal(await imageOf('heal'), 'web:1');
    await until('the rollback is complete', async () => (await updateStatus('heal')).State === 'rollback_completed');
    assert.deepEqual(
      (await running('heal')).map(({ image }) => image),
      Array.from({ length: 4 }, () => 'web:1'),
    );
  });

  test('the CLI tells why an update was rolled back', async () => {
    await cli.run(...createArguments('why', '--replicas', '1', '--update-failure-action', 'rollback', '--rollback-monitor', '1s'));
    const result = await cli.say('why', ['service', 'update', '--no-resolve-image', '--image', 'web:sick', 'why']);
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /overall progress: rolling back update: 1 out of 1 tasks/);
    assert.match(result.stdout, /rollback: update rolled back due to failure or early termination of task [a-z0-9]{25}/);
  });

  test('a failure ratio is kept, and "continue" goes through with it', async () => {
    await cli.run(...createArguments('ratio', '--update-max-failure-ratio', '0.5', '--update-delay', '1s', '--restart-condition', 'none'));
    const ratio = await cli.try(['service', 'update', '--no-resolve-image', '--image', 'web:broken', 'ratio']);
    assert.equal(ratio.code, 1);
    const failedSlots = new Set((await tasks('ratio')).filter(({ image }) => image === 'web:broken').map(({ name }) => name));
    // 2 of 4 are half, which is allowed; the third is one too many.
    assert.equal(failedSlots.size, 3);
    await cli.run(...createArguments('onward', '--update-failure-action', 'continue', '--update-parallelism', '0', '--restart-condition', 'none'));
    await cli.run('service', 'update', '--detach', '--no-resolve-image', '--image', 'web:broken', 'onward');
    await until('every slot has the new image', async () => (await tasks('onward')).filter(({ image }) => image === 'web:broken').length === 4);
    assert.notEqual((await updateStatus('onward')).State, 'paused');
  });

  test('rollback returns to the spec before, and twice to the newer one', async () => {
    await cli.run(...createArguments('back'));
    await cli.run('service', 'update', '--quiet', '--no-resolve-image', '--image', 'web:2', '--env-add', 'A=1', 'back');
    const first = await cli.say('back', ['service', 'rollback', 'back']);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^back\n/);
    assert.match(first.stdout, /rollback: manually requested rollback/);
    assert.equal(await imageOf('back'), 'web:1');
    assert.deepEqual(
      (await running('back')).map(({ image }) => image),
      Array.from({ length: 4 }, () => 'web:1'),
    );
    await until('the rollback is complete', async () => (await updateStatus('back')).State === 'rollback_completed');
    await cli.run('service', 'update', '--quiet', '--rollback', 'back');
    assert.equal(await imageOf('back'), 'web:2');
    assert.equal((await running('back')).filter(({ image }) => image === 'web:2').length, 4);
    const fresh = await cli.run(...createArguments('fresh'));
    const none = await cli.say('fresh', ['service', 'rollback', 'fresh']);
    assert.deepEqual(
      [none.code, none.stderr.trim()],
      [1, `Error response from daemon: rpc error: code = FailedPrecondition desc = service ${fresh} does not have a previous spec`],
    );
  });

  test('nothing is left of a service that is removed', async () => {
    const names = (await cli.run('service', 'ls', '--format', '{{.Name}}')).split('\n');
    await cli.run('service', 'rm', ...names);
    await until('no container is left', async () => (await run(['docker', '-H', `unix://${skepd.engine.socket}`, 'ps', '-aq'])).stdout.trim() === '');
  });
});
