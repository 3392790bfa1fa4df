// What a command is: a table of its options, how it is called, and what it does. Help, completion, the reference and parsing all read the same table.
import type { Client } from '#client/client.ts';
import type { CliContext } from './context.ts';
import type { DockerConfig } from './docker-config.ts';
import type { Flags } from './flags.ts';

/** Docker's names of option types, which help shows. */
export interface FlagSpec {
  readonly name: string;
  readonly short?: string;
  /** Absent: yes or no. Else the word that help shows for the value. */
  readonly type?: string;
  readonly description: string;
  /** As help prints it: `5s`, `"vip"`. */
  readonly default?: string;
  /** Turns one value into what the command works with; throws Error with what is wrong. Absent: by `type`, in flags.ts. */
  readonly parse?: (text: string) => unknown;
  readonly hidden?: boolean;
  /** Words that completion offers. */
  readonly choices?: readonly string[];
}

export interface Invocation {
  readonly flags: Flags;
  readonly args: readonly string[];
  readonly context: CliContext;
  /** `service ls`. */
  readonly path: string;
  /** The docker CLI's configuration of this user. */
  readonly config: DockerConfig;
  /** Made when first asked for. */
  readonly client: () => Promise<Client>;
  /** Name of the context in use and its address, for `info` and `version`. */
  readonly where: { readonly context: string; readonly address: string };
  /** What is known of contexts without looking for them: the name of the one in use, and where `default` leads. */
  readonly contexts: { readonly current: string; readonly defaultAddress: string };
}

export type CompletionKind = 'service' | 'node' | 'secret' | 'config' | 'network' | 'volume' | 'stack' | 'container' | 'task' | 'file' | 'context' | 'dev-node';

export interface CommandSpec {
  /** What follows the command's name in the usage line: `[OPTIONS] SERVICE`. */
  readonly usage: string;
  /** `maximum` absent: any number. */
  readonly arguments: { readonly minimum: number; readonly maximum?: number };
  readonly flags: readonly FlagSpec[];
  /** Options end at the first argument: `service create IMAGE COMMAND…`. */
  readonly optionsFirst?: boolean;
  /** What completion offers for arguments. */
  readonly completes?: CompletionKind;
  /** Resolves with the exit code; undefined is 0. */
  readonly run: (invocation: Invocation) => Promise<number | undefined>;
}

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Other names of it, as help shows them under "Aliases". */
  readonly aliases?: readonly string[];
  /** Not in Docker's CLI. */
  readonly own?: boolean;
  readonly hidden?: boolean;
  /** Imported only when the command is meant: start-up reads no file it does not need. */
  readonly load: () => Promise<CommandSpec>;
}

export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly CommandEntry[];
}

/** Something wrong in how the program was called. Exit code 125 is an option's, 1 the rest's, as with docker. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The exit code of what Ctrl-C ended, as a shell has it. */
export const INTERRUPTED = 130;

/** Ends with a code and prints nothing more: what was to be said has been said. */
export class ExitError extends Error {
  override readonly name = 'ExitError';
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}
