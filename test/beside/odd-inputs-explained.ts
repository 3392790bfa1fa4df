// Where Skep answers otherwise than dockerd 20.10 on purpose, and why.

/** The reason, or undefined when there is none. */
export function explained(_name: string, theirs: string, ours: string): string | undefined {
  if (ours === `invalid JSON: ${theirs}`) return 'newer engines say that it is the JSON';
  if (ours.replaceAll('18446744073709552000', '18446744073709551615') === theirs) return 'numbers beyond 2^53 are rounded';
  return undefined;
}
