// What a deploy would do: desired stack against what is there. Decided in plan.ts, shown by `stack diff` and carried out by `stack deploy`.
import type { Config, Network, Secret, Service } from '#domain/objects.ts';
import type { ConfigSpec, NetworkSpec, SecretSpec, ServiceSpec } from '#domain/spec.ts';
import type { ResolvedNetwork } from './stack.ts';

/** Objects of the swarm; those of other stacks do no harm, external ones have to be among them. */
export interface ExistingObjects {
  readonly services: readonly Pick<Service, 'id' | 'spec' | 'previousSpec'>[];
  readonly networks: readonly Pick<Network, 'id' | 'spec'>[];
  /** A secret's data is never given out: its content is compared by the digest in its labels. */
  readonly secrets: readonly Pick<Secret, 'id' | 'spec'>[];
  readonly configs: readonly Pick<Config, 'id' | 'spec'>[];
}

export interface PlanOptions {
  /** Remove services that are no longer in the stack. */
  readonly prune?: boolean;
  /** Only these services (keys); everything else stays as it is. */
  readonly services?: readonly string[];
  /** Restart services that have not changed, too. */
  readonly force?: boolean;
  /** Hex text of at least 16 random bytes: salts the digests of secrets that have none yet. */
  readonly salt: string;
}

export interface StackPlan {
  readonly stack: string;
  readonly networks: readonly NetworkStep[];
  readonly secrets: readonly FileStep<SecretSpec>[];
  readonly configs: readonly FileStep<ConfigSpec>[];
  readonly services: readonly ServiceStep[];
  /** What cannot be done, in Docker's words; a plan with problems is not carried out. */
  readonly problems: readonly string[];
}

export type NetworkStep =
  | { readonly action: 'create'; readonly name: string; readonly network: ResolvedNetwork; readonly spec: NetworkSpec }
  /** A network that is there is never changed: `differs` names what would be. */
  | { readonly action: 'unchanged'; readonly name: string; readonly id: string; readonly differs: readonly string[] };

/**
 * A secret or config. `name` is the version's own name; `logicalName` is what the stack calls it.
 * `collect`: an old version that no current or previous spec of a service uses any more.
 */
export type FileStep<Spec> =
  | { readonly action: 'create'; readonly name: string; readonly logicalName: string; readonly spec: Spec; readonly replaces?: string }
  | {
      readonly action: 'update';
      readonly name: string;
      readonly logicalName: string;
      readonly id: string;
      readonly spec: Spec;
      readonly changes: readonly FieldChange[];
    }
  | { readonly action: 'unchanged'; readonly name: string; readonly logicalName: string; readonly id: string }
  | { readonly action: 'collect'; readonly name: string; readonly logicalName: string; readonly id: string };

export type ServiceStep =
  | { readonly action: 'create'; readonly name: string; readonly key: string; readonly spec: ServiceSpec }
  | {
      readonly action: 'update';
      readonly name: string;
      readonly key: string;
      readonly id: string;
      readonly spec: ServiceSpec;
      readonly changes: readonly FieldChange[];
      /** Whether its tasks are replaced (the task template changed), or only counts, labels and ports do. */
      readonly restarts: boolean;
    }
  | { readonly action: 'unchanged'; readonly name: string; readonly key: string; readonly id: string }
  | { readonly action: 'remove'; readonly name: string; readonly key: string; readonly id: string };

export interface FieldChange {
  /** "task.container.image" */
  readonly path: string;
  /** As shown to people; absent when there was nothing. */
  readonly before?: string;
  readonly after?: string;
}
