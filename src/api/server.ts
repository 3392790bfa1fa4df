// The daemon's HTTP server: our routes where we have one, the engine for the rest. node:http owns framing; there is no framework, because
// what matters here is what a framework hides: upgrades, half-closed sockets, 100-continue, trailers (docs/design/api-and-proxy.md).
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from '#lib/node-http.ts';
import type { Duplex } from 'node:stream';
import type { SwarmMembership } from '#control/control.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { MAX_HEADER_BYTES } from '#engine-link/link.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import { createEventLog, eventsRoute } from './event-stream.ts';
import { createListeners, type Listeners } from './listeners.ts';
import { startAttachmentKeeper } from './proxy/attachments.ts';
import { createBackingNetworks } from './proxy/backing-networks.ts';
import { containerRoutes } from './proxy/container-routes.ts';
import type { ContainerNetworks } from './proxy/container-networks.ts';
import { allNodesRoutes } from './proxy/all-nodes.ts';
import { openAllNodesEvents } from './proxy/all-nodes-events.ts';
import { createEngineDirectory, type EngineDirectory, isForAllNodes } from './proxy/engine-directory.ts';
import { createOtherEngines, type OtherEngines } from './proxy/other-engines.ts';
import { forward } from './proxy/forward.ts';
import { answerForGone } from './proxy/gone-containers.ts';
import { enterFront } from './proxy/front.ts';
import { hijack, isHijackPath } from './proxy/hijack.ts';
import { type ClientPath, enginePath, headText } from './proxy/rewrite.ts';
import { isObject } from './proxy/json-object.ts';
import { translateNetworkCreate } from './proxy/translate.ts';
import { onceSettled } from './once-settled.ts';
import { type RequestBody, readJsonBody } from './request-body.ts';
import { type CommonHeaders, commonHeaders, describeError, writeError, writeResult } from './respond.ts';
import type { Route, RouteContext, RouteRequest, RouteResult } from './route.ts';
import { createRouter, type Match, type Router } from './router.ts';
import { type Identity, systemRoutes } from './system.ts';
import { apiPath } from '#engine-link/path.ts';
import { negotiate, splitVersion } from './version.ts';

export interface ApiServerOptions {
  readonly membership: SwarmMembership;
  readonly engine: EngineLink;
  readonly routes: readonly Route[];
  readonly log: Logger;
  readonly clock: Clock;
  readonly identity: Identity;
  readonly containerNetworks?: ContainerNetworks;
  /** Resolves when the daemon has taken up its place in the swarm; what asks for the swarm waits for it. Default: it has. */
  readonly settled?: Promise<void>;
  /** The engines of other nodes, by node id. */
  readonly engineOf?: (nodeId: string) => Promise<EngineLink>;
}

/** `listen` may be called for several hosts. `close` also ends what runs beside requests. */
export type ApiServer = Pick<Listeners, 'listen' | 'close'>;

/** A slow client of a plain TCP port must not hold a parser for ever. */
const HEADERS_TIMEOUT_MS = 60_000;

