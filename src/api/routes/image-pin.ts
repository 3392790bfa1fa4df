// Before API 1.30 the daemon, not the client, pinned an image to its digest. The engine asks the registry for us.
import type { ServiceSpec } from '#domain/spec.ts';
import type { RouteContext, RouteRequest } from '../route.ts';

export interface PinnedSpec {
  readonly spec: ServiceSpec;
  readonly warnings: readonly string[];
}

/** The spec with its image pinned, or as it was with a warning when no registry could tell. Newer clients' specs pass unchanged. */
export async function pinImage(spec: ServiceSpec, request: RouteRequest, { engine }: RouteContext): Promise<PinnedSpec> {
  const { runtime } = spec.task;
  if (request.apiVersion >= 30 || runtime.kind !== 'container') return { spec, warnings: [] };
  const { image } = runtime.container;
  if (image === '' || image.includes('@')) return { spec, warnings: [] };
  const auth = request.headers['x-registry-auth'];
  const answer = await engine.request({
    method: 'GET',
    path: `/distribution/${image}/json`,
    ...(auth === undefined ? {} : { headers: { 'x-registry-auth': auth } }),
    signal: request.signal,
  });
  const digest = answer.status === 200 ? (answer.body as { readonly Descriptor?: { readonly digest?: string } }).Descriptor?.digest : undefined;
  if (digest === undefined) return { spec, warnings: [digestWarning(image)] };
  const pinned = `${hasTag(image) ? image : `${image}:latest`}@${digest}`;
  return { spec: { ...spec, task: { ...spec.task, runtime: { kind: 'container', container: { ...runtime.container, image: pinned } } } }, warnings: [] };
}

/** A colon after the last slash starts a tag; before it, a registry's port. */
function hasTag(image: string): boolean {
  return image.lastIndexOf(':') > image.lastIndexOf('/');
}

function digestWarning(image: string): string {
  return (
    `image ${image} could not be accessed on a registry to record\nits digest. Each node will access ${image} independently,\n` +
    'possibly leading to different nodes running different\nversions of the image.\n'
  );
}
