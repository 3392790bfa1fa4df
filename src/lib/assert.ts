// Assertions for broken invariants. They stay on in production: going on with a broken invariant costs more than stopping.

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws when `condition` is false. For programmers' mistakes only; a user's mistake is an `AppError`. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The value, or a thrown AssertionError when it is null or undefined. */
export function present<T>(value: T | null | undefined, what: string): T {
  assert(value !== null && value !== undefined, `${what} is missing`);
  return value;
}

/** Marks a branch that the type system says cannot be reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value ${JSON.stringify(value)}`);
}
