// A command written as one text, split as a shell would (google/shlex, which Docker uses): quotes, backslashes, comments; no variables.

/** The words, or undefined when a quote is not closed. */
export function splitShellWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let at = 0;
  while (at < text.length) {
    const character = text[at] ?? '';
    at += 1;
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === '#' && word === undefined) {
      const newline = text.indexOf('\n', at);
      at = newline < 0 ? text.length : newline + 1;
    } else if (character === '\\') {
      if (at >= text.length) return undefined;
      word = (word ?? '') + text[at];
      at += 1;
    } else if (character === "'" || character === '"') {
      const quoted = readQuoted(text, at, character);
      if (quoted === undefined) return undefined;
      word = (word ?? '') + quoted.text;
      at = quoted.end;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** In double quotes a backslash takes the next character as it is; in single quotes nothing is special. */
function readQuoted(text: string, start: number, quote: string): { readonly text: string; readonly end: number } | undefined {
  let inner = '';
  for (let at = start; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === quote) return { text: inner, end: at + 1 };
    if (character === '\\' && quote === '"') {
      at += 1;
      if (at >= text.length) return undefined;
      inner += text[at];
    } else inner += character;
  }
  return undefined;
}
