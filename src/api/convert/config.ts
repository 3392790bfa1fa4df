// Configs: JSON ↔ domain.
import type { Config as WireConfig, ConfigSpec as WireConfigSpec } from '#docker-api/secret-config.ts';
import type { Config } from '#domain/objects.ts';
import type { ConfigSpec } from '#domain/spec.ts';
import { compact, memoized, metaToJson, nonEmpty, sortedMap } from './common.ts';
import { driverFromJson, driverToJson } from './task-spec.ts';

export function configSpecFromJson(wire: WireConfigSpec): ConfigSpec {
  return compact<ConfigSpec>({
    name: wire.Name ?? '',
    labels: wire.Labels ?? {},
    data: wire.Data ?? '',
    templating: wire.Templating && driverFromJson(wire.Templating),
  });
}

export function configToJson(config: Config): WireConfig {
  const { spec } = config;
  return {
    ...metaToJson(config),
    Spec: {
      Name: nonEmpty(spec.name),
      Labels: sortedMap(spec.labels),
      Data: nonEmpty(spec.data),
      Templating: spec.templating && driverToJson(spec.templating),
    },
  };
}

export const configToText = memoized((config: Config) => JSON.stringify(configToJson(config)));
