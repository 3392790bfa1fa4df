// The docker CLI as a client of a socket.
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const skipWithoutDocker: string | false = spawnSync('docker', ['--version']).status === 0 ? false : 'there is no docker CLI';

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DockerCli {
  /** Resolves with whatever the command gave. */
  run(...args: string[]): Promise<CliResult>;
  /** Standard output; rejects with the command's words when it fails. */
  ok(...args: string[]): Promise<string>;
  close(): void;
}

export function dockerCli(socketPath: string): DockerCli {
  const configFolder = mkdtempSync(join(tmpdir(), 'skep-cli-'));
  const run = (...args: string[]) =>
    new Promise<CliResult>((resolve) => {
      execFile('docker', ['--config', configFolder, '-H', `unix://${socketPath}`, ...args], (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
      });
    });
  return {
    run,
    async ok(...args) {
      const { code, stdout, stderr } = await run(...args);
      if (code !== 0) throw new Error(`docker ${args.join(' ')}: ${stderr}`);
      return stdout.trim();
    },
    close: () => rmSync(configFolder, { recursive: true, force: true }),
  };
}
