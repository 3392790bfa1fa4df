// Many tasks' logs as one stream, of tasks that come and go while it is read.

export interface FollowOptions<T> {
  /** The tasks to read now; asked again whenever `onChange` calls back. */
  readonly taskIds: () => readonly string[];
  readonly open: (taskId: string, signal: AbortSignal) => AsyncIterable<T>;
  readonly follow: boolean;
  readonly onChange: (listener: () => void) => () => void;
  readonly signal: AbortSignal;
}

/** Chunks that wait for a slow reader, over all tasks. A full buffer stops reading from the engine. */
const MAX_BUFFERED = 256;

/** Ends when every task's log ended; with `follow`, when the signal aborts. */
export async function* followLogs<T>({ taskIds, open, follow, onChange, signal }: FollowOptions<T>): AsyncGenerator<T> {
  const stop = new AbortController();
  const readers = AbortSignal.any([signal, stop.signal]);
  const buffer: T[] = [];
  const started = new Set<string>();
  let reading = 0;
  let failure: { readonly error: unknown } | undefined;
  let wake = () => {};
  let room = () => {};

  const read = async (taskId: string) => {
    reading++;
    try {
      for await (const chunk of open(taskId, readers)) {
        buffer.push(chunk);
        wake();
        while (buffer.length >= MAX_BUFFERED && !readers.aborted) await new Promise<void>((resolve) => (room = chain(room, resolve)));
      }
    } catch (error) {
      if (!readers.aborted) failure ??= { error };
    } finally {
      reading--;
      wake();
    }
  };
  const startNew = () => {
    for (const id of taskIds()) {
      if (started.has(id)) continue;
      started.add(id);
      void read(id);
    }
  };
  /** Somebody else's change is being told of: what goes wrong here concerns nobody but the reader. */
  const startLater = () => {
    try {
      startNew();
    } catch (error) {
      failure ??= { error };
      wake();
    }
  };
  const unwatch = follow ? onChange(startLater) : () => {};
  const abort = () => wake();
  signal.addEventListener('abort', abort, { once: true });
  try {
    startNew();
    while (!signal.aborted) {
      const chunk = buffer.shift();
      if (chunk !== undefined) {
        const release = room;
        room = () => {};
        release();
        yield chunk;
      } else if (failure !== undefined) {
        throw failure.error;
      } else if (reading === 0 && !follow) {
        return;
      } else {
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } finally {
    unwatch();
    signal.removeEventListener('abort', abort);
    stop.abort();
    room();
  }
}

function chain(first: () => void, second: () => void): () => void {
  return () => {
    first();
    second();
  };
}
