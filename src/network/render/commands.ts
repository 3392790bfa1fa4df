// Commands for iproute2 as values: what a plan is made of. kernel/ runs them, in order.

export interface Step {
  readonly tool: 'ip' | 'bridge';
  /** A named network namespace; absent: the host's. */
  readonly namespace?: string;
  /** For what is in tables by family, and not told by an address: rules and routes. Absent: IPv4. */
  readonly family?: 6;
  /** One command per line, without the tool's name, as `-batch` reads them. */
  readonly lines: readonly string[];
}

/** Drops steps that do nothing. */
export function steps(...all: readonly Step[]): readonly Step[] {
  return all.filter(({ lines }) => lines.length > 0);
}
