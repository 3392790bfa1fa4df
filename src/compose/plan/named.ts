// Specs with names in the place of ids, as a stack says them: so that what is there can be compared with what is wanted, and exported.
import { equalSpecs } from '#lib/equal.ts';
import type { Config, Network, Secret, Service } from '#domain/objects.ts';
import type { ContainerSpec, ServiceSpec } from '#domain/spec.ts';
import type { ExistingObjects } from '../plan-types.ts';

/** Where the engine's form of a network shows what it was allocated. */
const VXLAN_IDS = 'com.docker.network.driver.overlay.vxlanid_list';

/** A network's driver options as they were asked for. */
export function withoutAllocated(options: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  const { [VXLAN_IDS]: _ids, ...asked } = options ?? {};
  return asked;
}

export interface NamesById {
  readonly networks: ReadonlyMap<string, string>;
  readonly configs: ReadonlyMap<string, string>;
}

export function namesById({ networks, configs }: Pick<ExistingObjects, 'networks' | 'configs'>): NamesById {
  const names = (objects: readonly Pick<Network | Config | Secret | Service, 'id' | 'spec'>[]) => new Map(objects.map(({ id, spec }) => [id, spec.name]));
  return { networks: names(networks), configs: names(configs) };
}

/** The spec with networks by name, in order of name, and no ids; registry credentials, which are never given out, left aside. */
export function namedSpec(given: ServiceSpec, names: NamesById): ServiceSpec {
  const spec = withoutNulls(given) as ServiceSpec;
  const { networks: oldNetworks, ...rest } = spec;
  const attachments = spec.task.networks ?? oldNetworks;
  const { runtime } = spec.task;
  return {
    ...rest,
    task: {
      ...spec.task,
      runtime: runtime.kind === 'container' ? { kind: 'container', container: namedContainer(runtime.container, names) } : runtime,
      ...(attachments === undefined
        ? {}
        : {
            networks: attachments
              .map((one) => ({ ...one, target: names.networks.get(one.target) ?? one.target }))
              .sort((a, b) => (a.target < b.target ? -1 : a.target > b.target ? 1 : 0)),
          }),
    },
  };
}

function namedContainer(container: ContainerSpec, names: NamesById): ContainerSpec {
  const { registryAuth: _auth, ...spec } = container;
  const credential = spec.privileges?.credentialSpec;
  return {
    ...spec,
    ...(spec.secrets ? { secrets: spec.secrets.map((one) => ({ ...one, secretId: '' })) } : {}),
    ...(spec.configs ? { configs: spec.configs.map((one) => ({ ...one, configId: '' })) } : {}),
    ...(credential?.config
      ? { privileges: { ...spec.privileges, credentialSpec: { ...credential, config: names.configs.get(credential.config) ?? credential.config } } }
      : {}),
  };
}

/** `after` with its secrets and configs in the order of `before` when they are the same ones: Docker's CLI sends them in any order, which means nothing. */
export function inOrderOf(before: ServiceSpec, after: ServiceSpec): ServiceSpec {
  const [old, { runtime }] = [before.task.runtime, after.task];
  if (old.kind !== 'container' || runtime.kind !== 'container') return after;
  const secrets = sameOnes(old.container.secrets, runtime.container.secrets);
  const configs = sameOnes(old.container.configs, runtime.container.configs);
  const container = { ...runtime.container, ...(secrets ? { secrets } : {}), ...(configs ? { configs } : {}) };
  return { ...after, task: { ...after.task, runtime: { kind: 'container', container } } };
}

/** The first list when the second has the same elements. */
function sameOnes<T>(first: readonly T[] | undefined, second: readonly T[] | undefined): readonly T[] | undefined {
  const texts = (list: readonly T[]) => list.map((one) => JSON.stringify(one)).sort();
  return first && second && equalSpecs(texts(first), texts(second)) ? first : undefined;
}

/** The spec with other names of secrets and configs, such as those of versions for logical ones. */
export function renameFiles(
  spec: ServiceSpec,
  names: { readonly secrets: ReadonlyMap<string, string>; readonly configs: ReadonlyMap<string, string> },
): ServiceSpec {
  const { runtime } = spec.task;
  if (runtime.kind !== 'container') return spec;
  const { secrets, configs, privileges } = runtime.container;
  const credential = privileges?.credentialSpec;
  const container: ContainerSpec = {
    ...runtime.container,
    ...(secrets ? { secrets: secrets.map((one) => ({ ...one, secretName: names.secrets.get(one.secretName) ?? one.secretName })) } : {}),
    ...(configs ? { configs: configs.map((one) => ({ ...one, configName: names.configs.get(one.configName) ?? one.configName })) } : {}),
    ...(credential?.config
      ? { privileges: { ...privileges, credentialSpec: { ...credential, config: names.configs.get(credential.config) ?? credential.config } } }
      : {}),
  };
  return { ...spec, task: { ...spec.task, runtime: { kind: 'container', container } } };
}

/** Specs that came as JSON have nulls for what is absent. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, item]) => (item === null || item === undefined ? [] : [[key, withoutNulls(item)]])));
}
