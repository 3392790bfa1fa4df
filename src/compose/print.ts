// A project as text: `stack config`. Like Docker's output in order and quoting; what is printed can be loaded again and means the same.
import { Document, isScalar, Scalar, visit } from 'yaml';
import { escapeTemplate } from './load/template.ts';
import type { LoadedProject } from './load/load.ts';
import type { Port, Project, Service } from './project.ts';
import { resolvePlain } from './yaml/scalars.ts';

export interface PrintOptions {
  readonly format?: 'yaml' | 'json';
}

/** What Docker's CLI says of files that do not say their version. */
/** Printed in place of a version that docker's CLI does not read: here any will do. */
const DEFAULT_VERSION = '3.13';
const TEMPLATED = new Set(['services', 'networks', 'volumes', 'secrets', 'configs', 'models', 'name']);

/** The text, with a newline at its end. `$` is doubled where variables were replaced, so that loading the text again changes nothing. */
export function printProject(loaded: Pick<LoadedProject, 'project' | 'interpolated'>, { format = 'yaml' }: PrintOptions = {}): string {
  const shown = showProject(loaded.project);
  const escaped = loaded.interpolated
    ? Object.fromEntries(Object.entries(shown).map(([key, value]) => [key, TEMPLATED.has(key) ? escapeAll(value) : value]))
    : shown;
  return format === 'json' ? `${JSON.stringify(escaped, null, 2)}\n` : toYaml(escaped);
}

/** Keys of services, sorted. */
export function serviceNames(project: Project): readonly string[] {
  return Object.keys(project.services).sort();
}

/** The images of the services, in their order, each once. */
export function imageNames(project: Project): readonly string[] {
  return [...new Set(serviceNames(project).flatMap((name) => project.services[name]?.image ?? []))];
}

export function volumeNames(project: Project): readonly string[] {
  return Object.keys(project.volumes ?? {}).sort();
}

export function networkNames(project: Project): readonly string[] {
  return Object.keys(project.networks ?? {}).sort();
}

export function profileNames(project: Project): readonly string[] {
  return [...new Set(Object.values(project.services).flatMap(({ profiles = [] }) => profiles))].sort();
}

/** What these files say is in `environment` and `labels` already. The output must not need them where it is deployed, and docker's CLI reads not all their forms. */
const FOLDED = ['env_file', 'label_file'];

/** Short forms where Docker prints them. */
function showProject(project: Project): Record<string, unknown> {
  const { version = DEFAULT_VERSION, name, services, ...rest } = project;
  return {
    version: /^3\.([0-9]|1[0-3])$/.test(version) ? version : DEFAULT_VERSION,
    ...(name === undefined ? {} : { name }),
    services: Object.fromEntries(Object.entries(services).map(([key, service]) => [key, showService(service)])),
    ...rest,
  };
}

function showService(service: Service): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(service).flatMap(([key, value]) => {
      if (FOLDED.includes(key)) return [];
      // Where variables were left in place, a text may stand for what it will be.
      if (typeof value !== 'object') return [[key, value]];
      if (key === 'depends_on') return [[key, showDependencies(value as NonNullable<Service['depends_on']>)]];
      if (key === 'ports') return [[key, (value as NonNullable<Service['ports']>).map(showPort)]];
      return [[key, value]];
    }),
  );
}

/** Port objects begin with their mode, as Docker prints them. */
function showPort(port: Port): unknown {
  if (typeof port !== 'object') return port;
  const { mode, target, published, protocol, ...others } = port;
  const order = { mode, target, published, protocol, ...others };
  return Object.fromEntries(Object.entries(order).filter(([, value]) => value !== undefined));
}

/** A list of names, unless there is more to say. */
function showDependencies(dependencies: NonNullable<Service['depends_on']>): unknown {
  const isPlain = Object.values(dependencies).every(
    ({ condition, required = true, ...others }) => condition === 'service_started' && required && Object.keys(others).length === 0,
  );
  return isPlain ? Object.keys(dependencies) : dependencies;
}

function escapeAll(value: unknown): unknown {
  if (typeof value === 'string') return escapeTemplate(value);
  if (Array.isArray(value)) return value.map(escapeAll);
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escapeAll(item)]));
  return value;
}

/** Words that other readers of YAML take for a boolean ("yes") or a number of base 60 ("1:20"). */
const AMBIGUOUS = /^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|on|On|ON|off|Off|OFF|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|<<|=)$/;
const NOWHERE = { file: '', line: 1, column: 1 };

/** Text that would be read as something else is in double quotes; other quotes are single ones; several lines are a block. */
export function toYaml(value: unknown): string {
  const document = new Document(value, { version: '1.2', schema: 'core', aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_key, node) {
      if (isScalar(node) && typeof node.value === 'string') node.type = styleOf(node.value);
    },
  });
  return document.toString({ lineWidth: 0, singleQuote: true, nullStr: 'null' });
}

function styleOf(text: string): Scalar.Type {
  if (/^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}$/.test(text)) return Scalar.QUOTE_DOUBLE;
  if (AMBIGUOUS.test(text) || resolvePlain(text, NOWHERE).value !== text) return Scalar.QUOTE_DOUBLE;
  return text.includes('\n') ? Scalar.BLOCK_LITERAL : Scalar.PLAIN;
}
