// /services
import type { ServiceCreateResponse, ServiceUpdateResponse } from '#docker-api/service.ts';
import { serviceSpecShape } from '#docker-api/service-spec.ts';
import { decodeBody } from '#docker-api/shape.ts';
import type { ServiceSpec } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';
import { serviceSpecFromJson, serviceSpecToJson, serviceToText } from '../convert/service.ts';
import { withUnknownFields } from '../convert/unknown-fields.ts';
import { adjustServiceSpec } from '../convert/version.ts';
import { empty, json, jsonList, jsonText, type Route, type RouteContext, type RouteRequest } from '../route.ts';
import { pinImage } from './image-pin.ts';
import { serviceLogs } from './logs.ts';
import { param } from './params.ts';
import { objectVersion, onlyKeys, parseFilters, registryAuthOf, strictFlag } from './parse.ts';
import { randomName } from './random-name.ts';
import { withoutLocalNetworks } from './service-networks.ts';

const filterKeys = ['id', 'name', 'label', 'mode', 'runtime'];

export const serviceRoutes: readonly Route[] = [
  { method: 'GET', path: '/services', handler: listServices },
  { method: 'POST', path: '/services/create', handler: createService },
  { method: 'GET', path: '/services/{id}', handler: inspectService },
  { method: 'POST', path: '/services/{id}/update', handler: updateService },
  {
    method: 'DELETE',
    path: '/services/{id}',
    async handler(request, { membership }) {
      await membership.control().services.remove(param(request, 'id'));
      return empty();
    },
  },
  { method: 'GET', path: '/services/{id}/logs', handler: serviceLogs },
];

function listServices({ query, apiVersion }: RouteRequest, { membership }: RouteContext) {
  // The status came with API 1.41; older clients may send anything there.
  const withStatus = apiVersion >= 41 && strictFlag(query, 'status');
  const filters = parseFilters(query);
  const { services } = membership.control();
  const found = services.list(onlyKeys(filters, filterKeys));
  return jsonList(found, (service) => serviceToText(service, withStatus ? services.status(service) : undefined));
}

function inspectService(request: RouteRequest, { membership }: RouteContext) {
  const insertDefaults = strictFlag(request.query, 'insertDefaults');
  const { services } = membership.control();
  const service = services.get(param(request, 'id'));
  return jsonText(serviceToText(insertDefaults ? services.withDefaults(service) : service));
}

async function createService(request: RouteRequest, context: RouteContext) {
  const wire = decodeBody(serviceSpecShape, request.body);
  const { services, networks } = context.membership.control();
  const spec = specOf(await withoutLocalNetworks(wire, networks, request, context), request);
  const pinned = await pinImage(spec, request, context);
  const { id, warnings } = await services.create(pinned.spec);
  const answer: ServiceCreateResponse = { ID: id, Warnings: orNull([...pinned.warnings, ...warnings]) };
  return json(answer, 201);
}

async function updateService(request: RouteRequest, context: RouteContext) {
  const wire = decodeBody(serviceSpecShape, request.body);
  const version = objectVersion(request.query, 'service');
  const { services, networks } = context.membership.control();
  const spec = specOf(await withoutLocalNetworks(wire, networks, request, context), request);
  const service = services.get(param(request, 'id'));
  const registryAuthFrom = registryAuthFromOf(request.query, registryAuthOf(request.headers['x-registry-auth']));
  const pinned = await pinImage(spec, request, context);
  const rollback = rollbackOf(request.query);
  const next = withUnknownFields(service.spec, serviceSpecFromJson(decodeBody(serviceSpecShape, serviceSpecToJson(service.spec)), undefined), pinned.spec);
  const { warnings } = await services.update(service.id, version, next, { registryAuthFrom, rollback });
  const answer: ServiceUpdateResponse = { Warnings: orNull([...pinned.warnings, ...warnings]) };
  return json(answer);
}

/** A spec without a name gets one, as in Docker; in an update that is an attempt to rename. */
function specOf(wire: Parameters<typeof serviceSpecFromJson>[0], { apiVersion, headers }: RouteRequest): ServiceSpec {
  const spec = serviceSpecFromJson(adjustServiceSpec(wire, apiVersion), registryAuthOf(headers['x-registry-auth']));
  return spec.name === '' ? { ...spec, name: randomName() } : spec;
}

/** Where the credentials come from when the request brings none; not even read when it does. */
function registryAuthFromOf(query: URLSearchParams, given: string | undefined): 'spec' | 'previous-spec' {
  const from = query.get('registryAuthFrom') || 'spec';
  if (from === 'spec' || given !== undefined) return 'spec';
  if (from === 'previous-spec') return from;
  throw new AppError('unknown', 'unsupported registryAuthFrom value');
}

function rollbackOf(query: URLSearchParams): boolean {
  const option = query.get('rollback') || 'none';
  if (option === 'none') return false;
  if (option === 'previous') return true;
  throw new AppError('unknown', `unrecognized rollback option ${option}`);
}

function orNull(warnings: readonly string[]): readonly string[] | null {
  return warnings.length === 0 ? null : warnings;
}
