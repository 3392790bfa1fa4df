// /swarm
import { decodeBody } from '#docker-api/shape.ts';
import { initRequestShape, joinRequestShape, swarmSpecShape, unlockRequestShape } from '#docker-api/swarm.ts';
import { AppError } from '#lib/errors.ts';
import { initRequestFromJson, joinRequestFromJson, swarmSpecFromJson, swarmSpecToJson, swarmToJson } from '../convert/swarm.ts';
import { withUnknownFields } from '../convert/unknown-fields.ts';
import { empty, json, type Route } from '../route.ts';
import { flag, objectVersion, parseBool } from './parse.ts';

export const swarmItselfRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/swarm',
    handler(_request, { membership }) {
      const { swarm } = membership.control();
      return json(swarmToJson(swarm.get(), swarm.joinTokens()));
    },
  },
  {
    method: 'POST',
    path: '/swarm/init',
    async handler({ body, apiVersion }, { membership }) {
      return json(await membership.init(initRequestFromJson(decodeBody(initRequestShape, body), apiVersion)));
    },
  },
  {
    method: 'POST',
    path: '/swarm/join',
    async handler({ body }, { membership }) {
      await membership.join(joinRequestFromJson(decodeBody(joinRequestShape, body)));
      return empty();
    },
  },
  {
    method: 'POST',
    path: '/swarm/leave',
    async handler({ query }, { membership }) {
      await membership.leave(flag(query, 'force'));
      return empty();
    },
  },
  {
    method: 'POST',
    path: '/swarm/update',
    async handler({ body, query }, { membership }) {
      const wire = decodeBody(swarmSpecShape, body);
      const version = objectVersion(query, 'swarm');
      const rotate = {
        workerToken: rotation(query, 'rotateWorkerToken'),
        managerToken: rotation(query, 'rotateManagerToken'),
        unlockKey: rotation(query, 'rotateManagerUnlockKey'),
      };
      const { swarm } = membership.control();
      const spec = swarmSpecFromJson(wire);
      // In an update, a limit that is not given is zero: only `swarm init` knows a default for it.
      const orchestration = { taskHistoryRetentionLimit: spec.orchestration.taskHistoryRetentionLimit ?? 0 };
      const { spec: stored } = swarm.get();
      const understood = swarmSpecFromJson(decodeBody(swarmSpecShape, swarmSpecToJson(stored)));
      await swarm.update(version, withUnknownFields<typeof spec>(stored, understood, { ...spec, orchestration }), rotate);
      return empty();
    },
  },
  {
    method: 'GET',
    path: '/swarm/unlockkey',
    handler: (_request, { membership }) => json({ UnlockKey: membership.control().swarm.unlockKey() }),
  },
  {
    method: 'POST',
    path: '/swarm/unlock',
    async handler({ body }, { membership }) {
      await membership.unlock(decodeBody(unlockRequestShape, body).UnlockKey ?? '');
      return empty();
    },
  },
];

function rotation(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  if (!text) return false;
  const value = parseBool(text);
  if (value === undefined) throw new AppError('invalidArgument', `invalid value for ${name}: ${text}`);
  return value;
}
