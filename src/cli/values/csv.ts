// One line of comma-separated values with double quotes, as Go's encoding/csv reads it: options such as --mount are written so.

/** Throws with Go's words. */
export function parseCsv(text: string): readonly string[] {
  if (text === '') throw new Error('EOF');
  const fields: string[] = [];
  let rest = text;
  for (;;) {
    if (rest.startsWith('"')) {
      const match = /^"((?:[^"]|"")*)"(,|$)/.exec(rest);
      if (match === null) throw new Error(`parse error on line 1, column ${text.length - rest.length + 1}: extraneous or missing " in quoted-field`);
      fields.push((match[1] ?? '').replaceAll('""', '"'));
      if (match[2] === '') return fields;
      rest = rest.slice(match[0].length);
    } else {
      const comma = rest.indexOf(',');
      const field = comma < 0 ? rest : rest.slice(0, comma);
      const quote = field.indexOf('"');
      if (quote >= 0) throw new Error(`parse error on line 1, column ${text.length - rest.length + quote + 1}: bare " in non-quoted-field`);
      fields.push(field);
      if (comma < 0) return fields;
      rest = rest.slice(comma + 1);
    }
  }
}

/** `key=value`, with the key as it stands; the value undefined when there is no `=`. */
export function cutField(field: string): readonly [string, string | undefined] {
  const equals = field.indexOf('=');
  return equals < 0 ? [field, undefined] : [field.slice(0, equals), field.slice(equals + 1)];
}
