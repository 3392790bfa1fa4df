// Where Skep does otherwise than dockerd's swarm mode on purpose, by scenario. What differs by chance (which of equal slots is first, who of several waits) is no entry:
// such a scenario is to be looked at, and played again.

const ATTEMPTS = 'the attempts of a job count: dockerd starts its tasks again and again';
const NEWEST = 'old tasks that still run are kept by a rollback';
const UNHEALTHY = 'a task that its health check gave up has failed, also if it then says 0';

export const explained: Readonly<Record<string, string>> = {
  'job that fails': ATTEMPTS,
  'job that is not restarted': ATTEMPTS,
  'job forced after failure': ATTEMPTS,
  'global job that fails': ATTEMPTS,
  'global job forced': 'the completed tasks of former runs are its history, as with other jobs',
  'job rolled back': 'a rollback of a job is said to be completed',
  'failing rollback start-first': NEWEST,
  'failing rollback start-first parallelism 0': NEWEST,
  'relative mount': 'the state in which it was refused is named',
  unhealthy: UNHEALTHY,
};
