// What a command has of the world: arguments of the program, so that tests can give their own.
import type { ResolvedService } from '#compose/index.ts';
import type { ServiceSpec } from '#docker-api/service-spec.ts';
import type { Clock, Random } from '#lib/clock.ts';

export interface Output {
  write(text: string | Uint8Array): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Input extends AsyncIterable<Uint8Array | string> {
  readonly isTTY?: boolean;
  /** Nothing more will come of it. */
  readonly readableEnded?: boolean;
  setRawMode?(raw: boolean): unknown;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  once(event: 'end', listener: () => void): unknown;
  off(event: 'data', listener: (chunk: Buffer) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

/** A spec of the domain, as compose/ names it. */
export type DomainServiceSpec = ResolvedService['spec'];

export interface SpecConverters {
  readonly serviceToJson: (spec: DomainServiceSpec) => ServiceSpec;
  readonly serviceFromJson: (spec: ServiceSpec) => DomainServiceSpec;
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
  readonly random: Random;
  /** Calls `listener` at each Ctrl-C in place of ending the program; returns what undoes that. */
  onInterrupt(listener: () => void): () => void;
  /** Compose makes specs of the domain; the API speaks JSON. Read only when a stack is meant. */
  readonly loadConverters: () => Promise<SpecConverters>;
  /** What `skep up` starts a swarm with; absent where that cannot be done. */
  readonly startSwarm?: () => Promise<string>;
}
