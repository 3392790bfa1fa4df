import { createFakeClock } from '#lib/testing/fake-clock.ts';
import { executorContract } from '../../../test/contracts/executor.ts';
import { createFakeExecutor, type TaskScript } from './fake-executor.ts';
import { testAssignment, testDescription } from './tasks.ts';

const scripts: Readonly<Record<string, TaskScript>> = {
  runs: {},
  fails: { exitAfterMs: 1, exitCode: 3 },
  completes: { exitAfterMs: 1 },
  'no-image': { prepareError: 'No such image: nowhere:1' },
  'no-command': { startError: 'exec: "nothing": executable file not found in $PATH' },
  healthy: { health: [{ afterMs: 5, verdict: 'healthy' }] },
  unhealthy: { health: [{ afterMs: 5, verdict: 'unhealthy' }] },
};

executorContract('fake executor', async (use) => {
  const clock = createFakeClock();
  let count = 0;
  const executor = createFakeExecutor({ clock, description: testDescription, scriptFor: (task) => scripts[task.serviceName] ?? {} });
  // Whoever waits for time in a call gets it.
  let working = true;
  const moving = (async () => {
    while (working) await clock.advance(1);
  })();
  try {
    await use({
      executor,
      task: (kind, container) => testAssignment(`task-${(count += 1)}`, { serviceName: kind, container: { image: 'nowhere:1', ...container } }),
      pass: () => new Promise((resolve) => setImmediate(resolve)),
    });
  } finally {
    working = false;
    await moving;
  }
});
