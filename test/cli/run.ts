// Runs `skep` and `docker` on one daemon as users do, as processes, and makes their outputs comparable: the program's own name and the passing of time aside.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const skepMain = fileURLToPath(new URL('../../src/main/skep.ts', import.meta.url));

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface BothPrograms {
  skep(...args: readonly string[]): Promise<Outcome>;
  docker(...args: readonly string[]): Promise<Outcome>;
  close(): void;
}

const PATIENCE_MS = 60_000;

export function bothPrograms(socketPath: string): BothPrograms {
  const configFolder = mkdtempSync(join(tmpdir(), 'skep-cli-'));
  const env = { ...process.env, DOCKER_HOST: `unix://${socketPath}`, DOCKER_CONFIG: configFolder };
  const run = (file: string, args: readonly string[]) =>
    new Promise<Outcome>((resolve) => {
      const child = execFile(file, args, { env, timeout: PATIENCE_MS, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr });
      });
      child.stdin?.end();
    });
  return {
    skep: (...args) => run(process.execPath, ['--disable-warning=ExperimentalWarning', '--', skepMain, ...args]),
    docker: (...args) => run('docker', args),
    close: () => rmSync(configFolder, { recursive: true, force: true }),
  };
}

/** Without what may differ: who says it, how long ago something was, and the one option of ours that docker's help cannot have. */
export function comparable({ code, stdout, stderr }: Outcome): Outcome {
  return { code, stdout: comparableText(stdout), stderr: comparableText(stderr) };
}

function comparableText(text: string): string {
  return text
    .replaceAll(/\bdocker\b/g, 'skep')
    .replaceAll(/(\d+ (seconds?|minutes?|hours?)|[Aa]bout a(n hour| minute)|[Ll]ess than a second)( ago)?/g, 'a while')
    .replaceAll(/ +/g, ' ')
    .replaceAll(/ $/gm, '')
    .replace(/^ --deny-engine-options [^]*?(?=^ --)/m, '');
}
