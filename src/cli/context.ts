// What a command has of the world: arguments of the program, so that tests can give their own.
import type { Clock } from '#lib/clock.ts';

export interface Output {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Input extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  off(event: 'data', listener: (chunk: Buffer) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

export interface CliContext {
  /** `skep`, or what it was called by. */
  readonly programName: string;
  readonly version: string;
  readonly gitCommit: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly homeDirectory: string;
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly clock: Clock;
  /** Calls `listener` at each Ctrl-C in place of ending the program; returns what undoes that. */
  onInterrupt(listener: () => void): () => void;
  /** What `skep up` starts a swarm with; absent where that cannot be done. */
  startSwarm?(): Promise<string>;
}
