// Indents JSON text without reading its values: numbers of 64 bits and the order of keys stay what the daemon sent.

const PATTERN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Go's json.Indent with four spaces. */
export function indentJson(text: string, indent = '    '): string {
  const tokens = text.match(PATTERN) ?? [];
  let depth = 0;
  let result = '';
  for (let index = 0; index < tokens.length; index += 1) {
    const token = tokens[index] ?? '';
    const next = tokens[index + 1];
    if ((token === '{' && next === '}') || (token === '[' && next === ']')) {
      result += token + next;
      index += 1;
    } else if (token === '{' || token === '[') {
      depth += 1;
      result += `${token}\n${indent.repeat(depth)}`;
    } else if (token === '}' || token === ']') {
      depth -= 1;
      result += `\n${indent.repeat(depth)}${token}`;
    } else if (token === ',') result += `,\n${indent.repeat(depth)}`;
    else if (token === ':') result += ': ';
    else result += token;
  }
  return result;
}
