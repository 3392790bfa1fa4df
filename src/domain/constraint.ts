// Placement constraints: `key==value` and `key!=value`. Syntax, keys and case rules are SwarmKit's (manager/constraint).
import { rpcError } from '#lib/errors.ts';
import { parseCidr, parseIp, subnetContains } from '#lib/ip.ts';
import type { Node } from './objects.ts';

export interface Constraint {
  readonly key: string;
  readonly operator: '==' | '!=';
  readonly value: string;
}

const OPERATORS = ['==', '!='] as const;
const KEY_PATTERN = /^[a-z_][a-z0-9\-_.]+$/i;
const VALUE_PATTERN = /^[a-z0-9:\-_\t\n\f\r .*()?+[\]\\^$|/]+$/i;
const NODE_LABEL_PREFIX = 'node.labels.';
const ENGINE_LABEL_PREFIX = 'engine.labels.';

/** Throws AppError `unknown` with SwarmKit's text on the first expression that is none (that is a 500 in Docker, too). */
export function parseConstraints(expressions: readonly string[]): readonly Constraint[] {
  return expressions.map(parseConstraint);
}

function parseConstraint(expression: string): Constraint {
  // The first *kind* of operator wins, wherever it stands: "a!=b==c" has the key "a!=b", which is then invalid.
  const operator = OPERATORS.find((candidate) => expression.includes(candidate));
  if (operator === undefined) throw rpcError('unknown', `constraint expected one operator from ${OPERATORS.join(', ')}`);
  const at = expression.indexOf(operator);
  const key = expression.slice(0, at).trim();
  const value = expression.slice(at + operator.length).trim();
  if (!KEY_PATTERN.test(key)) throw rpcError('unknown', `key '${key}' is invalid`);
  if (!VALUE_PATTERN.test(value)) throw rpcError('unknown', `value '${value}' is invalid`);
  return { key, operator, value };
}

/**
 * Whether a node meets all constraints. Values and the fixed keys compare without case, label names with case; a label or description that is
 * missing counts as empty text; a key that nobody knows never matches.
 */
export function matchesConstraints(constraints: readonly Constraint[], node: Node): boolean {
  return constraints.every((constraint) => matches(constraint, node));
}

function matches(constraint: Constraint, node: Node): boolean {
  const key = constraint.key.toLowerCase();
  switch (key) {
    case 'node.id':
      return compare(constraint, node.id);
    case 'node.hostname':
      return compare(constraint, node.description?.hostname ?? '');
    case 'node.ip':
      return matchesAddress(constraint, node.status.address);
    case 'node.role':
      return compare(constraint, node.role);
    case 'node.platform.os':
      return compare(constraint, node.description?.platform.os ?? '');
    case 'node.platform.arch':
      return matchesArchitecture(constraint, node.description?.platform.architecture ?? '');
  }
  if (key.startsWith(NODE_LABEL_PREFIX) && key.length > NODE_LABEL_PREFIX.length) {
    return compare(constraint, labelOf(node.spec.labels, constraint.key.slice(NODE_LABEL_PREFIX.length)));
  }
  if (key.startsWith(ENGINE_LABEL_PREFIX) && key.length > ENGINE_LABEL_PREFIX.length) {
    return compare(constraint, labelOf(node.description?.engine.labels ?? {}, constraint.key.slice(ENGINE_LABEL_PREFIX.length)));
  }
  return false;
}

function compare(constraint: Constraint, actual: string): boolean {
  const equal = constraint.value.toLowerCase() === actual.toLowerCase();
  return constraint.operator === '==' ? equal : !equal;
}

function labelOf(labels: Readonly<Record<string, string>>, name: string): string {
  return Object.hasOwn(labels, name) ? (labels[name] ?? '') : '';
}

/** A single address or a subnet; anything else never matches, whatever the operator. */
function matchesAddress(constraint: Constraint, nodeAddress: string): boolean {
  const actual = parseIp(nodeAddress);
  const single = parseIp(constraint.value);
  if (single !== undefined) {
    const equal = actual !== undefined && actual.family === single.family && actual.value === single.value;
    return constraint.operator === '==' ? equal : !equal;
  }
  const subnet = parseCidr(constraint.value)?.subnet;
  if (subnet === undefined) return false;
  const within = actual !== undefined && subnetContains(subnet, actual);
  return constraint.operator === '==' ? within : !within;
}

/** Beyond SwarmKit: both names of the common architectures mean the same, as they do when an image's platform is compared. */
const ARCHITECTURE_NAMES: Readonly<Record<string, string>> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64' };

function matchesArchitecture(constraint: Constraint, actual: string): boolean {
  return compare({ ...constraint, value: normaliseArchitecture(constraint.value) }, normaliseArchitecture(actual));
}

/** The Go name of an architecture ("amd64"), whichever of its names is given; other names come back in lower case. */
export function normaliseArchitecture(name: string): string {
  const lower = name.toLowerCase();
  return Object.hasOwn(ARCHITECTURE_NAMES, lower) ? (ARCHITECTURE_NAMES[lower] ?? lower) : lower;
}
