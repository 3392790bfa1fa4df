// The JSON of secrets and configs.
import type { ObjectMeta } from './meta.ts';
import { driverShape } from './service-spec.ts';
import { bytes, type Infer, string, stringMap, struct } from './shape.ts';

export const secretSpecShape = struct('SecretSpec', { Name: string, Labels: stringMap, Data: bytes, Driver: driverShape, Templating: driverShape });
export const configSpecShape = struct('ConfigSpec', { Name: string, Labels: stringMap, Data: bytes, Templating: driverShape });

export type SecretSpec = Infer<typeof secretSpecShape>;
export type ConfigSpec = Infer<typeof configSpecShape>;

export interface Secret extends ObjectMeta {
  /** Never with `Data`. */
  readonly Spec: SecretSpec;
}

export interface Config extends ObjectMeta {
  readonly Spec: ConfigSpec;
}
