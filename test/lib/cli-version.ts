// Which docker CLI the tests use. They are written for the newest one and pass with Debian 12's 20.10 too: what an older CLI cannot do is left out,
// with a message; nothing else is. This is the only place that looks at its version.
import { spawnSync } from 'node:child_process';

/** The major version of the `docker` on PATH; 0 without one. */
export function cliVersion(): number {
  const { stdout } = spawnSync('docker', ['--version'], { encoding: 'utf8' });
  return Number(/version (\d+)\./.exec(stdout ?? '')?.[1] ?? 0);
}

const version = cliVersion();

/** For `test(name, { skip })` and `t.diagnostic()`: false, or that the CLI is too old for `what`. */
export function lacksCli(since: number, what: string): string | false {
  return version < since && `docker CLI ${version} is too old for ${what}: ${since} is needed`;
}

/** `docker stack deploy` so that it does not wait; an old CLI never waits and does not know the flag. */
export const stackDeploy: readonly string[] = ['stack', 'deploy', ...(version < 26 ? [] : ['--detach=true'])];

/** What the CLI says when a service has converged: an old one does not name it. */
export const convergedText = (service: string) => (version < 26 ? 'verify: Service converged' : `verify: Service ${service} converged`);

/** What the CLI says of an object that the daemon does not know: an old one puts it in words of its own. */
export const notFound = (kind: string, name: string) =>
  version < 23 ? `Error: No such ${kind}: ${name}` : `Error response from daemon: ${kind} ${name} not found`;

/** What `docker stack ls` shows of the only stack: an old CLI names the orchestrator too. */
export const stackTable = (name: string, services: number) =>
  version < 23 ? new RegExp(`^NAME +SERVICES +ORCHESTRATOR\\n${name} +${services} +Swarm$`) : new RegExp(`^NAME +SERVICES\\n${name} +${services}$`);