export function createApiServer(options: ApiServerOptions): ApiServer {
  const { engine, log, clock } = options;
  const events = createEventLog(options.membership, clock);
  const networks = options.containerNetworks;
  const backing = createBackingNetworks({ engine, membership: options.membership });
  const keeper = networks && startAttachmentKeeper({ engine, networks, clock, log });
  const { membership, engineOf = () => Promise.resolve(engine) } = options;
  const directory = createEngineDirectory({ membership, local: engine, ...(options.engineOf === undefined ? {} : { engineOf }) });
  const others = createOtherEngines({ membership, onExec: (id, link) => directory.rememberExec(id, link) });
  const all = { engineOf, others };
  const { settled } = options;
  const untilThen = (routes: readonly Route[]) => (settled === undefined ? routes : onceSettled(routes, settled));
  const router = createRouter([
    ...untilThen(systemRoutes(options.identity, () => listeners.warnings())),
    eventsRoute({
      events,
      backing,
      ofAllNodes: (request, context) => (isForAllNodes(request.headers) ? openAllNodesEvents(request, context, all) : undefined),
    }),
    ...untilThen(containerRoutes({ engine, backing, networks, keeper })),
    ...untilThen(options.routes),
  ]);
  const allNodes = createRouter(allNodesRoutes(all));
  const context: RouteContext = { membership: options.membership, engine, log, clock };
  const common = { server: `Skep/${options.identity.version} (linux)`, experimental: 'false', ostype: 'linux' };
  learnCommonHeaders(engine, common);

  const http = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    // As dockerd: uploads take as long as they take, and idle connections stay.
    requestTimeout: 0,
    keepAliveTimeout: 0,
    headersTimeout: HEADERS_TIMEOUT_MS,
    shouldUpgradeCallback: (request) => isHijackPath(splitVersion(request.url ?? '').path),
  });
  const busy = new WeakSet<Duplex>();
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    busy.add(socket);
    response.once('close', () => busy.delete(socket));
    void serveRequest({ router, allNodes, others, context, engine, directory, common }, request, response).catch((error: unknown) => {
      log.error({ error: errorMessage(error), path: request.url }, 'a request failed after its answer had begun');
      response.destroy();
    });
  };
  http.on('request', serve);
  http.on('checkContinue', serve);
  http.on('upgrade', (request, socket, head) => {
    busy.add(socket);
    void serveHijack({ directory, common, log }, request, socket, head);
  });
  http.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request');
    else socket.destroy();
  });
  const listeners = createListeners({
    accept: (socket) => enterFront(socket, http, { clock, timeoutMs: HEADERS_TIMEOUT_MS }),
    isBusy: (socket) => busy.has(socket),
    clock,
  });
  return {
    listen: (host) => listeners.listen(host),
    async close() {
      events.close();
      keeper?.stop();
      await listeners.close();
    },
  };
}

/** Common headers follow the engine's; until it has answered they are what every Linux engine says. */
function learnCommonHeaders(engine: EngineLink, common: { experimental: string; ostype: string }): void {
  const learn = async () => {
    const { pingHeaders } = await engine.facts();
    common.experimental = pingHeaders['docker-experimental'] ?? common.experimental;
    common.ostype = pingHeaders['ostype'] ?? common.ostype;
  };
  learn().catch(() => {});
}

interface Serving {
  readonly router: Router;
  /** Serves requests that are for all nodes, as far as it knows them. */
  readonly allNodes: Router;
  readonly others: OtherEngines;
  readonly context: RouteContext;
  readonly engine: EngineLink;
  readonly directory: EngineDirectory;
  readonly common: CommonHeaders;
}

async function serveRequest(serving: Serving, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { requested, path: asked } = splitVersion(request.url ?? '/');
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort(new Error('the client has gone'));
  });
  try {
    const apiVersion = negotiate(requested);
    const target = await serving.directory.find(asked, request.headers);
    const rest = target.path;
    const client: ClientPath = { ...(requested === undefined ? {} : { requested }), apiVersion, rest };
    const queryStart = rest.indexOf('?');
    const path = queryStart < 0 ? rest : rest.slice(0, queryStart);
    const query = queryStart < 0 ? '' : rest.slice(queryStart + 1);
    await serveOn({ ...serving, engine: target.engine }, { request, response, client, path, query, signal: gone.signal }, target.isRemote);
  } catch (error) {
    if (response.headersSent || response.destroyed) throw gone.signal.aborted ? new Error('the client has gone', { cause: error }) : error;
    writeError(response, error, serving.common, requested);
    request.resume();
  }
}

/** What is the swarm's or this daemon's, and containers, which are found wherever they are. */
const concernsNoNode =
  /^\/(?:_ping|version|info|events|auth|swarm|nodes|services|tasks|secrets|configs|networks|exec|containers\/(?!(?:create|prune)$)[^/]+)(?:\/|$)/;

/** Of another node's engine only what cannot go through untouched is ours; a request for all nodes must be one that we know how to ask all. */
async function serveOn(serving: Serving, exchange: Exchange, isRemote: boolean): Promise<void> {
  const { request, response, client, path } = exchange;
  const method = request.method ?? 'GET';
  const isForAll = !isRemote && isForAllNodes(request.headers);
  const router = isRemote ? serving.others.routerOf(serving.engine) : serving.router;
  const ofAll = isForAll ? serving.allNodes.find(method, path) : undefined;
  if (isForAll && !ofAll && !concernsNoNode.test(path))
    throw new AppError('invalidArgument', `X-Skep-Node: * is for lists and prunes: name one node for ${method} ${path}`);
  const gone = await answerForGone(requestOf(exchange), serving.context, serving.engine);
  if (gone !== undefined) return await writeResult(response, gone, serving.common, exchange.signal);
  const match = ofAll ?? router.find(method, path);
  if (match) return serveRoute(serving, match, exchange);
  await forward(request, response, { method, path: await pathForEngine(client, serving.engine) }, serving.engine);
}

