// A running stack → a Compose project. Converting what comes out gives the same specs again, on every field: what Compose cannot say is found by converting
// the exported service and comparing, and goes along as the service's remainder.
import { Buffer } from 'node:buffer';
import { dependenciesOf } from '#domain/depends-on.ts';
import type { NetworkSpec, ServiceSpec } from '#domain/spec.ts';
import { compact, IMAGE_LABEL, type Loose, NAMESPACE_LABEL, nonEmpty, scoped } from '../convert/common.ts';
import { convertProject } from '../convert/convert.ts';
import { type LoadedProject, loadProject } from '../load/load.ts';
import { printProject } from '../print.ts';
import { equalSpecs } from '#lib/equal.ts';
import { AppError } from '#lib/errors.ts';
import { familiarImage } from '#lib/image-reference.ts';
import { LOGICAL_NAME_LABEL, withoutVersionLabels } from '../plan/versions.ts';
import type { ExistingObjects } from '../plan-types.ts';
import { namedSpec, namesById, withoutAllocated } from '../plan/named.ts';
import type { FileObject, Network, Project, Service, Volume } from '../project.ts';
import { NAME_PATTERN } from '../schema/top-level.ts';
import { withLogicalNames } from './logical.ts';
import { type ExportKeys, exportService, isNetworkMode } from './service.ts';
import { makePatch, REMAINDER_KEY } from './remainder.ts';

/** A project as `loadProject` would give it, for `printProject` and `convertProject`. */
export function exportStack(stack: string, objects: ExistingObjects): LoadedProject {
  const names = namesById(objects);
  const own = objects.services.filter(({ spec }) => spec.labels[NAMESPACE_LABEL] === stack).map(({ spec }) => imageAsWritten(namedSpec(spec, names)));
  const { specs, configs } = withLogicalNames(stack, { specs: own, configs: objects.configs }, (data) => textOf(data) !== undefined);
  const sorted = [...specs].sort((a, b) => (a.name < b.name ? -1 : 1));
  return exportSpecs(stack, sorted, { ...objects, configs });
}

/** A tag that the file left out was added at the deploy; a deploy of the shorter name finds nothing to change. */
function imageAsWritten(spec: ServiceSpec): ServiceSpec {
  const { runtime } = spec.task;
  const written = spec.labels[IMAGE_LABEL];
  if (written === undefined || runtime.kind !== 'container' || familiarImage(written) !== runtime.container.image) return spec;
  return { ...spec, task: { ...spec.task, runtime: { kind: 'container', container: { ...runtime.container, image: written } } } };
}

/** Specs with names in the place of ids. */
export function exportSpecs(stack: string, specs: readonly ServiceSpec[], objects: ExistingObjects): LoadedProject {
  const serviceKeys = uniqueKeys(
    stack,
    specs.map(({ name }) => name),
  );
  const keys = { ...keysOf(stack, specs, objects), services: dependencyKeys(stack, specs, serviceKeys) };
  const sections = {
    networks: exportNetworks(stack, keys.networks, objects),
    volumes: exportVolumes(stack, keys.volumes, specs),
    secrets: exportFiles(stack, keys.secrets, []),
    configs: exportFiles(stack, keys.configs, objects.configs),
  };
  const services = specs.map((spec) => [serviceKeys.get(spec.name) ?? spec.name, spec] as const);
  const draft = loadedProject({ services: Object.fromEntries(services.map(([key, spec]) => [key, exportService(key, spec, keys)])), ...sections });
  const complete = services.map(([key, spec]) => [key, withRemainder(stack, { key, spec, draft })] as const);
  return loadedProject({ services: Object.fromEntries(complete), ...sections });
}

function loadedProject({ services, networks, volumes, secrets, configs }: Loose<Project>): LoadedProject {
  const project = compact<Project>({
    services,
    networks: nonEmpty(networks),
    volumes: nonEmpty(volumes),
    secrets: nonEmpty(secrets),
    configs: nonEmpty(configs),
  });
  return { project, marks: new Map(), warnings: [], directory: '/', interpolated: true, variable: () => undefined };
}

/**
 * The exported service with what its conversion still lacks, after the way through print and load. A spec that cannot be converted at all (the API takes
 * things that a Compose file refuses) goes into the remainder as a whole.
 */
