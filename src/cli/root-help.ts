// `skep --help`.
import { groups, topLevelCommands } from './commands.ts';
import type { CliContext } from './context.ts';
import { globalFlags } from './global-flags.ts';
import { commandLines, flagLines } from './help.ts';

export function rootHelp({ programName, stdout }: CliContext): string {
  const top = topLevelCommands.filter(({ hidden }) => !hidden);
  return `Usage:  ${programName} [OPTIONS] COMMAND

Swarm mode for any Docker-compatible engine

Management Commands:
${commandLines(groups)}

Commands:
${commandLines(top)}

Global Options:
${flagLines(globalFlags, stdout.columns ?? 80).join('\n')}

Run '${programName} COMMAND --help' for more information on a command.
`;
}
