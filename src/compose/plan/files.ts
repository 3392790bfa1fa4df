// Secrets and configs of a stack against those that are there: which version holds the wanted content, which must be made, which nobody needs any more.
import type { ConfigSpec, Labels, SecretSpec, ServiceSpec } from '#domain/spec.ts';
import { equalSpecs } from '#lib/equal.ts';
import { compact, NAMESPACE_LABEL } from '../convert/common.ts';
import type { FileStep } from '../plan-types.ts';
import type { ResolvedFile } from '../stack.ts';
import { changesBetween } from './changes.ts';
import {
  configDigest,
  DIGEST_LABEL,
  isSameConfig,
  isSameSecret,
  LOGICAL_NAME_LABEL,
  saltOf,
  secretDigest,
  versionName,
  withoutVersionLabels,
} from './versions.ts';

interface Existing<Spec> {
  readonly id: string;
  readonly spec: Spec;
}

export interface FilePlan<Spec> {
  readonly steps: readonly FileStep<Spec>[];
  /** Logical name → the version to use. */
  readonly versions: ReadonlyMap<string, string>;
}

interface Kind<Spec extends ConfigSpec | SecretSpec> {
  readonly specOf: (file: ResolvedFile) => Spec;
  readonly isSame: (wanted: Spec, existing: Spec) => boolean;
  /** The labels that a version carries besides the user's, and its digest. */
  readonly digestOf: (wanted: Spec, versions: readonly Existing<Spec>[]) => string;
  readonly labelsOf: (digest: string) => Labels;
}

export function planConfigs(files: readonly ResolvedFile[], existing: readonly Existing<ConfigSpec>[]): FilePlan<ConfigSpec> {
  return planFiles(files, existing, {
    specOf: ({ name, labels, data = '', templating }) => compact<ConfigSpec>({ name, labels, data, templating }),
    isSame: isSameConfig,
    digestOf: configDigest,
    labelsOf: () => ({}),
  });
}

/** `salt` is for secrets of which no version has a digest yet. */
export function planSecrets(files: readonly ResolvedFile[], existing: readonly Existing<SecretSpec>[], salt: string): FilePlan<SecretSpec> {
  return planFiles(files, existing, {
    specOf: ({ name, labels, data, templating, source }) =>
      compact<SecretSpec>({ name, labels, data, driver: source.kind === 'driver' ? source.driver : undefined, templating }),
    isSame: isSameSecret,
    digestOf: (wanted, versions) =>
      secretDigest(wanted, versions.map(({ spec }) => saltOf(spec.labels[DIGEST_LABEL])).find((known) => known !== undefined) ?? salt),
    labelsOf: (digest) => ({ [DIGEST_LABEL]: digest }),
  });
}

function planFiles<Spec extends ConfigSpec | SecretSpec>(
  files: readonly ResolvedFile[],
  existing: readonly Existing<Spec>[],
  kind: Kind<Spec>,
): FilePlan<Spec> {
  const own = files.filter(({ source }) => source.kind !== 'external');
  const steps = own.map((file) => planFile(file, versionsOf(file.name, existing), kind));
  return { steps, versions: new Map(steps.map(({ logicalName, name }) => [logicalName, name])) };
}

/** All versions of a logical name: the first by its name, later ones by their label. */
function versionsOf<Spec extends ConfigSpec | SecretSpec>(logicalName: string, existing: readonly Existing<Spec>[]): readonly Existing<Spec>[] {
  return existing
    .filter(({ spec }) => spec.name === logicalName || spec.labels[LOGICAL_NAME_LABEL] === logicalName)
    .sort((a, b) => (a.spec.name < b.spec.name ? -1 : 1));
}

function planFile<Spec extends ConfigSpec | SecretSpec>(file: ResolvedFile, versions: readonly Existing<Spec>[], kind: Kind<Spec>): FileStep<Spec> {
  const wanted = kind.specOf(file);
  const logicalName = file.name;
  const found = versions.find(({ spec }) => kind.isSame(wanted, spec));
  if (found === undefined) return createStep(wanted, logicalName, versions, kind);
  const { id, spec } = found;
  if (equalSpecs(withoutVersionLabels(spec.labels), wanted.labels)) return { action: 'unchanged', name: spec.name, logicalName, id };
  const kept = Object.fromEntries(Object.entries(spec.labels).filter(([name]) => name === LOGICAL_NAME_LABEL || name === DIGEST_LABEL));
  const labels = { ...wanted.labels, ...kept };
  return { action: 'update', name: spec.name, logicalName, id, spec: { ...spec, labels }, changes: changesBetween(spec.labels, labels, 'labels') };
}

function createStep<Spec extends ConfigSpec | SecretSpec>(
  wanted: Spec,
  logicalName: string,
  versions: readonly Existing<Spec>[],
  kind: Kind<Spec>,
): FileStep<Spec> {
  const digest = kind.digestOf(wanted, versions);
  const labels = { ...wanted.labels, ...kind.labelsOf(digest) };
  const [before] = versions;
  if (before === undefined) return { action: 'create', name: logicalName, logicalName, spec: { ...wanted, labels } };
  const name = versionName(logicalName, digest);
  return {
    action: 'create',
    name,
    logicalName,
    spec: { ...wanted, name, labels: { ...labels, [LOGICAL_NAME_LABEL]: logicalName } },
    replaces: before.spec.name,
  };
}

/**
 * Versions of the stack's files that no service refers to, neither in a spec that is or will be, nor in one that it could be rolled back to.
 */
export function collectSteps<Spec extends ConfigSpec | SecretSpec>(
  stack: string,
  existing: readonly Existing<Spec>[],
  { versions, inUse }: { readonly versions: ReadonlyMap<string, string>; readonly inUse: ReadonlySet<string> },
): readonly FileStep<Spec>[] {
  return existing.flatMap(({ id, spec }): FileStep<Spec>[] => {
    const logicalName = spec.labels[LOGICAL_NAME_LABEL] ?? spec.name;
    const chosen = versions.get(logicalName);
    const isOld = chosen !== undefined && chosen !== spec.name && spec.labels[NAMESPACE_LABEL] === stack;
    return isOld && !inUse.has(spec.name) ? [{ action: 'collect', name: spec.name, logicalName, id }] : [];
  });
}

/** Names of the secrets or configs that specs refer to. */
export function namesInUse(specs: readonly ServiceSpec[], kind: 'secrets' | 'configs'): ReadonlySet<string> {
  return new Set(
    specs.flatMap(({ task: { runtime } }) => {
      if (runtime.kind !== 'container') return [];
      const { secrets = [], configs = [] } = runtime.container;
      return kind === 'secrets' ? secrets.map(({ secretName }) => secretName) : configs.map(({ configName }) => configName);
    }),
  );
}