function withRemainder(stack: string, { key, spec, draft }: { readonly key: string; readonly spec: ServiceSpec; readonly draft: LoadedProject }): Service {
  const full = draft.project.services[key] ?? {};
  for (const service of [full, full.image === undefined ? {} : { image: full.image }, { image: PLACEHOLDER }]) {
    const converted = convertAlone(stack, key, { ...draft.project, services: { ...stubsOf(draft.project), [key]: service } });
    if (converted === undefined) continue;
    const patch = equalSpecs(converted, spec) ? undefined : makePatch(converted, spec);
    return patch === undefined ? service : { ...service, [REMAINDER_KEY]: patch };
  }
  return full;
}

/** Stands where the remainder brings the image. */
const PLACEHOLDER = 'image';

/** Of the other services what a service's own conversion asks of them: that they are there, and whom they wait for. */
function stubsOf({ services }: Project): Project['services'] {
  return Object.fromEntries(
    Object.entries(services).map(([key, { depends_on: dependsOn }]) => [key, compact<Service>({ image: PLACEHOLDER, depends_on: dependsOn })]),
  );
}

/** Full name → key, of the services that `depends_on` can name: of this stack, and in no circle. Else the label says it. */
function dependencyKeys(stack: string, specs: readonly ServiceSpec[], keys: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const named = new Map([...keys].filter(([name, key]) => scoped(stack, key) === name));
  const byName = new Map(specs.map((spec) => [spec.name, dependenciesOf({ spec }).map(({ service }) => service)]));
  const reaches = (from: string, to: string, seen: Set<string>): boolean =>
    (byName.get(from) ?? []).some((next) => next === to || (!seen.has(next) && reaches(next, to, seen.add(next))));
  return new Map([...named].filter(([name]) => !reaches(name, name, new Set())));
}

/** The spec of one service of a project. */
function convertAlone(stack: string, key: string, project: Project): ServiceSpec | undefined {
  const text = new TextEncoder().encode(printProject(loadedProject(project)));
  try {
    const loaded = loadProject({
      files: ['-'],
      workingDirectory: '/',
      environment: {},
      reader: { read: (path) => (path === '-' ? text : undefined) },
      profiles: ['*'],
    });
    return convertProject(loaded, stack).services.find((service) => service.key === key)?.spec;
  } catch (error) {
    if (error instanceof AppError) return undefined;
    throw error;
  }
}

/** "web" of "app_web"; the whole name of what is not called after the stack. Never a key that Compose does not take. */
function keyOf(stack: string, name: string): string {
  const own = name.startsWith(`${stack}_`) ? name.slice(stack.length + 1) : name;
  return NAME_PATTERN.test(own) ? own : own.replaceAll(/[^a-zA-Z0-9._-]/g, '-') || '-';
}

function keysOf(stack: string, specs: readonly ServiceSpec[], { networks, configs }: ExistingObjects): Omit<ExportKeys, 'services'> {
  const containers = specs.flatMap(({ task: { runtime } }) => (runtime.kind === 'container' ? [runtime.container] : []));
  const ofStack = (objects: readonly { readonly spec: { readonly name: string; readonly labels: Readonly<Record<string, string>> } }[]) =>
    objects.filter(({ spec }) => spec.labels[NAMESPACE_LABEL] === stack && spec.labels[LOGICAL_NAME_LABEL] === undefined).map(({ spec }) => spec.name);
  const credentials = containers.flatMap(({ privileges }) => privileges?.credentialSpec?.config || []);
  return {
    networks: uniqueKeys(stack, [
      ...specs.flatMap(({ task }) => task.networks ?? []).flatMap((one) => (isNetworkMode(one) ? [] : [one.target])),
      ...ofStack(networks),
    ]),
    volumes: uniqueKeys(
      stack,
      containers.flatMap(({ mounts = [] }) => mounts.flatMap(({ type, source }) => (type === 'volume' && source ? [source] : []))),
    ),
    secrets: uniqueKeys(
      stack,
      containers.flatMap(({ secrets = [] }) => secrets.map(({ secretName }) => secretName)),
    ),
    configs: uniqueKeys(stack, [
      ...containers.flatMap(({ configs: used = [] }) => used.map(({ configName }) => configName)),
      ...credentials,
      ...ofStack(configs),
    ]),
  };
}

