// What users may write in templates, and where: env, hostname and mounts of a container spec, and the payload of secrets and configs with the
// templating driver "golang". Contexts, functions and texts are SwarmKit's (template/). Pure: who calls brings the secrets.
import { AppError, errorMessage } from '#lib/errors.ts';
import { executeTemplate, parseTemplate, struct, swarmFunctions, type TemplateFunction, templateMap, type TemplateStruct, textOf } from '#lib/go-template.ts';
import { quote } from '#lib/go-template/quote.ts';
import type { NodeDescription, Task } from './objects.ts';
import type { ContainerSpec, Driver, Mount } from './spec.ts';
import { taskName } from './task-name.ts';

export { taskName } from './task-name.ts';

/** Of a task, what templates can see of it. */
export type TemplateTask = Pick<Task, 'id' | 'serviceId' | 'serviceName' | 'serviceLabels' | 'slot' | 'nodeId' | 'spec'>;
export type TemplateNodeDescription = Pick<NodeDescription, 'hostname' | 'platform'>;

/** Plain bytes of a secret or config that the task refers to, by the reference's id; undefined when it is not at hand. */
export interface PayloadDependencies {
  secret(id: string): Uint8Array | undefined;
  config(id: string): Uint8Array | undefined;
}

function slotText(task: Pick<Task, 'slot' | 'nodeId'>): string {
  return task.slot ? String(task.slot) : (task.nodeId ?? '');
}

/** A copy of the task's container spec with all templates expanded. Throws AppError `invalidArgument` with SwarmKit's text; task of another kind: same. */
export function expandContainerSpec(task: TemplateTask, node?: TemplateNodeDescription): ContainerSpec {
  if (task.spec.runtime.kind !== 'container') throw new AppError('invalidArgument', 'task missing ContainerSpec to expand');
  const { container } = task.spec.runtime;
  // Most specs have no template: nothing is copied then.
  if (!hasTemplates(container)) return container;
  const context = contextOf(task, node, '*template.Context', (text) => text);
  const expand = (text: string) => executeTemplate(parseTemplate('expansion', text, swarmFunctions), context);
  const env = wrapped('expanding env failed', () => container.env?.map((entry) => expandEnvironmentEntry(entry, expand)));
  const mounts = wrapped('expanding mounts failed', () => container.mounts?.map((mount) => expandMount(mount, expand)));
  const hostname = wrapped('expanding hostname failed', () => (container.hostname === undefined ? undefined : expand(container.hostname)));
  return { ...container, ...(env && { env }), ...(mounts && { mounts }), ...(hostname !== undefined && { hostname }) };
}

function hasTemplates(container: ContainerSpec): boolean {
  const has = (text: string | undefined) => text?.includes('{{') ?? false;
  const hasInMap = (map: Readonly<Record<string, string>> | undefined) => map !== undefined && Object.values(map).some(has);
  return (
    has(container.hostname) ||
    (container.env ?? []).some(has) ||
    (container.mounts ?? []).some(
      (mount) => has(mount.source) || has(mount.target) || hasInMap(mount.volume?.labels) || hasInMap(mount.volume?.driver?.options),
    )
  );
}

/** Only the value is a template; "NAME" without a value stays as it is. */
function expandEnvironmentEntry(entry: string, expand: (text: string) => string): string {
  const equals = entry.indexOf('=');
  if (equals < 0) return entry;
  return wrapped(`expanding env ${quote(entry)}`, () => entry.slice(0, equals + 1) + expand(entry.slice(equals + 1)));
}

function expandMount(mount: Mount, expand: (text: string) => string): Mount {
  const { source, target, volume } = mount;
  return {
    ...mount,
    ...(source !== undefined && { source: wrapped(`expanding mount source ${quote(source)}`, () => expand(source)) }),
    target: wrapped(`expanding mount target ${quote(target)}`, () => expand(target)),
    ...(volume && { volume: expandVolumeOptions(volume, expand) }),
  };
}

function expandVolumeOptions(volume: NonNullable<Mount['volume']>, expand: (text: string) => string): NonNullable<Mount['volume']> {
  const { labels, driver } = volume;
  const options = driver?.options;
  return {
    ...volume,
    ...(labels && { labels: wrapped('expanding volume labels', () => expandValues(labels, expand)) }),
    ...(driver && options && { driver: { ...driver, options: wrapped('expanding volume driver config', () => expandValues(options, expand)) } }),
  };
}

