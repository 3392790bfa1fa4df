// netd's side of protocol.ts.
import { rm } from 'node:fs/promises';
import type http from 'node:http';
import { createServer } from '#lib/node-http.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { ClusterNetworkState, LocalNetworkState } from '#protocol/network-state.ts';
import type { SandboxPlace, SandboxSpec } from '#protocol/sandbox.ts';
import { listenOn, readBody } from './http.ts';
import type { NetdNews, NetdStatus } from './protocol.ts';

export interface ControlHandlers {
  status(): NetdStatus;
  news(): NetdNews;
  applyCluster(state: ClusterNetworkState): Promise<void>;
  applyLocal(state: LocalNetworkState): Promise<void>;
  attach(sandbox: SandboxSpec): Promise<SandboxPlace>;
  detach(taskId: string): Promise<void>;
  destroy(): Promise<void>;
  /** Ends the process soon after. */
  exit(): void;
}

export interface ControlServer {
  /** Tells the news to all who follow them. */
  tell(): void;
  close(): Promise<void>;
}

/** `path` may be left over from a process that was killed; the caller holds the lock that says so. */
export async function serveControl({
  path,
  handlers,
  log,
}: {
  readonly path: string;
  readonly handlers: ControlHandlers;
  readonly log: Logger;
}): Promise<ControlServer> {
  await rm(path, { force: true });
  const followers = new Set<http.ServerResponse>();
  const newsLine = () => `${JSON.stringify(handlers.news())}\n`;
  const server = createServer((request, response) => {
    if (request.method === 'GET' && request.url === '/alive') {
      response.writeHead(200);
      response.write(newsLine());
      followers.add(response);
      response.once('close', () => followers.delete(response));
      return;
    }
    route(request, handlers).then(
      (body) => {
        const ends = request.url === '/stop' || request.url === '/destroy';
        response.writeHead(200, { 'content-type': 'application/json' });
        // Also when nobody waits for the answer any more.
        if (ends) response.once('close', () => handlers.exit());
        if (ends && response.destroyed) handlers.exit();
        response.end(JSON.stringify(body));
      },
      (error: unknown) => {
        log.debug({ url: request.url, error: errorMessage(error) }, 'request failed');
        response.writeHead(error instanceof AppError ? error.httpStatus : 500, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ message: errorMessage(error) }));
      },
    );
  });
  // A large state takes as long as it takes; the other end has its own patience.
  server.requestTimeout = 0;
  await listenOn(server, path);
  return {
    tell() {
      for (const follower of followers) follower.write(newsLine());
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function route(request: http.IncomingMessage, handlers: ControlHandlers): Promise<object> {
  switch (`${request.method} ${request.url}`) {
    case 'GET /status':
      return handlers.status();
    case 'PUT /cluster':
      await handlers.applyCluster(parse<ClusterNetworkState>(await readBody(request), ['nodes', 'networks', 'services', 'ingress']));
      return {};
    case 'PUT /local':
      await handlers.applyLocal(parse<LocalNetworkState>(await readBody(request), ['endpoints']));
      return {};
    case 'POST /attach':
      return handlers.attach(parse<SandboxSpec>(await readBody(request), ['networks', 'hostPorts']));
    case 'POST /detach':
      await handlers.detach(parse<{ readonly taskId: string }>(await readBody(request), []).taskId);
      return {};
    case 'POST /stop':
      return {};
    case 'POST /destroy':
      await handlers.destroy();
      return {};
    default:
      throw new AppError('notFound', `no such request: ${request.method} ${request.url}`);
  }
}

/** Both ends are of the same version (the client sees to it), so only the outline is checked. */
function parse<T>(text: string, lists: readonly string[]): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalidArgument', 'the body is not JSON', { cause });
  }
  const fields = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  for (const list of lists) if (!Array.isArray(fields[list])) throw new AppError('invalidArgument', `the body has no list ${list}`);
  return value as T;
}
