// skep: the command line. Entry point only; commands live in cli/. What is compiled once is kept (bin/skep says where), so that the next start is quick.
import { homedir } from 'node:os';

// Not for the programs that we start.
delete process.env['NODE_COMPILE_CACHE'];
const { runCli } = await import('#cli/cli.ts');
const { gitCommit, skepVersion } = await import('./version.ts');
const { systemClock, systemRandom } = await import('#platform/clock.ts');

// A reader that has gone (`skep … | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
// What cannot be said there can be said nowhere; the exit code tells.
process.stderr.on('error', () => {});

/** A folder that was removed while a shell is in it has no name, and a user without a line in /etc/passwd no home. */
function folderOr(find: () => string, other: string): string {
  try {
    return find();
  } catch {
    return other;
  }
}

process.exitCode = await runCli(process.argv.slice(2), {
  programName: 'skep',
  version: skepVersion,
  gitCommit: gitCommit(),
  environment: process.env,
  workingDirectory: folderOr(() => process.cwd(), '/'),
  homeDirectory: folderOr(homedir, '/'),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  clock: systemClock,
  random: systemRandom,
  onInterrupt(listener) {
    process.on('SIGINT', listener);
    return () => process.off('SIGINT', listener);
  },
  startSwarm: async () => (await import('./start-swarm.ts')).startSwarm(),
  async loadConverters() {
    const { serviceSpecFromJson, serviceSpecToJson } = await import('#api/convert/service.ts');
    return { serviceToJson: serviceSpecToJson, serviceFromJson: (spec) => serviceSpecFromJson(spec, undefined) };
  },
});
