// Paths of the Docker Engine API with their version.

/** `/v1.41/containers/json?all=1`; without a version prefix when `minor` is undefined. */
export function apiPath(minor: number | undefined, path: string, query?: URLSearchParams): string {
  const prefix = minor === undefined ? '' : `/v1.${minor}`;
  const text = query?.toString() ?? '';
  return `${prefix}${path}${text === '' ? '' : `?${text}`}`;
}
