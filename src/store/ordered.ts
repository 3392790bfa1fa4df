// Ordered collections as values: objects sorted by id in chunks. A change copies one chunk and the list of chunks and shares the rest,
// so whoever iterates over an older value is not disturbed, and 100,000 objects cost a change about as much as 500.

interface Identified {
  readonly id: string;
}

/** Chunks in order, none of them empty. */
export type Ordered<T extends Identified> = readonly (readonly T[])[];

/** A copy of 256 references takes some 100 ns; the list of chunks stays short up to a million objects. */
const MAX_CHUNK_LENGTH = 256;

/** The collection with `item`, in place of the one of the same id if there is any. */
export function withItem<T extends Identified>(ordered: Ordered<T>, item: T): Ordered<T> {
  if (ordered.length === 0) return [[item]];
  const chunkIndex = chunkOf(ordered, item.id);
  const chunk = ordered[chunkIndex] ?? [];
  const position = positionIn(chunk, item.id);
  const replaced = chunk[position]?.id === item.id ? 1 : 0;
  const changed = chunk.toSpliced(position, replaced, item);
  if (changed.length <= MAX_CHUNK_LENGTH) return ordered.with(chunkIndex, changed);
  // A full chunk is split where ids that only grow leave full chunks behind, and in the middle otherwise.
  const cut = position === chunk.length ? position : changed.length >> 1;
  return ordered.toSpliced(chunkIndex, 1, changed.slice(0, cut), changed.slice(cut));
}

/** The collection without the item of that id; the same value when there is none. */
export function withoutItem<T extends Identified>(ordered: Ordered<T>, id: string): Ordered<T> {
  if (ordered.length === 0) return ordered;
  const chunkIndex = chunkOf(ordered, id);
  const chunk = ordered[chunkIndex] ?? [];
  const position = positionIn(chunk, id);
  if (chunk[position]?.id !== id) return ordered;
  if (chunk.length === 1) return ordered.toSpliced(chunkIndex, 1);
  return ordered.with(chunkIndex, chunk.toSpliced(position, 1));
}

/** All items in order of id. */
export function itemsOf<T extends Identified>(ordered: Ordered<T>): Iterable<T> {
  return ordered.length <= 1 ? (ordered[0] ?? []) : flatten(ordered);
}

/** Items whose id starts with `prefix`, in order, at most `limit`. */
export function itemsWithPrefix<T extends Identified>(ordered: Ordered<T>, prefix: string, limit: number): T[] {
  const found: T[] = [];
  if (ordered.length === 0) return found;
  const start = chunkOf(ordered, prefix);
  for (let chunkIndex = start; chunkIndex < ordered.length; chunkIndex++) {
    const chunk = ordered[chunkIndex] ?? [];
    for (let position = chunkIndex === start ? positionIn(chunk, prefix) : 0; position < chunk.length; position++) {
      const item = chunk[position];
      if (item === undefined || found.length >= limit || !item.id.startsWith(prefix)) return found;
      found.push(item);
    }
  }
  return found;
}

function* flatten<T extends Identified>(ordered: Ordered<T>): Generator<T> {
  for (const chunk of ordered) yield* chunk;
}

/** The last chunk that begins at or before `id`, else the first. */
function chunkOf(ordered: Ordered<Identified>, id: string): number {
  let low = 0;
  let high = ordered.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((ordered[middle]?.[0]?.id ?? '') <= id) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The first position whose id is not less than `id`. */
function positionIn(chunk: readonly Identified[], id: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((chunk[middle]?.id ?? '') < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
