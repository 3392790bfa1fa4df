// Values of a path's {names}.
import { present } from '#lib/assert.ts';
import type { RouteRequest } from '../route.ts';

/** The value of `{name}`; the server only calls a handler when the whole pattern matched. */
export function param(request: RouteRequest, name: string): string {
  return present(request.params[name], `path parameter ${name}`);
}
