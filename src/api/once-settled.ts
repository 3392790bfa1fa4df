// A daemon that has just started does not know its place in the swarm yet, for as long as it reads its state and hears from the other managers. dockerd
// does not answer anybody until then. Here the engine's part answers at once, and what asks for the swarm waits: a client that saw the daemon come back
// is not told that the node is no manager.
import type { Route } from './route.ts';

/** `settled` resolves once, also when the place could not be taken up: the routes then say why. What changes the membership itself never waits. */
export function onceSettled(routes: readonly Route[], settled: Promise<void>): readonly Route[] {
  let isSettled = false;
  void settled.then(() => {
    isSettled = true;
  });
  return routes.map((route) => {
    if (!asksForSwarm(route)) return route;
    return {
      ...route,
      async handler(request, context) {
        if (!isSettled) await unlessAborted(settled, request.signal);
        return route.handler(request, context);
      },
    };
  });
}

function asksForSwarm({ method, path }: Route): boolean {
  if (['/_ping', '/version', '/volumes/prune'].includes(path)) return false;
  // A plain container asks for the swarm's networks when it is made.
  if (path.startsWith('/containers/')) return path === '/containers/create';
  return method === 'GET' || !path.startsWith('/swarm/');
}

function unlessAborted(settled: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    void settled.then(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
  });
}
