// How messages travel: JSON, with bytes in base64. Both sides ignore fields that they do not know, so a newer and an older daemon understand each
// other; whole messages are small (secrets are at most 500 kB, network states a few hundred kB).

const BYTES = '$bytes';

export function encode(value: unknown): Buffer {
  // JSON.stringify calls Buffer's own toJSON before a replacer sees it: the holder's value is looked at instead.
  return Buffer.from(
    JSON.stringify(value, function (this: Record<string, unknown>, key: string, serialised: unknown) {
      const original = this[key];
      return original instanceof Uint8Array ? { [BYTES]: Buffer.from(original).toString('base64') } : serialised;
    }) ?? 'null',
  );
}

/** Throws SyntaxError when the text is no JSON. */
export function decode(text: Buffer): unknown {
  return JSON.parse(text.toString('utf8'), (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || !(BYTES in value) || Object.keys(value).length !== 1) return value;
    return new Uint8Array(Buffer.from(String(value[BYTES]), 'base64'));
  }) as unknown;
}