/** Full name → key, no key twice. */
function uniqueKeys(stack: string, names: readonly string[]): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  const taken = new Set<string>();
  for (const name of [...new Set(names)].sort()) {
    const wanted = keyOf(stack, name);
    let key = wanted;
    for (let count = 2; taken.has(key); count += 1) key = `${wanted}-${count}`;
    taken.add(key);
    keys.set(name, key);
  }
  return keys;
}

function exportNetworks(stack: string, keys: ReadonlyMap<string, string>, { networks }: ExistingObjects): Project['networks'] {
  return Object.fromEntries(
    [...keys].map(([name, key]): [string, Network] => {
      const spec = networks.find((network) => network.spec.name === name && network.spec.labels[NAMESPACE_LABEL] === stack)?.spec;
      return [key, spec === undefined ? { name, external: true } : exportNetwork(spec, name === scoped(stack, key) ? undefined : name)];
    }),
  );
}

function exportNetwork(spec: NetworkSpec, name: string | undefined): Network {
  const { driver, ipam } = spec;
  const { [NAMESPACE_LABEL]: _stack, ...labels } = spec.labels;
  return compact<Network>({
    name,
    driver: driver?.name === 'overlay' ? undefined : driver?.name,
    driver_opts: nonEmpty(withoutAllocated(driver?.options)),
    ipam:
      ipam &&
      compact<NonNullable<Network['ipam']>>({
        driver: ipam.driver?.name ?? 'default',
        config: nonEmpty(
          ipam.configs.map(({ subnet, range, gateway, reserved }) => compact({ subnet, ip_range: range, gateway, aux_addresses: nonEmpty(reserved) })),
        ),
        options: nonEmpty(ipam.driver?.options),
      }),
    internal: spec.internal || undefined,
    attachable: spec.attachable || undefined,
    enable_ipv6: spec.ipv6 || undefined,
    labels: nonEmpty(labels),
  });
}

/** Driver and labels are those that the first mount of the volume says. */
function exportVolumes(stack: string, keys: ReadonlyMap<string, string>, specs: readonly ServiceSpec[]): Project['volumes'] {
  const mounts = specs.flatMap(({ task: { runtime } }) => (runtime.kind === 'container' ? (runtime.container.mounts ?? []) : []));
  return Object.fromEntries(
    [...keys].map(([name, key]): [string, Volume] => {
      const { labels = {}, driver } = mounts.find(({ type, source }) => type === 'volume' && source === name)?.volume ?? {};
      if (labels[NAMESPACE_LABEL] !== stack) return [key, { name, external: true }];
      const { [NAMESPACE_LABEL]: _stack, ...others } = labels;
      return [
        key,
        compact<Volume>({
          name: name === scoped(stack, key) ? undefined : name,
          driver: driver?.name,
          driver_opts: nonEmpty(driver?.options),
          labels: nonEmpty(others),
        }),
      ];
    }),
  );
}

/** A config of the stack with its content, where it is text; everything else, and every secret, is there already. */
function exportFiles(stack: string, keys: ReadonlyMap<string, string>, configs: ExistingObjects['configs']): Readonly<Record<string, FileObject>> {
  return Object.fromEntries(
    [...keys].map(([name, key]): [string, FileObject] => {
      const spec = configs.find((config) => config.spec.name === name && config.spec.labels[NAMESPACE_LABEL] === stack)?.spec;
      const content = spec === undefined ? undefined : textOf(spec.data);
      // A newer version of a config is known by a name of its own, which a deploy would not choose again.
      if (spec === undefined || content === undefined || spec.labels[LOGICAL_NAME_LABEL] !== undefined) return [key, { name, external: true }];
      const { [NAMESPACE_LABEL]: _stack, ...labels } = withoutVersionLabels(spec.labels);
      return [
        key,
        compact<FileObject>({
          name: name === scoped(stack, key) ? undefined : name,
          content,
          labels: nonEmpty(labels),
          template_driver: spec.templating?.name,
        }),
      ];
    }),
  );
}

/** UTF-8 text that survives the way through YAML; undefined for anything else. */
function textOf(base64: string): string | undefined {
  const bytes = Buffer.from(base64, 'base64');
  const text = bytes.toString('utf8');
  if (text === '' || !Buffer.from(text, 'utf8').equals(bytes)) return undefined;
  return UNPRINTABLE.test(text.replaceAll(/[\n\t]/g, '')) ? undefined : text;
}

/** Control characters, and line ends that are not everybody's. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\ufeff]/u;
