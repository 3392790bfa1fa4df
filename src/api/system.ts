// Ping, version and info: the engine's answers with the swarm's parts in them.
import type { SwarmInfo } from '#control/control.ts';
import { swarmInfoToJson } from './convert/swarm.ts';
import type { EngineFacts } from '#engine-link/connection.ts';
import { AppError } from '#lib/errors.ts';
import { json, type Route, type RouteContext, type RouteRequest, type RouteResult } from './route.ts';
import { MAX_API_VERSION, MIN_API_VERSION, versionText } from './version.ts';

export interface Identity {
  /** Of this program. */
  readonly version: string;
  readonly gitCommit: string;
}

/** A ping says what this daemon speaks; it does not wait longer than this for an engine that does not answer. */
const PING_PATIENCE_MS = 1_000;

/** `warnings` are this daemon's own, for `docker info`. */
export function systemRoutes(identity: Identity, warnings: () => readonly string[]): readonly Route[] {
  return [
    { method: 'GET', path: '/_ping', handler: ping },
    { method: 'HEAD', path: '/_ping', handler: ping },
    { method: 'GET', path: '/version', handler: (request, context) => version(request, context, identity) },
    { method: 'GET', path: '/info', handler: createInfo(warnings) },
  ];
}

async function ping(request: RouteRequest, context: RouteContext): Promise<RouteResult> {
  const facts = await factsSoon(context);
  const builder = facts?.pingHeaders['builder-version'];
  const headers = {
    ...(builder === undefined ? {} : { 'Builder-Version': builder }),
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Swarm: swarmHeader(context.membership.info()),
  };
  const body = Buffer.from(request.method === 'HEAD' ? '' : 'OK');
  return { kind: 'bytes', status: 200, contentType: 'text/plain; charset=utf-8', bytes: body, headers };
}

async function factsSoon({ engine, clock }: RouteContext): Promise<EngineFacts | undefined> {
  const answered = new AbortController();
  const late = clock.sleep(PING_PATIENCE_MS, answered.signal).then(
    () => undefined,
    () => undefined,
  );
  try {
    return await Promise.race([engine.facts().catch(() => undefined), late]);
  } finally {
    answered.abort();
  }
}

export function swarmHeader({ state, controlAvailable }: Pick<SwarmInfo, 'state' | 'controlAvailable'>): string {
  if (state !== 'active') return state;
  return controlAvailable ? 'active/manager' : 'active/worker';
}

interface VersionAnswer {
  Components?: { Name: string; Version: string; Details?: Record<string, string> }[];
  ApiVersion?: string;
  MinAPIVersion?: string;
  [field: string]: unknown;
}

async function version(request: RouteRequest, { engine }: RouteContext, identity: Identity): Promise<RouteResult> {
  const [answer, facts] = await Promise.all([
    engine.json<VersionAnswer>({ method: 'GET', path: '/version', apiVersion: request.apiVersion, signal: request.signal }),
    engine.facts(request.signal),
  ]);
  const versions = { ApiVersion: versionText(MAX_API_VERSION), MinAPIVersion: versionText(MIN_API_VERSION) };
  // Clients read what they may speak from the component "Engine"; what the engine itself speaks is told of under our own name.
  const components = (answer.Components ?? []).map((component) =>
    component.Name.startsWith('Engine') || component.Name.startsWith('Podman') ? { ...component, Details: { ...component.Details, ...versions } } : component,
  );
  const own = { Name: 'Skep', Version: identity.version, Details: { GitCommit: identity.gitCommit, EngineApiVersion: versionText(facts.apiVersion) } };
  return json({ ...answer, ...versions, Components: [...components, own] });
}

/**
 * An engine that is away is no reason not to tell of the swarm (`docker node ls` asks here which node it is on): what the engine last said of itself stands
 * in for it, with a warning. Without any such answer the request fails.
 */
function createInfo(own: () => readonly string[]): Route['handler'] {
  let last: Record<string, unknown> | undefined;
  return async (request, { engine, membership }) => {
    const missing: string[] = [];
    try {
      last = await engine.json<Record<string, unknown>>({ method: 'GET', path: '/info', apiVersion: request.apiVersion, signal: request.signal });
    } catch (error) {
      if (last === undefined || !(error instanceof AppError) || error.code !== 'unavailable') throw error;
      missing.push(`WARNING: ${error.message}. What is shown of the engine is what it last said.`);
    }
    const engines = Array.isArray(last['Warnings']) ? (last['Warnings'] as readonly unknown[]) : [];
    const ours = [...own(), ...missing];
    const warnings = ours.length === 0 ? {} : { Warnings: [...engines, ...ours] };
    return json({ ...last, ...warnings, Swarm: swarmInfoToJson(membership.info()) });
  };
}
