// Warnings as Docker's CLI prints them: two lists of options, and sentences.
import type { ComposeWarning } from '../stack.ts';

/** For the standard error stream; empty when there is nothing to warn about. */
export function formatWarnings(warnings: readonly ComposeWarning[]): string {
  const notices = warnings.filter(({ kind }) => kind === 'notice').map(({ message }) => `${message}\n`);
  const unsupported = names(warnings, 'unsupported');
  const deprecated = names(warnings, 'deprecated').map((name) => `${name}: ${warnings.find((warning) => warning.name === name)?.message ?? ''}\n\n`);
  return [
    ...new Set(notices),
    ...(unsupported.length === 0 ? [] : [`Ignoring unsupported options: ${unsupported.join(', ')}\n\n`]),
    ...(deprecated.length === 0 ? [] : ['Ignoring deprecated options:\n\n', ...deprecated]),
  ].join('');
}

function names(warnings: readonly ComposeWarning[], kind: ComposeWarning['kind']): readonly string[] {
  return [...new Set(warnings.filter((warning) => warning.kind === kind).map(({ name }) => name))].sort();
}
