// The page about skepd's options, from the one table that its command line, environment and file are read by.
import { DEFAULT_CONFIG_FILE, optionTable } from '#main/options.ts';
import { code, page, plain, table } from './markdown.ts';

export function daemonPage(): string {
  const rows = optionTable.map((option) => [
    code(option.flags),
    code(option.envVar ?? ''),
    `${plain(option.description)}${option.argChoices === undefined ? '' : `: ${option.argChoices.join(', ')}`}`,
  ]);
  return page(
    'skepd: the daemon',
    'src/main/options.ts',
    `The command line wins over the environment, and the environment over the file (${code(DEFAULT_CONFIG_FILE)}, or ${code('--config-file')}). In the file, options have their long names: ${code('data-path-port: 4790')}. What may be given several times is a list there, and is separated by commas in a variable.`,
    table(['option', 'variable', 'what'], rows),
    `\`skepd --version\` and \`skepd --help\` print and end.`,
  );
}
