// Go's string literals, read and written.

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', "'": "'", '"': '"' };
const ESCAPE_PATTERN = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([abfnrtv\\'"]))|\\/g;

/** The text of a literal in double quotes or backquotes; undefined when an escape is none. */
export function unquote(literal: string): string | undefined {
  const body = literal.slice(1, -1);
  if (literal.startsWith('`')) return body.replaceAll('\r', '');
  let isValid = true;
  const text = body.replace(ESCAPE_PATTERN, (_all, hex?: string, short?: string, long?: string, octal?: string, simple?: string) => {
    if (simple !== undefined) return SIMPLE_ESCAPES[simple] ?? '';
    const point = octal === undefined ? Number.parseInt(hex ?? short ?? long ?? 'x', 16) : Number.parseInt(octal, 8);
    if (!(point <= 0x10ffff)) {
      isValid = false;
      return '';
    }
    return String.fromCodePoint(point);
  });
  return isValid ? text : undefined;
}

/** The code point of a literal in single quotes. */
export function unquoteCharacter(literal: string): number | undefined {
  const text = unquote(literal);
  return text !== undefined && Array.from(text).length === 1 ? text.codePointAt(0) : undefined;
}

/** A double-quoted literal, as Go's %q writes it. */
export function quote(text: string): string {
  let quoted = '"';
  for (const character of text) quoted += quoteCharacter(character);
  return `${quoted}"`;
}

function quoteCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`;
  const point = character.codePointAt(0) ?? 0;
  if (point >= 0x20 && point !== 0x7f && !(point >= 0x80 && point < 0xa0)) return character;
  const simple = Object.entries(SIMPLE_ESCAPES).find(([, value]) => value === character);
  return simple === undefined ? `\\x${point.toString(16).padStart(2, '0')}` : `\\${simple[0]}`;
}
