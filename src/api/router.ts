// Which of our routes serves a method and a path: a tree of path segments, built once. What it does not find is the engine's.
// A library would bring parameters, constraints and a server of its own; this is a map per segment.
import { assert } from '#lib/assert.ts';
import type { Route } from './route.ts';

interface Branch {
  readonly fixed: Map<string, Branch>;
  parameter?: { readonly name: string; readonly branch: Branch };
  rest?: { readonly name: string; readonly routes: Map<string, Route> };
  readonly routes: Map<string, Route>;
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

export interface Router {
  /** `path` without version and query, still encoded. */
  find(method: string, path: string): Match | undefined;
}

/** Throws on two routes of the same method and shape. */
export function createRouter(routes: readonly Route[]): Router {
  const root = newBranch();
  for (const route of routes) add(root, route);
  return {
    find(method, path) {
      const params: Record<string, string> = {};
      const route = walk(root, path.split('/'), 1, method, params);
      return route && { route, params };
    },
  };
}

function newBranch(): Branch {
  return { fixed: new Map(), routes: new Map() };
}

function add(root: Branch, route: Route): void {
  let branch = root;
  for (const segment of route.path.split('/').slice(1)) {
    const name = /^\{(\w+)(\.\.\.)?\}$/.exec(segment);
    if (name?.[1] && name[2]) {
      branch.rest ??= { name: name[1], routes: new Map() };
      return put(branch.rest.routes, route);
    }
    if (name?.[1]) {
      branch.parameter ??= { name: name[1], branch: newBranch() };
      // One name per place keeps the tree simple; the routes of a place always mean the same thing by it.
      assert(branch.parameter.name === name[1], `route ${route.path} names {${branch.parameter.name}} differently`);
      branch = branch.parameter.branch;
      continue;
    }
    const next = branch.fixed.get(segment) ?? newBranch();
    branch.fixed.set(segment, next);
    branch = next;
  }
  put(branch.routes, route);
}

function put(routes: Map<string, Route>, route: Route): void {
  assert(!routes.has(route.method), `there are two routes for ${route.method} ${route.path}`);
  routes.set(route.method, route);
}

function walk(branch: Branch, segments: readonly string[], index: number, method: string, params: Record<string, string>): Route | undefined {
  if (index === segments.length) return branch.routes.get(method);
  const segment = segments[index] ?? '';
  const fixed = branch.fixed.get(segment);
  const found = fixed && walk(fixed, segments, index + 1, method, params);
  if (found) return found;
  if (branch.parameter && segment !== '') {
    const route = walk(branch.parameter.branch, segments, index + 1, method, params);
    if (route) {
      params[branch.parameter.name] = decode(segment);
      return route;
    }
  }
  const route = branch.rest?.routes.get(method);
  if (route && branch.rest) params[branch.rest.name] = decode(segments.slice(index).join('/'));
  return route;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
