// skep: the command line. Entry point only; commands live in cli/.
import { runCli } from '#cli/cli.ts';
import { skepVersion } from './version.ts';

process.exitCode = await runCli(process.argv.slice(2), { version: skepVersion, environment: process.env, stdout: process.stdout, stderr: process.stderr });
