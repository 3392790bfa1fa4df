// Our command line in the test's process, against a daemon that is there too.
import { runCli } from '#cli/cli.ts';
import type { CliContext } from '#cli/context.ts';
import { serviceSpecFromJson, serviceSpecToJson } from '#api/convert/service.ts';
import { systemClock, systemRandom } from '#platform/clock.ts';

export interface SkepRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SkepInProcess {
  readonly socketPath: string;
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Who presses Ctrl-C; absent: nobody. */
  readonly onInterrupt?: CliContext['onInterrupt'];
}

/** `folder` is home, working directory and the docker CLI's configuration. */
export function skepInProcess(where: SkepInProcess) {
  const { socketPath, folder, environment = {}, onInterrupt = () => () => {} } = where;
  return async (...argv: readonly string[]): Promise<SkepRun> => {
    const texts = { stdout: '', stderr: '' };
    const output = (name: 'stdout' | 'stderr') => ({ write: (text: string | Uint8Array) => void (texts[name] += Buffer.from(text).toString()) });
    const code = await runCli(argv, {
      programName: 'skep',
      version: '0.0.0',
      gitCommit: 'test',
      environment: { DOCKER_HOST: `unix://${socketPath}`, DOCKER_CONFIG: folder, ...environment },
      workingDirectory: folder,
      homeDirectory: folder,
      stdin: process.stdin,
      stdout: output('stdout'),
      stderr: output('stderr'),
      clock: systemClock,
      random: systemRandom,
      onInterrupt,
      loadConverters: () => Promise.resolve({ serviceToJson: serviceSpecToJson, serviceFromJson: (spec) => serviceSpecFromJson(spec, undefined) }),
    });
    return { code, ...texts };
  };
}
