// /secrets
import { secretSpecShape } from '#docker-api/secret-config.ts';
import { decodeBody } from '#docker-api/shape.ts';
import { AppError } from '#lib/errors.ts';
import { secretSpecFromJson, secretToText } from '../convert/secret.ts';
import { empty, json, jsonList, jsonText, type Route } from '../route.ts';
import { param } from './params.ts';
import { onlyKeys, parseFilters } from './parse.ts';

const filterKeys = ['id', 'name', 'names', 'label'];

export const secretRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/secrets',
    handler({ query }, { membership }) {
      const filters = parseFilters(query);
      const { secrets } = membership.control();
      return jsonList(secrets.list(onlyKeys(filters, filterKeys)), secretToText);
    },
  },
  {
    method: 'POST',
    path: '/secrets/create',
    async handler({ body, apiVersion }, { membership }) {
      const wire = decodeBody(secretSpecShape, body);
      if (wire.Templating && apiVersion < 37) throw templatingTooNew('secret', apiVersion);
      const { secrets } = membership.control();
      return json({ ID: await secrets.create(secretSpecFromJson(wire)) }, 201);
    },
  },
  {
    method: 'GET',
    path: '/secrets/{id}',
    handler: (request, { membership }) => jsonText(secretToText(membership.control().secrets.get(param(request, 'id')))),
  },
  {
    method: 'POST',
    path: '/secrets/{id}/update',
    async handler(request, { membership }) {
      const wire = decodeBody(secretSpecShape, request.body);
      const version = plainVersion(request.query, 'secret');
      await membership.control().secrets.update(param(request, 'id'), version, secretSpecFromJson(wire));
      return empty();
    },
  },
  {
    method: 'DELETE',
    path: '/secrets/{id}',
    async handler(request, { membership }) {
      await membership.control().secrets.remove(param(request, 'id'));
      return empty(204);
    },
  },
];

/** The version of a secret's or config's update: for these, Docker does not say why it is wrong. */
export function plainVersion(query: URLSearchParams, what: 'secret' | 'config'): number {
  const text = query.get('version') ?? '';
  if (!/^\d{1,20}$/.test(text)) throw new AppError('invalidArgument', `invalid ${what} version`);
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}

export function templatingTooNew(what: 'secret' | 'config', apiVersion: number): AppError {
  return new AppError('invalidArgument', `${what} templating is not supported on the specified API version: 1.${apiVersion}`);
}
