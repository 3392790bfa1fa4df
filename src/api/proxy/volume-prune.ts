// `POST /volumes/prune`: since API 1.42 it means anonymous volumes only, unless the filter `all` is given. An older engine removes every unused
// volume and knows no `all`: left alone it would delete data that the user was told would stay.
import { AppError } from '#lib/errors.ts';
import { engineError } from '#engine-link/link.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import { json, type RouteRequest, type RouteResult, toEngine } from '../route.ts';
import { parseEventFilters } from '../events.ts';

/** An older engine marks anonymous volumes by nothing but a name of 64 hexadecimal digits. */
const anonymousName = /^[0-9a-f]{64}$/;

export async function pruneVolumes(request: RouteRequest, engine: EngineLink): Promise<RouteResult> {
  if (request.apiVersion < 42 || (await engine.facts(request.signal)).apiVersion >= 42) return toEngine();
  const filters = parseEventFilters(request.query.get('filters'));
  if (filters === undefined) return toEngine();
  const { all, ...others } = filters;
  const query = new URLSearchParams(Object.keys(others).length === 0 ? {} : { filters: JSON.stringify(others) });
  if (all?.some((value) => value === 'true' || value === '1')) return toEngine({ query });
  return await pruneAnonymous(others, request, engine);
}

interface Volume {
  readonly Name: string;
  readonly UsageData?: { readonly Size: number } | null;
}

async function pruneAnonymous(filters: Readonly<Record<string, readonly string[]>>, request: RouteRequest, engine: EngineLink): Promise<RouteResult> {
  const unknown = Object.keys(filters).find((key) => key !== 'label' && key !== 'label!');
  if (unknown !== undefined) throw new AppError('invalidArgument', `invalid filter '${unknown}'`);
  const { Volumes: dangling } = await engine.json<{ Volumes: (Volume & { Labels?: Record<string, string> | null })[] | null }>({
    method: 'GET',
    path: '/volumes',
    query: new URLSearchParams({ filters: JSON.stringify({ dangling: ['true'] }) }),
    signal: request.signal,
  });
  const sizes = await sizesOf(request, engine);
  const deleted: string[] = [];
  for (const { Name, Labels } of dangling ?? []) {
    if (!anonymousName.test(Name) || !matches(Labels ?? {}, filters)) continue;
    const { status, body } = await engine.request({ method: 'DELETE', path: `/volumes/${Name}`, signal: request.signal });
    // In use since we looked, or gone: both leave nothing to do.
    if (status < 300) deleted.push(Name);
    else if (status !== 404 && status !== 409) throw engineError(status, body);
  }
  const reclaimed = deleted.reduce((sum, name) => sum + Math.max(0, sizes.get(name) ?? 0), 0);
  return json({ VolumesDeleted: deleted, SpaceReclaimed: reclaimed });
}

async function sizesOf(request: RouteRequest, engine: EngineLink): Promise<ReadonlyMap<string, number>> {
  const { Volumes } = await engine.json<{ Volumes?: Volume[] | null }>({ method: 'GET', path: '/system/df', signal: request.signal });
  return new Map((Volumes ?? []).map(({ Name, UsageData }) => [Name, UsageData?.Size ?? 0]));
}

function matches(labels: Readonly<Record<string, string>>, filters: Readonly<Record<string, readonly string[]>>): boolean {
  const has = (label: string) => {
    const [key = '', ...value] = label.split('=');
    return labels[key] !== undefined && (value.length === 0 || labels[key] === value.join('='));
  };
  return (filters['label'] ?? []).every(has) && !(filters['label!'] ?? []).some(has);
}
