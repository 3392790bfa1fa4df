// Versions of configs under their logical names again: a Compose file says what a config holds, and a deploy finds the version that holds it.
import type { ServiceSpec } from '#domain/spec.ts';
import { NAMESPACE_LABEL } from '../convert/common.ts';
import { namesInUse } from '../plan/files.ts';
import { renameFiles } from '../plan/named.ts';
import { LOGICAL_NAME_LABEL, withoutVersionLabels } from '../plan/versions.ts';
import type { ExistingObjects } from '../plan-types.ts';

type Configs = ExistingObjects['configs'];

export interface LogicalConfigs {
  readonly specs: readonly ServiceSpec[];
  readonly configs: Configs;
}

/**
 * Where services use one version of a config, it takes the place of the others. Where they use several, as in the middle of a roll-out, all keep their names.
 * `isText`: only contents that a Compose file can hold.
 */
export function withLogicalNames(stack: string, { specs, configs }: LogicalConfigs, isText: (base64: string) => boolean): LogicalConfigs {
  const used = namesInUse(specs, 'configs');
  const own = configs.filter(({ spec }) => spec.labels[NAMESPACE_LABEL] === stack);
  const logicalName = ({ spec }: Configs[number]) => spec.labels[LOGICAL_NAME_LABEL] ?? spec.name;
  const inUse = own.filter(({ spec }) => used.has(spec.name));
  const chosen = inUse.filter((config) => isText(config.spec.data) && inUse.filter((other) => logicalName(other) === logicalName(config)).length === 1);
  const renamed = new Map(chosen.map((config) => [config.spec.name, logicalName(config)]));
  const settled = new Set(renamed.values());
  const others = configs.filter((config) => !own.includes(config) || !settled.has(logicalName(config)));
  const versions = chosen.map((config) => ({
    id: config.id,
    spec: { ...config.spec, name: logicalName(config), labels: withoutVersionLabels(config.spec.labels) },
  }));
  return { specs: specs.map((spec) => renameFiles(spec, { secrets: new Map(), configs: renamed })), configs: [...others, ...versions] };
}
