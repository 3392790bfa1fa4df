// The daemon's HTTP server: our routes where we have one, the engine for the rest. node:http owns framing; there is no framework, because
// what matters here is what a framework hides: upgrades, half-closed sockets, 100-continue, trailers (docs/design/api-and-proxy.md).
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { SwarmMembership } from '#control/control.ts';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { MAX_HEADER_BYTES } from '#engine-link/link.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import { createEventLog, eventsRoute } from './event-stream.ts';
import { createListeners, type Listeners } from './listeners.ts';
import { startAttachmentKeeper } from './proxy/attachments.ts';
import { createBackingNetworks } from './proxy/backing-networks.ts';
import { containerRoutes } from './proxy/container-routes.ts';
import type { ContainerNetworks } from './proxy/container-networks.ts';
import { createEngineDirectory, type EngineDirectory } from './proxy/engine-directory.ts';
import { forward } from './proxy/forward.ts';
import { enterFront } from './proxy/front.ts';
import { hijack, isHijackPath } from './proxy/hijack.ts';
import { type ClientPath, enginePath, headText } from './proxy/rewrite.ts';
import { isObject } from './proxy/json-object.ts';
import { translateNetworkCreate } from './proxy/translate.ts';
import { type RequestBody, readJsonBody } from './request-body.ts';
import { type CommonHeaders, commonHeaders, describeError, writeError, writeResult } from './respond.ts';
import type { Route, RouteContext, RouteResult } from './route.ts';
import { createRouter, type Match } from './router.ts';
import { type Identity, systemRoutes } from './system.ts';
import { apiPath } from '#engine-link/path.ts';
import { expectsPlainTextErrors, negotiate, splitVersion } from './version.ts';

export interface ApiServerOptions {
  readonly membership: SwarmMembership;
  readonly engine: EngineLink;
  readonly routes: readonly Route[];
  readonly log: Logger;
  readonly clock: Clock;
  readonly identity: Identity;
  readonly containerNetworks?: ContainerNetworks;
  /** The engines of other nodes, by node id. */
  readonly engineOf?: (nodeId: string) => Promise<EngineLink>;
}

/** `listen` may be called for several hosts. `close` also ends what runs beside requests. */
export type ApiServer = Listeners;

/** A slow client of a plain TCP port must not hold a parser for ever. */
const HEADERS_TIMEOUT_MS = 60_000;

export function createApiServer(options: ApiServerOptions): ApiServer {
  const { engine, log, clock } = options;
  const events = createEventLog(options.membership, clock);
  const networks = options.containerNetworks;
  const backing = createBackingNetworks({ engine, membership: options.membership });
  const keeper = networks && startAttachmentKeeper({ engine, networks, clock, log });
  const router = createRouter([
    ...systemRoutes(options.identity),
    eventsRoute({ events, backing }),
    ...containerRoutes({ engine, backing, networks, keeper }),
    ...options.routes,
  ]);
  const directory = createEngineDirectory({
    membership: options.membership,
    local: engine,
    ...(options.engineOf === undefined ? {} : { engineOf: options.engineOf }),
  });
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
    void serveRequest({ router, context, engine, directory, common }, request, response).catch((error: unknown) => {
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
  const listeners = createListeners({ accept: (socket) => enterFront(socket, http), isBusy: (socket) => busy.has(socket), clock });
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
  readonly router: ReturnType<typeof createRouter>;
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
    if (target.isRemote) return await serveRemote({ ...serving, engine: target.engine }, { request, response, client, signal: gone.signal });
    const queryStart = rest.indexOf('?');
    const path = queryStart < 0 ? rest : rest.slice(0, queryStart);
    const match = serving.router.find(request.method ?? 'GET', path);
    if (match)
      await serveRoute(serving, match, { request, response, client, path, query: queryStart < 0 ? '' : rest.slice(queryStart + 1), signal: gone.signal });
    else await forward(request, response, { method: request.method ?? 'GET', path: await pathForEngine(client, serving.engine) }, serving.engine);
  } catch (error) {
    if (response.headersSent || response.destroyed) throw gone.signal.aborted ? new Error('the client has gone', { cause: error }) : error;
    writeError(response, error, serving.common, expectsPlainTextErrors(requested));
    request.resume();
  }
}

/** Another node's engine answers; an exec that is made there will be started there. */
async function serveRemote(
  { engine, directory, common }: Serving,
  { request, response, client, signal }: Pick<Exchange, 'request' | 'response' | 'client' | 'signal'>,
): Promise<void> {
  const method = request.method ?? 'GET';
  if (method !== 'POST' || !/^\/containers\/[^/]+\/exec$/.test(client.rest))
    return forward(request, response, { method, path: await pathForEngine(client, engine) }, engine);
  const body = await readJsonBody(request);
  const answer = await engine.exchange({ method, path: client.rest, body: body?.value, apiVersion: client.apiVersion, signal });
  const id = isObject(answer.body) ? answer.body['Id'] : undefined;
  if (typeof id === 'string') directory.rememberExec(id, engine);
  await writeResult(response, { kind: 'bytes', status: answer.status, contentType: 'application/json', bytes: answer.bytes }, common, signal);
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

async function serveRoute(serving: Serving, match: Match, exchange: Exchange): Promise<void> {
  const { request, response, client, path, signal } = exchange;
  const { route, params } = match;
  const mode = route.body ?? (route.method === 'POST' || route.method === 'PUT' ? 'json' : 'none');
  if (mode === 'json' && request.headers.expect !== undefined) response.writeContinue();
  const body = mode === 'json' ? await readJsonBody(request) : undefined;
  const query = new URLSearchParams(exchange.query);
  const result = await route.handler(
    {
      method: request.method ?? 'GET',
      path,
      params,
      query,
      body: body?.value,
      headers: request.headers,
      apiVersion: client.apiVersion,
      signal,
      rawBody: request,
    },
    serving.context,
  );
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
