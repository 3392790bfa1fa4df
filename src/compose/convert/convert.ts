// A Compose project → a resolved stack, named and labelled as Docker's CLI does it.
import { DEPENDS_ON_LABEL, writeDependencies } from '#domain/depends-on.ts';
import type { Driver, Labels, ServiceSpec, TaskSpec } from '#domain/spec.ts';
import type { LoadedProject } from '../load/load.ts';
import type { Service } from '../project.ts';
import type { ComposeWarning, Dependency, ResolvedService, ResolvedStack, ResolvedVolume } from '../stack.ts';
import { composeError } from '../yaml/node.ts';
import { applyRemainder } from '../export/remainder.ts';
import { byText, checkName, compact, type ConvertContext, IMAGE_LABEL, nonEmpty, scoped, stackLabels, unsupported } from './common.ts';
import { convertContainer } from './container.ts';
import { convertMode, convertPlacement, convertResources, convertRestart, convertUpdate } from './deploy.ts';
import { hasNoNetwork } from './extras.ts';
import { convertFiles } from './files.ts';
import { volumeName } from './mounts.ts';
import { convertAttachments, convertEndpoint, convertNetworks } from './networks.ts';

/** Throws AppError, in Docker's words and with the place in the file. The warnings of loading are among those of the stack. */
export function convertProject(loaded: LoadedProject, stackName: string): ResolvedStack {
  checkStackName(stackName);
  if (!loaded.interpolated) throw composeError(undefined, 'a project whose variables were not replaced cannot be deployed');
  const warnings = [...loaded.warnings];
  const warn = (warning: ComposeWarning) => void warnings.push(warning);
  const context: ConvertContext = { stack: stackName, loaded, warn };
  const services = Object.entries(loaded.project.services).flatMap(([key, service]) => convertService(context, key, service));
  warnAboutNames(context);
  return {
    name: stackName,
    services: services.sort(byText(({ spec }) => spec.name)),
    networks: convertNetworks(context),
    secrets: convertFiles(context, 'secret'),
    configs: convertFiles(context, 'config'),
    volumes: convertVolumes(context),
    warnings,
  };
}

function checkStackName(stack: string): void {
  const invalid = `invalid stack name: ${JSON.stringify(stack)}`;
  if (stack.trim() === '') throw composeError(undefined, invalid);
  const rule = 'it begins with a letter or digit, and the rest is letters, digits, "_" and "-"';
  if (!/^[a-zA-Z0-9][\w-]*$/.test(stack)) throw composeError(undefined, `${invalid}: ${rule}`);
}

/** A service that a provider outside of engines runs is left out, with a warning. */
function convertService(context: ConvertContext, key: string, service: Service): readonly ResolvedService[] {
  warnAboutKeys(context, key, service);
  if (service.provider !== undefined) return [];
  const { stack } = context;
  checkName(context, 'service', key, scoped(stack, key));
  const container = convertContainer(context, key, service);
  const spec = compact<ServiceSpec>({
    name: scoped(stack, key),
    labels: { ...stackLabels(stack, service.deploy?.labels), ...dependencyLabel(context, service), [IMAGE_LABEL]: container.image },
    task: compact<TaskSpec>({
      runtime: { kind: 'container', container },
      resources: convertResources(context, key, service),
      restart: convertRestart(context, key, service),
      placement: convertPlacement(service),
      networks: hasNoNetwork(service) ? undefined : convertAttachments(context, key, service),
      logDriver: service.logging && compact<Driver>({ name: service.logging.driver ?? '', options: nonEmpty(service.logging.options) }),
      forceUpdate: 0,
    }),
    mode: convertMode(context, key, service),
    update: convertUpdate(context, `services.${key}.deploy.update_config`, service.deploy?.update_config),
    rollback: convertUpdate(context, `services.${key}.deploy.rollback_config`, service.deploy?.rollback_config),
    endpoint: convertEndpoint(context, key, service),
  });
  const resolved = compact<ResolvedService>({
    key,
    spec: applyRemainder(spec, service),
    dependsOn: convertDependencies(service),
    pullPolicy: service.pull_policy,
  });
  return [resolved];
}

function convertDependencies({ depends_on: dependencies = {} }: Service): readonly Dependency[] {
  return Object.entries(dependencies).map(([key, { condition, required = true, restart = false }]) => ({ key, condition, required, restart }));
}

/** For the swarm, which holds new tasks back until the others are there. A service that a provider runs is none of its. */
function dependencyLabel({ stack, loaded }: ConvertContext, service: Service): Labels {
  const dependencies = convertDependencies(service).filter(({ key }) => loaded.project.services[key]?.provider === undefined);
  if (dependencies.length === 0) return {};
  return { [DEPENDS_ON_LABEL]: writeDependencies(dependencies.map(({ key, ...how }) => ({ service: scoped(stack, key), ...how }))) };
}

const UNSUPPORTED = [
  'attach',
  'build',
  // Windows only.
  'cpu_count',
  'cpu_percent',
  'develop',
  'external_links',
  'links',
  // An overlay's addresses follow from the swarm's, and replicas cannot share one.
  'mac_address',
  'models',
  'post_start',
  'pre_stop',
  'provider',
  'use_api_socket',
  'volume_driver',
  'volumes_from',
] as const;
const DEPRECATED = {
  container_name: 'Setting the container name is not supported.',
  expose: "Exposing ports is unnecessary - services on the same network can access each other's containers on any port.",
} as const;
/** What nodes do anyway: an image is pulled when a task starts, unless it is there and cannot be pulled. */
const USUAL_PULL_POLICIES = new Set(['always', 'missing', 'if_not_present']);

function warnAboutKeys(context: ConvertContext, key: string, service: Service): void {
  for (const name of UNSUPPORTED) if (service[name] !== undefined) unsupported(context, key, name);
  if (service.pull_policy !== undefined && !USUAL_PULL_POLICIES.has(service.pull_policy)) unsupported(context, key, 'pull_policy');
  for (const [name, message] of Object.entries(DEPRECATED)) {
    if (service[name as keyof typeof DEPRECATED] !== undefined) context.warn({ kind: 'deprecated', name, service: key, message });
  }
}

/** `docker compose config` writes names of its own making; in a stack they are taken literally, and two stacks of one file would share them. */
function warnAboutNames({ stack, loaded, warn }: ConvertContext): void {
  const { name: projectName } = loaded.project;
  if (projectName === undefined || projectName === stack) return;
  for (const section of ['networks', 'volumes', 'secrets', 'configs'] as const) {
    for (const [key, object] of Object.entries(loaded.project[section] ?? {})) {
      if (object.name !== scoped(projectName, key) || object.external) continue;
      const message = `${section}.${key}: the name ${JSON.stringify(object.name)} is taken literally and is not part of the stack ${JSON.stringify(stack)}; leave \`name\` out to have one of its own`;
      warn({ kind: 'notice', name: `${section}.${key}`, message });
    }
  }
}

function convertVolumes({ stack, loaded }: ConvertContext): readonly ResolvedVolume[] {
  return Object.entries(loaded.project.volumes ?? {})
    .map(([key, volume]) => {
      const hasDriver = volume.driver !== undefined || nonEmpty(volume.driver_opts) !== undefined;
      return compact<ResolvedVolume>({
        key,
        name: volumeName(stack, key, volume),
        external: volume.external ?? false,
        driver: hasDriver ? compact({ name: volume.driver ?? '', options: nonEmpty(volume.driver_opts) }) : undefined,
        labels: volume.external ? { ...volume.labels } : stackLabels(stack, volume.labels),
      });
    })
    .sort(byText(({ name }) => name));
}
