// Where Skep answers otherwise than dockerd on purpose, and why.

/** The reason, or undefined when there is none. */
export function explained(_name: string, _theirs: string, _ours: string): string | undefined {
  return undefined;
}
