// Which nodes a global service belongs on.
import type { Constraint } from '#domain/constraint.ts';
import { matchesConstraints, normaliseArchitecture, parseConstraints } from '#domain/constraint.ts';
import type { Node, Service } from '#domain/objects.ts';
import type { Platform } from '#domain/spec.ts';

/** A predicate, so that constraints are parsed once per decision. */
export function nodeFilter({ spec }: Service): (node: Node) => boolean {
  const constraints: readonly Constraint[] = parseConstraints(spec.task.placement?.constraints ?? []);
  const platforms = spec.task.placement?.platforms ?? [];
  return (node) => matchesConstraints(constraints, node) && (platforms.length === 0 || platforms.some((platform) => runsPlatform(node, platform)));
}

/** Empty fields match everything; so does a node that has not described itself yet. */
function runsPlatform({ description }: Node, wanted: Platform): boolean {
  if (description === undefined) return true;
  const { os, architecture } = description.platform;
  const osMatches = wanted.os === '' || os === '' || wanted.os.toLowerCase() === os.toLowerCase();
  return osMatches && (wanted.architecture === '' || architecture === '' || normaliseArchitecture(wanted.architecture) === normaliseArchitecture(architecture));
}
