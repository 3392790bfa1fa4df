// Fields of a newer daemon inside a stored spec. A client that changes a spec through this one has never seen them, because what is shown here is made of what
// is known here; so they are not in what it sends back, and must not be lost by that.

/**
 * `next` with what `stored` has and `understood` has not, where `understood` is `stored` after it was shown and read again. Elements of lists have no names:
 * one that was not changed keeps what it had, one that was is taken as it was sent.
 */
export function withUnknownFields<T>(stored: T, understood: T, next: T): T {
  return carry(stored, understood, next) as T;
}

/**
 * Not unknown: they are never shown, and who decides about them looks at both specs (control/service-update.ts, control/root-rotation.ts): a signing
 * certificate of an earlier update would be a wish for it in the next one.
 */
const NEVER_SHOWN: readonly string[] = ['registryAuth', 'signingCaCert'];

function carry(stored: unknown, understood: unknown, next: unknown): unknown {
  if (Array.isArray(stored)) return Array.isArray(understood) && Array.isArray(next) ? carryElements(stored, understood, next) : next;
  if (!isObject(stored) || !isObject(understood) || !isObject(next)) return next;
  const result: Record<string, unknown> = { ...next };
  for (const [key, value] of Object.entries(stored)) {
    if (NEVER_SHOWN.includes(key) || value === undefined) continue;
    const isKnown = Object.hasOwn(understood, key);
    const isSent = Object.hasOwn(next, key);
    if (isKnown && !isSent) continue;
    const kept = isSent ? (isKnown ? carry(value, understood[key], next[key]) : next[key]) : value;
    Object.defineProperty(result, key, { value: kept, enumerable: true, configurable: true, writable: true });
  }
  return result;
}

function carryElements(stored: readonly unknown[], understood: readonly unknown[], next: readonly unknown[]): readonly unknown[] {
  if (stored.length !== understood.length) return next;
  const unchanged = new Map(understood.map((element, index) => [JSON.stringify(element), stored[index]]));
  return next.map((element) => unchanged.get(JSON.stringify(element)) ?? element);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
