// The little Markdown that the reference is made of.

/** A table; nothing for no rows. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line), ''].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').trim();
}

/** Text as it is typed. */
export function code(text: string): string {
  return text === '' ? '' : text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``;
}

/** `name` as it is, everything that Markdown would read in it taken literally. */
export function plain(text: string): string {
  return text.replaceAll(/[<>*_]/g, (character) => `\\${character}`);
}

/** A page that says where it comes from. `from` is what to change in its place. */
export function page(title: string, from: string, ...parts: readonly string[]): string {
  const note = `<!-- Written by \`npm run docs\` from ${from}: change it there. -->`;
  return `${[`# ${title}`, note, ...parts.map((part) => part.trim()).filter((part) => part !== '')].join('\n\n')}\n`;
}
