// `GET /events` of all nodes' engines, in order of time, each with where it happened; event-stream.ts adds the swarm's. A node that is away is waited for,
// and its events go on from where they were.
import type { Node } from '#domain/objects.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import { mergeByTime } from '#lib/merge-by-time.ts';
import { rewriteNetworkEvent } from '../event-stream.ts';
import { linesOf } from '#lib/lines.ts';
import type { RouteContext, RouteRequest } from '../route.ts';
import { type AllNodes, NODE_LABEL, nodeName } from './all-nodes.ts';

/** Events of different nodes are put in order as far as they come within this time. */
const PATIENCE_MS = 100;
const RETRY_MS = 1_000;

/** Rejects with what this node's engine refuses, while that can still be the answer: what it does not understand, the others do not either. */
export async function openAllNodesEvents(request: RouteRequest, context: RouteContext, all: AllNodes): Promise<AsyncIterable<string>> {
  const { query, apiVersion, signal } = request;
  const nodes = context.membership.control().nodes.list({});
  (await context.engine.stream({ method: 'GET', path: '/events', query, apiVersion, signal })).destroy();
  return allNodesEvents(nodes, request, context, all);
}

/** Ends when all engines have ended theirs at a given `until`; without one it ends with the request. */
async function* allNodesEvents(nodes: readonly Node[], request: RouteRequest, context: RouteContext, all: AllNodes): AsyncGenerator<string> {
  const { clock } = context;
  const { query, signal } = request;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const source = (node: Node) => eventsOfNode(node, { ...request, signal: either }, context, all);
  const isEndless = !query.get('until');
  let unwatch = () => {};
  try {
    yield* mergeByTime<string>({
      sources: nodes.map(source),
      keyOf: (line) => nanosecondsOf(line)?.padStart(20, '0') ?? '',
      patienceMs: PATIENCE_MS,
      ...(isEndless ? { onReady: (add) => (unwatch = watchNewNodes((node) => add(source(node)), context)) } : {}),
      clock,
      signal: either,
    });
  } finally {
    unwatch();
    stop.abort();
  }
}

function watchNewNodes(onNode: (node: Node) => void, { membership }: RouteContext): () => void {
  return membership.onEvents((events) => {
    for (const { action, object } of events) if (action === 'create' && object.kind === 'node') onNode(object);
  });
}

async function* eventsOfNode(first: Node, { query, apiVersion, signal }: RouteRequest, context: RouteContext, all: AllNodes): AsyncGenerator<string> {
  const { membership, clock } = context;
  const isEndless = !query.get('until');
  const asked = new URLSearchParams(query);
  const startedAt = clock.now();
  let last: string | undefined;
  while (!signal.aborted) {
    const node = membership.control().nodes.list({ id: [first.id] })[0];
    if (node === undefined) return;
    try {
      if (node.status.state !== 'ready') throw new AppError('unavailable', 'the node is away');
      const engine = await all.engineOf(node.id);
      for await (const line of linesOf(await engine.stream({ method: 'GET', path: '/events', query: asked, apiVersion, signal }))) {
        last = nanosecondsOf(line) ?? last;
        const shown = await rewriteNetworkEvent(line, all.others.backingOf(engine));
        if (shown !== undefined) yield withNode(shown, node);
      }
      if (!isEndless) return;
    } catch (error) {
      if (signal.aborted || !isEndless || (error instanceof AppError && error.code !== 'unavailable')) return;
    }
    if (last !== undefined || !asked.has('since')) asked.set('since', last === undefined ? String(startedAt / 1_000) : secondsAfter(last));
    await wait(clock, signal);
  }
}

function wait(clock: Clock, signal: AbortSignal): Promise<void> {
  return clock.sleep(RETRY_MS, signal).catch(() => {});
}

function nanosecondsOf(line: string): string | undefined {
  return /"timeNano":(\d+)/.exec(line)?.[1];
}

/** The next nanosecond, in seconds with a fraction. */
function secondsAfter(nanoseconds: string): string {
  const next = String(BigInt(nanoseconds) + 1n).padStart(10, '0');
  return `${next.slice(0, -9)}.${next.slice(-9)}`;
}

/** As text: its nanoseconds do not fit a JavaScript number. */
function withNode(line: string, node: Node): string {
  const name = JSON.stringify(nodeName(node));
  return line
    .replace(/^\{/, () => `{"Node":{"ID":${JSON.stringify(node.id)},"Name":${name}},`)
    .replace(/"Attributes":\{(\}?)/, (_all, end: string) => `"Attributes":{"${NODE_LABEL}":${name}${end === '' ? ',' : '}'}`);
}
