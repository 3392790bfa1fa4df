// The source files as text and as a list of what they import and how long their functions are. Strings and comments are blanked out where code is looked
// for, so that a sentence about `any` is not taken for one.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';

const root = join(import.meta.dirname, '../..');

export interface SourceFile {
  /** From the repository's root, "src/lib/ip.ts". */
  readonly path: string;
  readonly text: string;
  /** The text without comments and contents of strings; every line keeps its number. */
  readonly code: string;
}

/** Paths from the repository's root, sorted. */
export function repositoryFiles(...patterns: readonly string[]): readonly string[] {
  return globSync([...patterns], { cwd: root })
    .map((path) => relative(root, join(root, path)))
    .sort();
}

export function sourceFiles(...patterns: readonly string[]): readonly SourceFile[] {
  return repositoryFiles(...patterns).map((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    return { path, text, code: blank(text) };
  });
}

/** Tests, and what only tests use: beside the code they may import what they like. */
export function isTestFile(path: string): boolean {
  return path.endsWith('.test.ts') || /\/(testing)\//.test(path) || /\/(fixtures|arbitraries)\.ts$/.test(path);
}

/** Specifiers of a file's imports and re-exports, dynamic ones included. */
export function importsOf({ text }: SourceFile): readonly string[] {
  const statements = text.matchAll(/^\s*(?:import|export)\s[^'";]*?from\s*'([^']+)'|^\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm);
  return [...statements].flatMap((match) => match[1] ?? match[2] ?? match[3] ?? []);
}

/** The folder of src/ that a specifier leads to, or undefined when it leads out of it. */
export function folderOf(path: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1).split('/')[0];
  if (!specifier.startsWith('.')) return undefined;
  return /^src\/([^/]+)\//.exec(posix.join(dirname(path), specifier))?.[1];
}

export interface FunctionLength {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

/**
 * Functions that begin on a line of their own and end with a brace at the same indentation; the formatter makes that so. The functions inside one are
 * measured each for itself and not counted again: a factory stands for a class.
 */
export function functionLengths(file: SourceFile): readonly FunctionLength[] {
  const found = functionsOf(file);
  return found.map((one) => {
    const inside = found.filter((other) => other.line > one.line && other.line + other.lines <= one.line + one.lines);
    const outermost = inside.filter((other) => !inside.some((around) => around.line < other.line && other.line + other.lines <= around.line + around.lines));
    return { ...one, lines: one.lines - outermost.reduce((sum, other) => sum + other.lines, 0) };
  });
}

function functionsOf({ code }: SourceFile): readonly FunctionLength[] {
  const lines = code.split('\n');
  return lines.flatMap((line, index): FunctionLength[] => {
    const match = FUNCTION_START.exec(line);
    const name = match?.[2] ?? match?.[3] ?? match?.[4];
    if (!match || name === undefined || NOT_FUNCTIONS.has(name)) return [];
    const end = lines.findIndex((other, at) => at > index && new RegExp(`^${match[1]}\\}`).test(other));
    return end < 0 ? [] : [{ name, line: index + 1, lines: end - index + 1 }];
  });
}

const FUNCTION_START =
  /^(\s*)(?:export\s+)?(?:async\s+)?(?:function\*?\s+(\w+)|(?:const|let)\s+(\w+)\b.*=>\s*\{$|(?:async\s+)?\*?(\w+)(?:\(.*\).*|: (?:async )?\(.*=> )\{$)/;
const NOT_FUNCTIONS: ReadonlySet<string> = new Set(['if', 'for', 'while', 'switch', 'catch', 'describe', 'it', 'test', 'suite']);

/** Blanks comments, and strings, templates and regular expressions as far as one can tell without a parser. */
function blank(text: string): string {
  return text.replaceAll(
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[=(,:&|!?]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g,
    (match) => match.replaceAll(/[^\n]/g, ' '),
  );
}
