// Growing pauses between tries.

export interface Backoff {
  /** The next pause; doubles each time up to the maximum. */
  nextMs(): number;
  reset(): void;
}

export function createBackoff({ initialMs, maximumMs }: { readonly initialMs: number; readonly maximumMs: number }): Backoff {
  let currentMs = initialMs;
  return {
    nextMs() {
      const pauseMs = currentMs;
      currentMs = Math.min(maximumMs, currentMs * 2);
      return pauseMs;
    },
    reset() {
      currentMs = initialMs;
    },
  };
}
