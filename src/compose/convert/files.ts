// Secrets and configs of the stack, and how services refer to them.
import type { ConfigReference, FileTarget, SecretReference } from '#domain/spec.ts';
import type { FileObject, FileReference, Service } from '../project.ts';
import type { FileSource, ResolvedFile } from '../stack.ts';
import { byText, compact, type ConvertContext, mistakeAt, nonEmpty, scoped, stackLabels } from './common.ts';

type Kind = 'secret' | 'config';
const DEFAULT_MODE = 0o444;

/** All that are declared, used or not, in order of their names. */
export function convertFiles(context: ConvertContext, kind: Kind): readonly ResolvedFile[] {
  const declared = context.loaded.project[`${kind}s`] ?? {};
  return Object.entries(declared)
    .map(([key, object]) => {
      const source = sourceOf(context, kind, key, object);
      const labels = source.kind === 'external' ? { ...object.labels } : stackLabels(context.stack, object.labels);
      const templating = object.template_driver === undefined ? undefined : { name: object.template_driver };
      return compact<ResolvedFile>({ key, name: object.name ?? scoped(context.stack, key), labels, source, templating });
    })
    .sort(byText(({ name }) => name));
}

function sourceOf(context: ConvertContext, kind: Kind, key: string, object: FileObject): FileSource {
  if (object.external) return { kind: 'external' };
  if (object.driver !== undefined) return { kind: 'driver', driver: compact({ name: object.driver, options: nonEmpty(object.driver_opts) }) };
  const given = (['file', 'environment', 'content'] as const).filter((name) => object[name] !== undefined);
  const [first] = given;
  const path = `${kind}s.${key}`;
  if (given.length > 1) throw mistakeAt(context, path, `${path}: ${given.join(' and ')} cannot be set at the same time`);
  if (first === 'file') return { kind: 'file', path: object.file ?? '' };
  if (first === 'environment') return { kind: 'environment', variable: object.environment ?? '' };
  if (first === 'content') return { kind: 'content', content: object.content ?? '' };
  const choices = kind === 'secret' ? 'file, environment, driver or external' : 'file, environment, content or external';
  throw mistakeAt(context, path, `${path}: one of ${choices} must be set`);
}

export function convertSecretReferences(context: ConvertContext, key: string, { secrets = [] }: Service): readonly SecretReference[] {
  return secrets
    .map((reference, index) => ({
      secretId: '',
      secretName: nameOf(context, { kind: 'secret', service: key, source: reference.source, path: `services.${key}.secrets.${index}` }),
      file: targetOf(reference),
    }))
    .sort(byText(({ secretName }) => secretName));
}

export function convertConfigReferences(
  context: ConvertContext,
  key: string,
  { configs = [], credential_spec: credential }: Service,
): readonly ConfigReference[] {
  const files = configs.map((reference, index): ConfigReference => {
    const configName = nameOf(context, { kind: 'config', service: key, source: reference.source, path: `services.${key}.configs.${index}` });
    return { configId: '', configName, target: { kind: 'file', file: targetOf(reference) } };
  });
  const runtime = credential?.config === undefined ? [] : [runtimeReference(credentialConfigName(context, key, credential.config))];
  return [...files, ...runtime].sort(byText(({ configName }) => configName));
}

function runtimeReference(configName: string): ConfigReference {
  return { configId: '', configName, target: { kind: 'runtime' } };
}

/** The name of the config that a credential spec is in. */
export function credentialConfigName(context: ConvertContext, key: string, source: string): string {
  return nameOf(context, { kind: 'config', service: key, source, path: `services.${key}.credential_spec.config` });
}

interface Reference {
  readonly kind: Kind;
  readonly service: string;
  readonly source: string | undefined;
  readonly path: string;
}

function nameOf(context: ConvertContext, { kind, service, source, path }: Reference): string {
  const declared = context.loaded.project[`${kind}s`] ?? {};
  const object = source !== undefined && Object.hasOwn(declared, source) ? declared[source] : undefined;
  if (object === undefined || source === undefined) throw mistakeAt(context, path, `service ${service}: undefined ${kind} ${JSON.stringify(source ?? '')}`);
  return object.name ?? scoped(context.stack, source);
}

function targetOf({ source, target, uid, gid, mode }: FileReference): FileTarget {
  return { name: target ?? source, uid: uid ?? '0', gid: gid ?? '0', mode: mode ?? DEFAULT_MODE };
}
