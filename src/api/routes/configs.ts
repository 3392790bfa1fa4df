// /configs
import { configSpecShape } from '#docker-api/secret-config.ts';
import { decodeBody } from '#docker-api/shape.ts';
import { configSpecFromJson, configToText } from '../convert/config.ts';
import { empty, json, jsonList, jsonText, type Route } from '../route.ts';
import { param } from './params.ts';
import { onlyKeys, parseFilters } from './parse.ts';
import { plainVersion, templatingTooNew } from './secrets.ts';

const filterKeys = ['id', 'name', 'label'];

export const configRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/configs',
    handler({ query }, { membership }) {
      const filters = parseFilters(query);
      const { configs } = membership.control();
      return jsonList(configs.list(onlyKeys(filters, filterKeys)), configToText);
    },
  },
  {
    method: 'POST',
    path: '/configs/create',
    async handler({ body, apiVersion }, { membership }) {
      const wire = decodeBody(configSpecShape, body);
      if (wire.Templating && apiVersion < 37) throw templatingTooNew('config', apiVersion);
      const { configs } = membership.control();
      return json({ ID: await configs.create(configSpecFromJson(wire)) }, 201);
    },
  },
  {
    method: 'GET',
    path: '/configs/{id}',
    handler: (request, { membership }) => jsonText(configToText(membership.control().configs.get(param(request, 'id')))),
  },
  {
    method: 'POST',
    path: '/configs/{id}/update',
    async handler(request, { membership }) {
      const wire = decodeBody(configSpecShape, request.body);
      const version = plainVersion(request.query, 'config');
      await membership.control().configs.update(param(request, 'id'), version, configSpecFromJson(wire));
      return empty();
    },
  },
  {
    method: 'DELETE',
    path: '/configs/{id}',
    async handler(request, { membership }) {
      await membership.control().configs.remove(param(request, 'id'));
      return empty(204);
    },
  },
];
