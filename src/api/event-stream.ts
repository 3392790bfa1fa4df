// `GET /events`: the engine's events and the swarm's in one stream. Recent swarm events are kept in memory for `since`, as dockerd keeps its own.
import type { SwarmMembership } from '#control/control.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import type { EngineConnection } from '#engine-link/connection.ts';
import { eventLine, type EventMessage, matchesFilters, mayComeFromEngine, parseEventFilters, toEvent } from './events.ts';
import { linesOf } from '#lib/lines.ts';
import type { BackingNetworks } from './proxy/backing-networks.ts';
import type { Route, RouteContext, RouteRequest } from './route.ts';

/** As many as dockerd remembers. */
const REMEMBERED_EVENTS = 256;
/** A client that is this many lines behind is cut off: it gets them again with `since`. */
const MAX_PENDING_LINES = 10_000;
/** The engine's reader waits above this, so that a slow client does not fill our memory. */
const ENGINE_PENDING_LINES = 100;
/** How long remembered swarm events wait for the engine's own past, which they are sorted into. */
const PAST_GRACE_MS = 100;

export interface EventLog {
  /** Remembered events, oldest first. */
  recent(): readonly EventMessage[];
  subscribe(listener: (event: EventMessage) => void): () => void;
  close(): void;
}

export function createEventLog(membership: SwarmMembership, clock: Clock): EventLog {
  const recent: EventMessage[] = [];
  const listeners = new Set<(event: EventMessage) => void>();
  const stop = membership.onEvents((changes) => {
    for (const change of changes) {
      const event = toEvent(change, clock.now());
      if (event === undefined) continue;
      recent.push(event);
      if (recent.length > REMEMBERED_EVENTS) recent.shift();
      for (const listener of listeners) listener(event);
    }
  });
  return {
    recent: () => recent,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: stop,
  };
}

export interface EventsRouteOptions {
  readonly events: EventLog;
  readonly backing: BackingNetworks;
  /** The lines of all nodes' engines; undefined unless the request is for all nodes. */
  readonly ofAllNodes: (request: RouteRequest, context: RouteContext) => Promise<AsyncIterable<string>> | undefined;
}

export function eventsRoute(options: EventsRouteOptions): Route {
  return {
    method: 'GET',
    path: '/events',
    async handler(request, context) {
      const { engine, clock } = context;
      const filters = parseEventFilters(request.query.get('filters'));
      // What we cannot read the engine refuses, in its own words.
      if (filters === undefined) return { kind: 'engine' };
      const window = { since: parseTime(request.query.get('since')), until: parseTime(request.query.get('until')) };
      const past = window.since === undefined ? [] : options.events.recent().filter((event) => inWindow(event, window) && matchesFilters(event, filters));
      const ofAll = mayComeFromEngine(filters) ? await options.ofAllNodes(request, context) : undefined;
      // At `until` we may be done before the engine is (its clock, or it hangs): then its stream ends with ours.
      const over = new AbortController();
      const signal = AbortSignal.any([request.signal, over.signal]);
      const open = () => ofAll ?? openEngineEvents(engine, request.query, request.apiVersion, signal);
      const fromEngine = mayComeFromEngine(filters) ? await open() : undefined;
      const body = mergeEvents({
        past,
        live: (listener) => options.events.subscribe((event) => inWindow(event, window) && matchesFilters(event, filters) && listener(event)),
        engine: fromEngine,
        rewrite: (line) => (ofAll === undefined ? rewriteNetworkEvent(line, options.backing) : Promise.resolve(line)),
        ...(window.until === undefined ? {} : { until: window.until }),
        clock,
        signal: request.signal,
      });
      return { kind: 'stream', status: 200, contentType: 'application/json', body: thenAbort(body, over) };
    },
  };
}

async function* thenAbort<T>(items: AsyncIterable<T>, over: AbortController): AsyncGenerator<T> {
  try {
    yield* items;
  } finally {
    over.abort();
  }
}

interface Window {
  readonly since: number | undefined;
  readonly until: number | undefined;
}

function inWindow(event: EventMessage, { since, until }: Window): boolean {
  return (since === undefined || event.timeMs >= since) && (until === undefined || event.timeMs <= until);
}

