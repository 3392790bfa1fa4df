// How messages travel: JSON, with bytes in base64. Both sides ignore fields that they do not know, so a newer and an older daemon understand each
// other; whole messages are small (secrets are at most 500 kB, network states a few hundred kB).

const BYTES = '$bytes';
/** An object of a user (labels, say) whose only key looks like our mark has another dollar sign before it on the way. */
const MARK = /^\$+bytes$/;
const ESCAPED = /^\$\$+bytes$/;

export function encode(value: unknown): Buffer {
  // JSON.stringify calls Buffer's own toJSON before a replacer sees it: the holder's value is looked at instead.
  return Buffer.from(
    JSON.stringify(value, function (this: Record<string, unknown>, key: string, serialised: unknown) {
      const original = this[key];
      if (original instanceof Uint8Array) return { [BYTES]: Buffer.from(original).toString('base64') };
      const only = onlyKey(serialised);
      // What stands for bytes comes by here too, once more.
      if (only === undefined || !MARK.test(only)) return serialised;
      return { [`$${only}`]: (serialised as Record<string, unknown>)[only] };
    }) ?? 'null',
  );
}

/** Throws SyntaxError when the text is no JSON. */
export function decode(text: Buffer): unknown {
  return JSON.parse(text.toString('utf8'), (_key, value: unknown) => {
    const only = onlyKey(value);
    if (only === undefined) return value;
    const held = (value as Record<string, unknown>)[only];
    if (only === BYTES) return new Uint8Array(Buffer.from(String(held), 'base64'));
    return ESCAPED.test(only) ? { [only.slice(1)]: held } : value;
  }) as unknown;
}

function onlyKey(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  let only: string | undefined;
  for (const key in value) {
    if (only !== undefined) return undefined;
    only = key;
  }
  return only;
}
