// The Engine API's published description (Swagger 2.0) as validators of our answers. Stricter than it was written: a field that it does not name
// is refused, so that a misspelt one is found.
import { Ajv2019, type ValidateFunction } from 'ajv/dist/2019.js';
import formatsModule from 'ajv-formats';
import { parse } from 'yaml';
import { openApiText } from './shared-data.ts';

type Schema = Record<string, unknown>;

interface Description {
  readonly paths: Record<string, Record<string, { readonly responses: Record<string, { readonly schema?: Schema }> }>>;
  readonly definitions: Record<string, Schema>;
}

/** Where the description is wrong about what Docker's daemon sends; paths are definition and property. */
const corrections: readonly (readonly [definition: string, change: (properties: Record<string, Schema>) => void])[] = [
  // The daemon sends null for lists and maps that are empty.
  ['Network', (properties) => nullable(properties, 'Containers', 'Options', 'Labels', 'Peers')],
  ['IPAM', (properties) => nullable(properties, 'Options', 'Config')],
  [
    'TaskSpec',
    (properties) => {
      const container = propertiesOf(properties['ContainerSpec'] ?? {});
      nullable(propertiesOf(container['Privileges'] ?? {}), 'CredentialSpec', 'SELinuxContext');
      // Spelt otherwise in Go.
      container['Healthcheck'] = container['HealthCheck'] ?? {};
    },
  ],
  // Objects that are made with /secrets/create and /configs/create answer with "ID", whatever other objects do.
  ['IDResponse', (properties) => Object.assign(properties, { ID: { type: 'string' } })],
  ['ServiceUpdateResponse', (properties) => nullable(properties, 'Warnings')],
  ['ServiceCreateResponse', (properties) => nullable(properties, 'Warnings')],
  // Left out of the description.
  ['Network', (properties) => Object.assign(properties, { Services: { type: 'object' } })],
  ['Service', (properties) => Object.assign(properties, { PreviousSpec: { $ref: '#/definitions/ServiceSpec' } })],
  ['Task', (properties) => Object.assign(properties, { NetworksAttachments: { type: 'array' }, GenericResources: { type: 'array' } })],
  // The daemon rolls a failing rollback back without complaint.
  ['ServiceSpec', (properties) => Object.assign(propertiesOf(properties['RollbackConfig'] ?? {}), { FailureAction: { type: 'string' } })],
  ['Task', (properties) => Object.assign(properties, { Volumes: { type: 'array', 'x-nullable': true } })],
];

export interface OpenApi {
  /** The complaints about `value` as an answer; undefined when there are none. `path` is a template: `/services/{id}`. */
  check(method: string, path: string, status: number, value: unknown): string | undefined;
  checkDefinition(name: string, value: unknown): string | undefined;
}

export function loadOpenApi(): OpenApi {
  const description = parse(openApiText()) as Description;
  delete description.definitions['IDResponse']?.['required'];
  for (const [definition, change] of corrections) change(propertiesOf(description.definitions[definition] ?? {}));
  const ajv = new Ajv2019({ strict: false, allErrors: true, logger: false });
  // The package is CommonJS: its function is the default of its default.
  (formatsModule as unknown as (ajv: Ajv2019) => void)(ajv);
  ajv.addFormat('dateTime', true);
  for (const [name, schema] of Object.entries(description.definitions)) {
    ajv.addSchema(close(schema), `/definitions/${name}`);
    ajv.addSchema(close(schema, true), `/parts/${name}`);
  }
  const compiled = new Map<string, ValidateFunction>();
  const complaints = (key: string, schema: Schema, value: unknown) => {
    const validate = compiled.get(key) ?? ajv.compile(close(schema));
    compiled.set(key, validate);
    return validate(value)
      ? undefined
      : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`).join('\n');
  };
  return {
    check(method, path, status, value) {
      const response = description.paths[path]?.[method.toLowerCase()]?.responses[String(status)];
      if (response === undefined) return `the description has no ${status} for ${method} ${path}`;
      return response.schema === undefined ? undefined : complaints(`${method} ${path} ${status}`, response.schema, value);
    },
    checkDefinition: (name, value) => complaints(name, { $ref: `#/definitions/${name}` }, value),
  };
}

function propertiesOf(schema: Schema): Record<string, Schema> {
  return schema['properties'] as Record<string, Schema>;
}

function nullable(properties: Record<string, Schema>, ...names: readonly string[]): void {
  for (const name of names) properties[name] = { ...properties[name], 'x-nullable': true };
}

/** Swagger's schema as JSON Schema: references to our ids, nulls where `x-nullable` says so, no fields but the named ones. */
function close(schema: Schema, isPart = false): Schema {
  if (typeof schema['$ref'] === 'string') return { $ref: schema['$ref'].replace('#/definitions/', isPart ? '/parts/' : '/definitions/') };
  const result: Schema = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties') result[key] = mapValues(value as Record<string, Schema>, (item) => close(item));
    else if (key === 'allOf') result[key] = (value as Schema[]).map((item) => close(item, true));
    else if (key === 'items' || (key === 'additionalProperties' && typeof value === 'object')) result[key] = close(value as Schema);
    else if (!['example', 'examples', 'description', 'x-nullable', 'title', 'default'].includes(key)) result[key] = value;
  }
  if (schema['x-nullable'] === true && typeof schema['type'] === 'string') result['type'] = [schema['type'], 'null'];
  // Docker omits an enumeration's empty value and means it: "" is in few of the lists.
  if (Array.isArray(schema['enum']) && schema['x-nullable'] === true) result['enum'] = [...(schema['enum'] as unknown[]), null];
  const isClosed = (result['properties'] !== undefined || result['allOf'] !== undefined) && result['additionalProperties'] === undefined;
  return isClosed && !isPart ? { ...result, unevaluatedProperties: false } : result;
}

function mapValues(object: Record<string, Schema>, change: (value: Schema) => Schema): Record<string, Schema> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
