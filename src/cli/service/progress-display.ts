// Lines of progress, each with an id: redrawn in place on a terminal, else one line per change.
import type { Output } from '../context.ts';

export interface Bar {
  readonly current: number;
  readonly total: number;
  /** Shown after the bar: `2/4 nodes`; absent: the bar alone. */
  readonly units?: string;
}

export interface Progress {
  set(id: string, text: string, bar?: Bar): void;
  /** A line without an id, at the end. */
  say(text: string): void;
}

const BAR_WIDTH = 50;
const DEFAULT_COLUMNS = 200;

export function createProgress(output: Output): Progress {
  return output.isTTY === true ? onTerminal(output) : inPipe(output);
}

/** Bars are nothing to read in a file: only texts are written, and only when they change. */
function inPipe(output: Output): Progress {
  const shown = new Map<string, string>();
  return {
    set(id, text, bar) {
      if (bar !== undefined || shown.get(id) === text) return;
      shown.set(id, text);
      output.write(`${id}: ${text}\n`);
    },
    say: (text) => void output.write(`${text}\n`),
  };
}

/** Each line is written at its place with escape sequences: up, clear, write, down. */
function onTerminal(output: Output): Progress {
  const order: string[] = [];
  const shown = new Map<string, string>();
  return {
    set(id, text, bar) {
      const line = `${id}: ${text}${bar === undefined ? '' : ` ${barText(bar, output.columns ?? DEFAULT_COLUMNS)}`}`;
      if (shown.get(id) === line) return;
      shown.set(id, line);
      const index = order.indexOf(id);
      if (index < 0) {
        order.push(id);
        output.write(`${line} \n`);
        return;
      }
      const up = order.length - index;
      output.write(`\x1b[${up}A\r\x1b[2K${line} \x1b[${up}B\r`);
    },
    say: (text) => void output.write(`${text}\n`),
  };
}

export function barText({ current, total, units }: Bar, columns: number): string {
  const percentage = total === 0 ? 0 : Math.min(BAR_WIDTH, Math.trunc(((current / total) * 100) / 2));
  const spaces = Math.max(0, BAR_WIDTH - percentage);
  const bar = columns > 110 ? `[${'='.repeat(percentage)}>${' '.repeat(spaces)}]` : '';
  return units === undefined ? bar : `${bar} ${current}/${total} ${units}`;
}