/** Unix seconds with a fraction, as clients send it; milliseconds out. */
function parseTime(text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  const seconds = Number(text);
  if (!Number.isFinite(seconds)) throw new AppError('invalidArgument', `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return seconds * 1000;
}

async function openEngineEvents(engine: EngineConnection, query: URLSearchParams, apiVersion: number, signal: AbortSignal): Promise<AsyncIterable<string>> {
  return linesOf(await engine.stream({ method: 'GET', path: '/events', query, apiVersion, signal }));
}

/** Networks that only carry a swarm network on this engine do not appear; containers join and leave the swarm's network. */
export async function rewriteNetworkEvent(line: string, backing: BackingNetworks): Promise<string | undefined> {
  if (!line.includes('"Type":"network"')) return line;
  const event = JSON.parse(line) as { Action: string; Actor: { ID: string; Attributes: Record<string, string> } };
  const swarm = await backing.swarmNetworkOf(event.Actor.ID);
  if (swarm === undefined) return line;
  if (event.Action !== 'connect' && event.Action !== 'disconnect') return undefined;
  event.Actor.ID = swarm.id;
  event.Actor.Attributes = { ...event.Actor.Attributes, name: swarm.name, type: 'overlay' };
  // The number of nanoseconds is kept as text: it does not fit a JavaScript number.
  const nano = /"timeNano":(\d+)/.exec(line)?.[1];
  return `${JSON.stringify(event).replace(/"timeNano":\d+/, `"timeNano":${nano}`)}\n`;
}

interface MergeOptions {
  readonly past: readonly EventMessage[];
  readonly live: (listener: (event: EventMessage) => void) => () => void;
  readonly engine: AsyncIterable<string> | undefined;
  readonly rewrite: (line: string) => Promise<string | undefined>;
  readonly until?: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Ends when the engine's stream does, or at `until`. Throws when the client is too slow for the swarm's events. */
export async function* mergeEvents(options: MergeOptions): AsyncGenerator<Buffer> {
  const { clock, signal } = options;
  const pending: string[] = [];
  const past = [...options.past];
  let wake = () => {};
  let ended = false;
  let failure: unknown;
  const push = (line: string) => {
    if (pending.length >= MAX_PENDING_LINES) failure ??= new AppError('resourceExhausted', `the client is ${MAX_PENDING_LINES} events behind`);
    else pending.push(line);
    wake();
  };
  const pushPast = (untilMs: number) => {
    const later = past.findIndex((event) => event.timeMs > untilMs);
    for (const event of past.splice(0, later < 0 ? past.length : later)) push(eventLine(event));
  };
  const finish = (error?: unknown) => {
    pushPast(Infinity);
    failure ??= error;
    ended = true;
    wake();
  };
  const stops = [
    options.live((event) => {
      pushPast(Infinity);
      push(eventLine(event));
    }),
  ];
  const stopped = new AbortController();
  stops.push(() => stopped.abort());
  if (options.engine) {
    void readEngine(options.engine, { push, pushPast, rewrite: options.rewrite, pendingLines: () => pending.length, clock, signal: stopped.signal }).then(
      () => finish(),
      finish,
    );
    stops.push(clock.schedule(PAST_GRACE_MS, () => pushPast(Infinity)));
  } else pushPast(Infinity);
  // The engine ends its own stream at a time that has passed; without it there is nothing to wait for.
  const untilMs = options.until ?? Infinity;
  if (untilMs > clock.now() && untilMs < Infinity) stops.push(clock.schedule(untilMs - clock.now(), () => finish()));
  else if (untilMs < Infinity && !options.engine) finish();
  const onAbort = () => finish();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (;;) {
      if (signal.aborted) return;
      const lines = pending.splice(0);
      if (lines.length > 0) yield Buffer.from(lines.join(''));
      else if (failure !== undefined) throw failure;
      else if (ended) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    for (const stop of stops) stop();
  }
}

interface EngineSink {
  readonly push: (line: string) => void;
  readonly pushPast: (untilMs: number) => void;
  readonly rewrite: (line: string) => Promise<string | undefined>;
  readonly pendingLines: () => number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

async function readEngine(lines: AsyncIterable<string>, sink: EngineSink): Promise<void> {
  for await (const line of lines) {
    if (sink.signal.aborted) return;
    const at = /"timeNano":(\d+)\d{6}[,}]/.exec(line)?.[1];
    if (at !== undefined) sink.pushPast(Number(at));
    const rewritten = await sink.rewrite(line);
    if (rewritten !== undefined) sink.push(rewritten);
    while (sink.pendingLines() > ENGINE_PENDING_LINES && !sink.signal.aborted) await sink.clock.sleep(10, sink.signal).catch(() => {});
  }
}
