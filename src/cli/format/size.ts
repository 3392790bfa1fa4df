// Sizes as Docker writes and reads them: `23.54GiB` and `12.3MB` for people, `1.5g` in options.

const BINARY_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];
const DECIMAL_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];

/** go-units' BytesSize: powers of 1024, four digits. */
export function bytesSize(bytes: number): string {
  return scaled(bytes, 1024, BINARY_UNITS, 4);
}

/** go-units' HumanSizeWithPrecision: powers of 1000. */
export function humanSize(bytes: number, digits = 4): string {
  return scaled(bytes, 1000, DECIMAL_UNITS, digits);
}

function scaled(bytes: number, base: number, units: readonly string[], digits: number): string {
  let value = bytes;
  let index = 0;
  while (value >= base && index < units.length - 1) {
    value /= base;
    index += 1;
  }
  return `${significant(value, digits)}${units[index]}`;
}

/** C's %.4g, without exponents, which do not occur here: values are below 1024. */
export function significant(value: number, digits: number): string {
  const text = value.toPrecision(digits);
  if (text.includes('e')) return String(Number(text));
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

/** go-units' RAMInBytes: `64m`, `1.5GiB`, `100`. Throws with its words. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)*) ?([kKmMgGtTpP])?[iI]?[bB]?$/.exec(text);
  if (match === null) throw new Error(`invalid size: '${text}'`);
  const [, number = '', unit = ''] = match;
  const power = unit === '' ? 0 : 'kmgtp'.indexOf(unit.toLowerCase()) + 1;
  const value = Number(number);
  if (Number.isNaN(value)) throw new Error(`invalid size: '${text}'`);
  return Math.trunc(value * 1024 ** power);
}
