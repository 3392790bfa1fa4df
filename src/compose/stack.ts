// A resolved stack: what a Compose project means to a swarm. Names are complete ("app_web"), references are by name: whoever deploys it fills in ids.
import type { Driver, Labels, NetworkSpec, ServiceSpec } from '#domain/spec.ts';

export interface ResolvedStack {
  readonly name: string;
  /** All lists are in order of their names. */
  readonly services: readonly ResolvedService[];
  readonly networks: readonly ResolvedNetwork[];
  readonly secrets: readonly ResolvedFile[];
  readonly configs: readonly ResolvedFile[];
  /** Named volumes; the engine of a node makes them when a task first needs them. */
  readonly volumes: readonly ResolvedVolume[];
  readonly warnings: readonly ComposeWarning[];
}

export interface ResolvedService {
  /** Its name in the Compose file; "web" of "app_web". */
  readonly key: string;
  /** Networks, secrets and configs are named, not identified: `target`, `secretName` and `configName` hold names, `secretId` and `configId` are empty. */
  readonly spec: ServiceSpec;
  readonly dependsOn: readonly Dependency[];
  readonly pullPolicy?: string;
}

export interface Dependency {
  /** The other service's key. */
  readonly key: string;
  readonly condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
  readonly required: boolean;
  /** Restart this service when the other one is updated. */
  readonly restart: boolean;
}

export interface ResolvedNetwork {
  readonly key: string;
  /** The user has it already: it is looked up by `spec.name` and not made. */
  readonly external: boolean;
  readonly spec: NetworkSpec;
}

/** A secret or a config. */
export interface ResolvedFile {
  readonly key: string;
  readonly name: string;
  readonly labels: Labels;
  readonly source: FileSource;
  readonly templating?: Driver;
  /** base64 of the content, once `readContents` has read it. Never printed. */
  readonly data?: string;
}

export type FileSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'content'; readonly content: string }
  | { readonly kind: 'driver'; readonly driver: Driver }
  | { readonly kind: 'external' };

export interface ResolvedVolume {
  readonly key: string;
  readonly name: string;
  readonly external: boolean;
  readonly driver?: Driver;
  readonly labels: Labels;
}

/**
 * Something that is not done as written. `unsupported` and `deprecated` are Docker's two lists of options; a `notice` is a sentence of its own.
 * `formatWarnings` makes Docker's text of them.
 */
export interface ComposeWarning {
  readonly kind: 'unsupported' | 'deprecated' | 'notice';
  /** The Compose key, or what the notice is about. */
  readonly name: string;
  /** Key of the service, where it is about one. */
  readonly service?: string;
  readonly message: string;
}
