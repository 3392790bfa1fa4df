// `signal` of stop and restart came with API 1.42. An older engine drops it and sends the container's own stop signal, so the steps are made one by one.
import { engineError } from '#engine-link/link.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import { empty, type RouteRequest, type RouteResult, toEngine } from '../route.ts';
import { objectAt } from './json-object.ts';

/** The engine's own patience when neither the client nor the container says otherwise. */
const DEFAULT_STOP_TIMEOUT_S = 10;
/** Kill is asked for once the time is up; a process that survives even that is not waited for longer. */
const KILL_WAIT_MS = 30_000;

export async function stopContainer(request: RouteRequest, engine: EngineLink): Promise<RouteResult> {
  if (!(await mustDoSteps(request, engine))) return toEngine();
  return (await stopWithSignal(request, engine)) === 'already stopped' ? empty(304) : empty(204);
}

export async function restartContainer(request: RouteRequest, engine: EngineLink): Promise<RouteResult> {
  if (!(await mustDoSteps(request, engine))) return toEngine();
  await stopWithSignal(request, engine);
  return await post(engine, request, 'start').then(() => empty(204));
}

async function mustDoSteps(request: RouteRequest, engine: EngineLink): Promise<boolean> {
  if (!request.query.get('signal') || request.apiVersion < 42) return false;
  return (await engine.facts(request.signal)).apiVersion < 42;
}

async function stopWithSignal(request: RouteRequest, engine: EngineLink): Promise<'stopped' | 'already stopped'> {
  const container = await engine.json<unknown>({ method: 'GET', path: `/containers/${encodeURIComponent(request.params['id'] ?? '')}/json` });
  if (objectAt(container, 'State')['Running'] !== true) return 'already stopped';
  await post(engine, request, 'kill', { signal: request.query.get('signal') ?? '' });
  const configured = objectAt(container, 'Config')['StopTimeout'];
  const seconds = Number(request.query.get('t') ?? configured ?? DEFAULT_STOP_TIMEOUT_S);
  // A negative time means to wait for ever.
  if (seconds < 0 ? await hasStopped(request, engine) : await hasStopped(request, engine, AbortSignal.timeout(seconds * 1000))) return 'stopped';
  await post(engine, request, 'kill');
  await hasStopped(request, engine, AbortSignal.timeout(KILL_WAIT_MS));
  return 'stopped';
}

/** False when the time was up first. */
async function hasStopped(request: RouteRequest, engine: EngineLink, patience?: AbortSignal): Promise<boolean> {
  try {
    await post(engine, request, 'wait', {}, patience ? AbortSignal.any([request.signal, patience]) : request.signal);
    return true;
  } catch (error) {
    if (patience?.aborted) return false;
    throw error;
  }
}

/** Throws with the engine's words; a container that is not running any more is fine for a kill. */
async function post(engine: EngineLink, request: RouteRequest, action: string, query: Record<string, string> = {}, signal = request.signal): Promise<void> {
  const path = `/containers/${encodeURIComponent(request.params['id'] ?? '')}/${action}`;
  const { status, body } = await engine.request({ method: 'POST', path, query: new URLSearchParams(query), signal });
  if (status >= 400 && !(action === 'kill' && status === 409)) throw engineError(status, body);
}
