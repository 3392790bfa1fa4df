// Secrets: JSON ↔ domain. Data goes in only: nothing here can show it.
import type { Secret as WireSecret, SecretSpec as WireSecretSpec } from '#docker-api/secret-config.ts';
import type { Secret } from '#domain/objects.ts';
import type { SecretSpec } from '#domain/spec.ts';
import { compact, memoized, metaToJson, nonEmpty, sortedMap } from './common.ts';
import { driverFromJson, driverToJson } from './task-spec.ts';

export function secretSpecFromJson(wire: WireSecretSpec): SecretSpec {
  return compact<SecretSpec>({
    name: wire.Name ?? '',
    labels: wire.Labels ?? {},
    data: nonEmpty(wire.Data),
    driver: wire.Driver && driverFromJson(wire.Driver),
    templating: wire.Templating && driverFromJson(wire.Templating),
  });
}

export function secretToJson(secret: Secret): WireSecret {
  const { spec } = secret;
  return {
    ...metaToJson(secret),
    Spec: {
      Name: nonEmpty(spec.name),
      Labels: sortedMap(spec.labels),
      Driver: spec.driver && driverToJson(spec.driver),
      Templating: spec.templating && driverToJson(spec.templating),
    },
  };
}

export const secretToText = memoized((secret: Secret) => JSON.stringify(secretToJson(secret)));