function expandValues(map: Readonly<Record<string, string>>, expand: (text: string) => string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => [key, wrapped(`expanding map entry ${quote(key)}: ${quote(value)}`, () => expand(value))]),
  );
}

/**
 * The payload of a secret or config as this task shall see it. Without a templating driver it comes back as it is. Bytes outside of template
 * actions are kept exactly, whatever their encoding. Throws AppError `invalidArgument`.
 */
export function expandPayload(
  data: Uint8Array,
  templating: Driver | undefined,
  task: TemplateTask,
  node: TemplateNodeDescription | undefined,
  dependencies: PayloadDependencies,
): Uint8Array {
  if (templating === undefined) return data;
  if (templating.name !== 'golang') throw new AppError('invalidArgument', 'unrecognized template type');
  // One character per byte inside the engine, so that binary payloads survive.
  const asBytes = (text: string) => Buffer.from(text, 'utf8').toString('latin1');
  const context = contextOf(task, node, '*template.PayloadContext', asBytes);
  const functions = new Map([...swarmFunctions, ...payloadFunctions(task, dependencies, asBytes)]);
  return Buffer.from(executeTemplate(parseTemplate('expansion', Buffer.from(data).toString('latin1'), functions), context), 'latin1');
}

function payloadFunctions(task: TemplateTask, dependencies: PayloadDependencies, asBytes: (text: string) => string): ReadonlyMap<string, TemplateFunction> {
  const container = task.spec.runtime.kind === 'container' ? task.spec.runtime.container : undefined;
  const ofTarget = (kind: 'secret' | 'config', references: readonly { readonly target: string; readonly id: string }[]): TemplateFunction => ({
    minimum: 1,
    maximum: 1,
    call: ([value]) => {
      const target = textOf(value);
      const reference = references.find((candidate) => asBytes(candidate.target) === target);
      if (reference === undefined) throw new Error(`${kind} target ${target} not found`);
      const data = dependencies[kind](reference.id);
      if (data === undefined) throw new Error(`${kind} ${reference.id} not found`);
      return Buffer.from(data).toString('latin1');
    },
  });
  const secrets = (container?.secrets ?? []).map((reference) => ({ target: reference.file.name, id: reference.secretId }));
  const configs = (container?.configs ?? []).flatMap((reference) =>
    reference.target.kind === 'file' ? [{ target: reference.target.file.name, id: reference.configId }] : [],
  );
  return new Map<string, TemplateFunction>([
    ['secret', ofTarget('secret', secrets)],
    ['config', ofTarget('config', configs)],
    ['env', { minimum: 1, maximum: 1, call: ([name]) => asBytes(environmentValue(container?.env ?? [], textOf(name))) }],
  ]);
}

function environmentValue(env: readonly string[], name: string): string {
  return env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
}

/** `text` adapts every text to the engine's encoding. Type names are those that Go would print. */
function contextOf(task: TemplateTask, node: TemplateNodeDescription | undefined, typeName: string, text: (value: string) => string): TemplateStruct {
  const labels = Object.fromEntries(Object.entries(task.serviceLabels).map(([key, value]) => [text(key), text(value)]));
  const service = { ID: task.serviceId ?? '', Name: text(task.serviceName), Labels: templateMap(labels) };
  const platform = struct('template.Platform', { Architecture: node?.platform.architecture ?? '', OS: node?.platform.os ?? '' });
  const nodeFields = { ID: task.nodeId ?? '', Hostname: text(node?.hostname ?? ''), Platform: platform };
  const taskFields = { ID: task.id, Name: text(taskName(task)), Slot: slotText(task) };
  return struct(typeName, {
    Service: struct('struct { ID string; Name string; Labels map[string]string }', service),
    Node: struct('struct { ID string; Hostname string; Platform template.Platform }', nodeFields),
    Task: struct('struct { ID string; Name string; Slot string }', taskFields),
  });
}

function wrapped<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw new AppError('invalidArgument', `${what}: ${errorMessage(error)}`, { cause: error });
  }
}