/** An unversioned path goes as it is, so the engine need not be asked what it speaks. */
async function pathForEngine(client: ClientPath, engine: EngineLink): Promise<string> {
  return client.requested === undefined ? client.rest : enginePath(client, await engine.facts());
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly client: ClientPath;
  readonly path: string;
  readonly query: string;
  readonly signal: AbortSignal;
}

/** All that a route is told of a request, but for what its pattern and its body say. */
function requestOf({ request, client, path, query, signal }: Exchange): Omit<RouteRequest, 'params' | 'body'> {
  const method = request.method ?? 'GET';
  return { method, path, query: new URLSearchParams(query), headers: request.headers, apiVersion: client.apiVersion, signal, rawBody: request };
}

async function serveRoute(serving: Serving, match: Match, exchange: Exchange): Promise<void> {
  const { request, response, signal } = exchange;
  const { route, params } = match;
  const mode = route.body ?? (route.method === 'POST' || route.method === 'PUT' ? 'json' : 'none');
  if (mode === 'json' && request.headers.expect !== undefined) response.writeContinue();
  const body = mode === 'json' ? await readJsonBody(request, exchange.client.apiVersion) : undefined;
  const result = await route.handler({ ...requestOf(exchange), params, body: body?.value }, serving.context);
  if (result.kind !== 'engine') return await writeResult(response, result, serving.common, signal);
  await handOver(serving, exchange, result, body);
}

async function handOver(serving: Serving, exchange: Exchange, result: Extract<RouteResult, { kind: 'engine' }>, read: RequestBody | undefined): Promise<void> {
  const { request, response, client } = exchange;
  const rest =
    result.path === undefined && result.query === undefined
      ? client.rest
      : apiPath(undefined, result.path ?? exchange.path, result.query ?? new URLSearchParams(exchange.query));
  const translated = await translateBody(exchange, result.body ?? read?.value, serving.engine);
  const body = translated === read?.value ? read?.bytes : Buffer.from(JSON.stringify(translated));
  const path = await pathForEngine({ ...client, rest }, serving.engine);
  await forward(request, response, { method: request.method ?? 'GET', path, ...(body === undefined ? {} : { body }) }, serving.engine);
}

/** The same value when the engine understands the request as its client means it. */
async function translateBody({ client, path }: Exchange, body: unknown, engine: EngineLink): Promise<unknown> {
  if (path !== '/networks/create' || !isObject(body)) return body;
  return translateNetworkCreate(body, { client: client.apiVersion, engine: (await engine.facts()).apiVersion });
}

/** A connection that is taken over; when the engine cannot be reached the client still gets an HTTP answer. */
async function serveHijack(
  serving: { readonly directory: EngineDirectory; readonly common: CommonHeaders; readonly log: Logger },
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const { requested, path: asked } = splitVersion(request.url ?? '/');
  try {
    const apiVersion = negotiate(requested);
    const { engine, path: rest } = await serving.directory.find(asked, request.headers);
    const client: ClientPath = { ...(requested === undefined ? {} : { requested }), apiVersion, rest };
    await hijack(request, socket, head, await pathForEngine(client, engine), engine);
  } catch (error) {
    serving.log.debug({ error: errorMessage(error), path: request.url }, 'a connection was not taken over');
    const { status, message } = describeError(error);
    const body = `${JSON.stringify({ message })}\n`;
    const headers = [
      ...commonHeaders(serving.common),
      'Content-Type',
      'application/json',
      'Content-Length',
      String(Buffer.byteLength(body)),
      'Connection',
      'close',
    ];
    socket.end(headText(`HTTP/1.1 ${status} ${status === 503 ? 'Service Unavailable' : 'Error'}`, headers) + body);
  }
}
