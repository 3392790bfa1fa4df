// Sizes as Docker reads them (go-units RAMInBytes): a number and a unit of 1024, "64M", "1.5g", "100".

const EXPONENTS: Readonly<Record<string, number>> = { b: 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

export type BytesResult = { readonly bytes: number } | { readonly problem: string };

/** Bytes, or what is wrong in Docker's words. */
export function parseBytes(text: string): BytesResult {
  const match = /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(.*)$/.exec(text.trim());
  if (!match) return { problem: `invalid size: '${text}'` };
  const suffix = (match[2] ?? '').trim().toLowerCase();
  const unit = /^(?:([kmgtp])(?:i?b)?|b?)$/.exec(suffix);
  if (!unit) return { problem: `invalid suffix: '${match[2]?.trim()}'` };
  const bytes = Math.trunc(Number(match[1]) * 1024 ** (EXPONENTS[unit[1] ?? 'b'] ?? 0));
  return Number.isSafeInteger(bytes) ? { bytes } : { problem: `invalid size: '${text}'` };
}
