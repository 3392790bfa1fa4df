// A binary heap whose first item is the least, for items whose order changes only while they are first.

export interface Heap<T> {
  /** The least item, or undefined when the heap is empty. */
  first(): T | undefined;
  /** Puts the first item where it belongs after it has grown. */
  settleFirst(): void;
  removeFirst(): void;
}

/** Takes `items` over. `isLess` must be a strict order without ties, so that the result is always the same. */
export function createHeap<T>(items: T[], isLess: (a: T, b: T) => boolean): Heap<T> {
  function settle(start: number): void {
    let parent = start;
    const item = items[parent] as T;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && isLess(items[child + 1] as T, items[child] as T)) child++;
      if (!isLess(items[child] as T, item)) break;
      items[parent] = items[child] as T;
      parent = child;
    }
    items[parent] = item;
  }

  for (let start = (items.length >> 1) - 1; start >= 0; start--) settle(start);
  return {
    first: () => items[0],
    settleFirst() {
      if (items.length > 1) settle(0);
    },
    removeFirst() {
      const last = items.pop();
      if (items.length === 0 || last === undefined) return;
      items[0] = last;
      settle(0);
    },
  };
}
