// The page about the API: which requests skepd answers itself. Everything else is the engine's.
import { eventsRoute } from '#api/event-stream.ts';
import { containerRoutes } from '#api/proxy/container-routes.ts';
import type { Route } from '#api/route.ts';
import { swarmRoutes } from '#api/routes/index.ts';
import { systemRoutes } from '#api/system.ts';
import { MAX_API_VERSION, MIN_API_VERSION, versionText } from '#api/version.ts';
import { code, page, table } from './markdown.ts';

export function apiPage(): string {
  // Routes are only listed here: their handlers, and what those work with, are never touched.
  const nothing = {} as never;
  const mixed = [...systemRoutes(nothing, nothing), eventsRoute(nothing), ...containerRoutes(nothing)];
  return page(
    'The API',
    'the routes in src/api',
    `skepd speaks the Docker Engine API, versions ${versionText(MIN_API_VERSION)} to ${versionText(MAX_API_VERSION)}, with Docker's bodies, answers, status codes and errors: Docker's own reference holds. A path may begin with a version (${code('/v1.41/services')}).`,
    '## What skepd answers',
    routeTable(swarmRoutes),
    '## Where it has a part in the answer of the engine',
    routeTable(mixed),
    'Every other request goes to the engine as it came, and its answer comes back as it is: containers, images, volumes, builds, `exec`, `attach` …',
    '## One node of many',
    'A manager answers for containers of every node: a path that names a container by its id, or by the id or name of a task (`web.1`), goes to the engine of the node that has it. The header `X-Skep-Node: NODE` sends any other request to the engine of that node; `X-Skep-Node: *` asks all of them for a list (`/containers/json`, `/images/json`, `/volumes`, `/networks`, `/system/df`, `/events`) or a prune (`/containers/prune`, `/images/prune`, `/networks/prune`, `/volumes/prune`, `/build/prune`), and the header `X-Skep-Missing-Nodes` of the answer names the nodes that did not give one.',
  );
}

function routeTable(routes: readonly Route[]): string {
  const rows = routes
    .map(({ method, path }) => ({ method, path }))
    .toSorted((a, b) => (a.path === b.path ? (a.method < b.method ? -1 : 1) : a.path < b.path ? -1 : 1))
    .map(({ method, path }) => [method, code(path)]);
  return table(['method', 'path'], rows);
}
