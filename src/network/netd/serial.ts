// One thing at a time.

export type Serial = <T>(work: () => Promise<T>) => Promise<T>;

/** Runs what it is given in order, each after the one before has ended, well or badly. Callers wait for their own, which bounds the queue by their number. */
export function createSerial(): Serial {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  };
}
