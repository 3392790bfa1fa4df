// Go's text/tabwriter as Docker sets it up: a cell ends at a tab, a column is as wide as its widest cell plus three spaces and at least ten, and the last
// cell of a line is not padded. Columns reach over adjacent lines that have them.

const MIN_WIDTH = 10;
const PADDING = 3;

export interface TabOptions {
  readonly minimumWidth?: number;
  readonly padding?: number;
}

/** `text` with each tab replaced by what lines the columns up. */
export function alignTabs(text: string, { minimumWidth = MIN_WIDTH, padding = PADDING }: TabOptions = {}): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  const widths = lines.map(() => [] as number[]);
  measure(lines, widths, { from: 0, to: lines.length, column: 0 }, (cell) => Math.max(minimumWidth, cell === '' ? 0 : Array.from(cell).length + padding));
  return lines
    .map((cells, line) =>
      cells
        .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd((widths[line]?.[column] ?? 0) + cell.length - Array.from(cell).length)))
        .join(''),
    )
    .join('\n');
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly column: number;
}

/** Finds blocks of adjacent lines with a tab-ended cell in the column, gives each block its width, and goes on inside it with the next column. */
function measure(lines: readonly string[][], widths: number[][], { from, to, column }: Range, widthOf: (cell: string) => number): void {
  for (let line = from; line < to; line += 1) {
    if (!hasColumn(lines[line], column)) continue;
    let end = line;
    let width = 0;
    while (end < to && hasColumn(lines[end], column)) {
      width = Math.max(width, widthOf(lines[end]?.[column] ?? ''));
      end += 1;
    }
    for (let index = line; index < end; index += 1) (widths[index] as number[])[column] = width;
    measure(lines, widths, { from: line, to: end, column: column + 1 }, widthOf);
    line = end - 1;
  }
}

function hasColumn(cells: readonly string[] | undefined, column: number): boolean {
  return cells !== undefined && column < cells.length - 1;
}
