// Compose files → a stack, and back. Pure: whoever calls brings a reader, the environment and the swarm's objects, and carries out what comes out.
// Specs are domain types; api/convert makes the API's JSON of them and back.

export type { ExistingObjects, FieldChange, FileStep, NetworkStep, PlanOptions, ServiceStep, StackPlan } from './plan-types.ts';
export type { Plain, Project } from './project.ts';
export type {
  ComposeWarning,
  ContainerExtras,
  Dependency,
  DeviceRequest,
  FileSource,
  ResolvedFile,
  ResolvedNetwork,
  ResolvedService,
  ResolvedStack,
  ResolvedVolume,
} from './stack.ts';

/** How files are read. Paths are absolute, or "-" for the standard input. */
export interface ComposeReader {
  /** The bytes of a file, or undefined when there is none. Throws, with a message for the user, when it cannot be read. */
  read(path: string): Uint8Array | undefined;
}

export interface LoadOptions {
  /** As the user gave them, relative to `workingDirectory`; "-" is the standard input. Later files win. */
  readonly files: readonly string[];
  readonly workingDirectory: string;
  readonly reader: ComposeReader;
  /** The caller's environment variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Files of variables; default: `.env` beside the first file, if it is there. The environment wins over them. */
  readonly envFiles?: readonly string[];
  /** Services with profiles are left out unless one of theirs is named here (`*`: all) or in COMPOSE_PROFILES. */
  readonly profiles?: readonly string[];
  /** False: `$…` stays as it is. Such a project can be printed, not converted. */
  readonly interpolate?: boolean;
}
