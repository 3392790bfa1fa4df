// What the proxy does for engines besides its own: the same routes in front of each, and what is known of its networks.
import type { SwarmMembership } from '#control/control.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import { parseEventFilters } from '../events.ts';
import { BACKING_LABEL } from '../routes/engine-networks.ts';
import { type Route, toEngine } from '../route.ts';
import { createRouter, type Router } from '../router.ts';
import { type BackingNetworks, createBackingNetworks } from './backing-networks.ts';
import { containerRoutes } from './container-routes.ts';
import { isObject } from './json-object.ts';

export interface OtherEngines {
  /** The routes of another node's engine that cannot go through untouched. */
  routerOf(engine: EngineLink): Router;
  backingOf(engine: EngineLink): BackingNetworks;
}

export interface OtherEnginesOptions {
  readonly membership: SwarmMembership;
  /** An exec was made there: it will be started there. */
  readonly onExec: (execId: string, engine: EngineLink) => void;
}

export function createOtherEngines({ membership, onExec }: OtherEnginesOptions): OtherEngines {
  const known = new WeakMap<EngineLink, { readonly router: Router; readonly backing: BackingNetworks }>();
  function partsOf(engine: EngineLink) {
    const found = known.get(engine);
    if (found !== undefined) return found;
    const backing = createBackingNetworks({ engine, membership });
    // A plain container of another node cannot be put on a swarm network from here: its address would be given on this node.
    const router = createRouter([
      ...containerRoutes({ engine, backing, networks: undefined, keeper: undefined }),
      execRoute(engine, onExec),
      networkPruneRoute,
    ]);
    const parts = { router, backing };
    known.set(engine, parts);
    return parts;
  }
  return { routerOf: (engine) => partsOf(engine).router, backingOf: (engine) => partsOf(engine).backing };
}

const networkPruneRoute: Route = {
  method: 'POST',
  path: '/networks/prune',
  body: 'raw',
  handler: ({ query }) => toEngine({ query: sparingBackingNetworks(query) }),
};

/** What carries a swarm network on a node may have no container at the moment: it is not the user's to prune. What cannot be read the engine refuses. */
export function sparingBackingNetworks(query: URLSearchParams): URLSearchParams {
  const filters = parseEventFilters(query.get('filters'));
  if (filters === undefined) return query;
  return new URLSearchParams({ filters: JSON.stringify({ ...filters, 'label!': [...(filters['label!'] ?? []), BACKING_LABEL] }) });
}

function execRoute(engine: EngineLink, onExec: OtherEnginesOptions['onExec']): Route {
  return {
    method: 'POST',
    path: '/containers/{id}/exec',
    async handler({ path, body, apiVersion, signal }) {
      const answer = await engine.exchange({ method: 'POST', path, body, apiVersion, signal });
      const id = isObject(answer.body) ? answer.body['Id'] : undefined;
      if (typeof id === 'string') onExec(id, engine);
      return { kind: 'bytes', status: answer.status, contentType: 'application/json', bytes: answer.bytes };
    },
  };
}
