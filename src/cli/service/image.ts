// An image's digest, so that all nodes run the same one: asked of the registry through the daemon, and only warned about when it cannot be had.
import type { Client } from '#client/client.ts';
import type { ServiceSpec } from '#docker-api/service-spec.ts';
import { parseImageReference, familiarImage } from '#lib/image-reference.ts';
import { segment } from '../shared/each.ts';

export interface ImageOptions {
  /** Ask the registry. */
  readonly resolve: boolean;
  /** Encoded credentials, when they are to be sent. */
  readonly auth?: string;
}

interface Distribution {
  readonly Descriptor: { readonly digest: string };
  readonly Platforms: readonly { readonly architecture: string; readonly os: string }[] | null;
}

export async function pinImage(
  client: Client,
  spec: ServiceSpec,
  { resolve, auth }: ImageOptions,
): Promise<{ readonly spec: ServiceSpec; readonly warning?: string }> {
  const image = spec.TaskTemplate?.ContainerSpec?.Image ?? '';
  const reference = parseImageReference(image);
  const tagged = familiarImage(image);
  if (!resolve || reference === undefined || reference.digest !== undefined) return { spec: withImage(spec, tagged) };
  try {
    const { Descriptor, Platforms } = await client.call<Distribution>(
      'GET',
      `/distribution/${image.split('/').map(segment).join('/')}/json`,
      auth === undefined ? {} : { headers: { 'X-Registry-Auth': auth } },
    );
    // Variants of arm are not told apart by nodes: an empty architecture matches all.
    const platforms = (Platforms ?? []).map(({ architecture, os }) => ({ Architecture: architecture === 'arm' ? '' : architecture, OS: os }));
    const pinned = withImage(spec, `${tagged}@${Descriptor.digest}`);
    return { spec: { ...pinned, TaskTemplate: { ...pinned.TaskTemplate, Placement: { ...pinned.TaskTemplate?.Placement, Platforms: platforms } } } };
  } catch {
    return { spec: withImage(spec, tagged), warning: digestWarning(image) };
  }
}

function withImage(spec: ServiceSpec, image: string): ServiceSpec {
  return { ...spec, TaskTemplate: { ...spec.TaskTemplate, ContainerSpec: { ...spec.TaskTemplate?.ContainerSpec, Image: image } } };
}

function digestWarning(image: string): string {
  return `image ${image} could not be accessed on a registry to record
its digest. Each node will access ${image} independently,
possibly leading to different nodes running different
versions of the image.
`;
}
