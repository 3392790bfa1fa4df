// /nodes
import { nodeSpecShape } from '#docker-api/node.ts';
import { decodeBody } from '#docker-api/shape.ts';
import { nodeSpecFromJson, nodeSpecToJson, nodeToText } from '../convert/node.ts';
import { withUnknownFields } from '../convert/unknown-fields.ts';
import { empty, jsonList, jsonText, type Route } from '../route.ts';
import { param } from './params.ts';
import { flag, objectVersion, onlyKeys, parseFilters } from './parse.ts';

const filterKeys = ['id', 'name', 'label', 'node.label', 'role', 'membership'];

export const nodeRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/nodes',
    handler({ query }, { membership }) {
      const filters = parseFilters(query);
      const { nodes } = membership.control();
      return jsonList(nodes.list(onlyKeys(filters, filterKeys)), nodeToText);
    },
  },
  {
    method: 'GET',
    path: '/nodes/{id}',
    handler: (request, { membership }) => jsonText(nodeToText(membership.control().nodes.get(param(request, 'id')))),
  },
  {
    method: 'POST',
    path: '/nodes/{id}/update',
    async handler(request, { membership }) {
      const wire = decodeBody(nodeSpecShape, request.body);
      const version = objectVersion(request.query, 'node');
      const { nodes } = membership.control();
      const { id, spec } = nodes.get(param(request, 'id'));
      const understood = nodeSpecFromJson(decodeBody(nodeSpecShape, nodeSpecToJson(spec)));
      await nodes.update(id, version, withUnknownFields(spec, understood, nodeSpecFromJson(wire)));
      return empty();
    },
  },
  {
    method: 'DELETE',
    path: '/nodes/{id}',
    async handler(request, { membership }) {
      await membership.control().nodes.remove(param(request, 'id'), flag(request.query, 'force'));
      return empty();
    },
  },
];
