// The command line's root: global options, finding the command, running it, and what is said when that fails. Returns the exit code; prints only to the
// given streams. A command's own file is imported only when that command is meant.
import type { Client } from '#client/client.ts';
import { contextName, defaultAddress, whereOf } from '#client/where.ts';
import { errorMessage } from '#lib/errors.ts';
import { type CommandEntry, type CommandGroup, type CommandSpec, ExitError, type Invocation, UsageError } from './command.ts';
import { groups, topLevelCommands } from './commands.ts';
import type { CliContext } from './context.ts';
import { readDockerConfig } from './docker-config.ts';
import { type Flags, parseFlags } from './flags.ts';
import { globalFlags } from './global-flags.ts';
import { allNodesFlag, nodeFlag } from './node-flags.ts';

interface Found {
  readonly path: string;
  readonly entry: CommandEntry;
  readonly rest: readonly string[];
}

export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  try {
    const { flags, args } = parseFlags(argv, globalFlags, true);
    if (flags.bool('version')) {
      context.stdout.write(`${context.programName} version ${context.version}\n`);
      return 0;
    }
    if (args.length === 0 || (flags.bool('help') && args.length === 0)) return await showRootHelp(context);
    const found = await find(flags.bool('help') ? [...args, '--help'] : args, context);
    if (typeof found === 'number') return found;
    return await runCommand(found, flags, context);
  } catch (error) {
    return report(error, context);
  }
}

async function showRootHelp(context: CliContext): Promise<number> {
  const { rootHelp } = await import('./root-help.ts');
  context.stdout.write(rootHelp(context));
  return 0;
}

/** The command that the words name, or the exit code of what was printed in its place. */
async function find(args: readonly string[], context: CliContext): Promise<Found | number> {
  const [word = '', ...rest] = args;
  const { programName, stdout } = context;
  if (word === 'help') return helpOf(rest, context);
  const group = groups.find(({ name }) => name === word);
  if (group === undefined) {
    const entry = topLevelCommands.find(({ name, aliases }) => name === word || aliases?.includes(word));
    if (entry === undefined) throw await unknownCommand(programName, '', word);
    return { path: entry.name, entry, rest };
  }
  const verb = rest.find((candidate) => !candidate.startsWith('-'));
  if (verb === undefined || verb === 'help') {
    const { groupHelp } = await import('./help.ts');
    const wrong = rest.find((candidate) => candidate.startsWith('-') && candidate !== '--help' && candidate !== '-h');
    if (wrong !== undefined)
      throw new UsageError(
        `unknown flag: ${wrong}\n\nUsage:  ${programName} ${group.name} COMMAND\n\nRun '${programName} ${group.name} --help' for more information`,
        125,
      );
    stdout.write(`${groupHelp(programName, group)}`);
    return 0;
  }
  const entry = group.commands.find(({ name, aliases }) => name === verb || aliases?.includes(verb));
  if (entry === undefined) throw await unknownCommand(programName, group.name, verb);
  const position = rest.indexOf(verb);
  return { path: `${group.name} ${entry.name}`, entry, rest: [...rest.slice(0, position), ...rest.slice(position + 1)] };
}

function helpOf(words: readonly string[], context: CliContext): Promise<Found | number> {
  return words.length === 0 ? showRootHelp(context) : find([...words, '--help'], context);
}

async function unknownCommand(programName: string, group: string, word: string): Promise<UsageError> {
  const { suggestions } = await import('./suggest.ts');
  const path = group === '' ? programName : `${programName} ${group}`;
  const known: readonly { readonly name: string }[] = group === '' ? [...groups, ...topLevelCommands] : groupNamed(group).commands;
  const near = suggestions(
    word,
    known.map(({ name }) => name),
  );
  const hint = near.length === 0 ? '' : `\n\nDid you mean ${near.map((name) => `'${path} ${name}'`).join(' or ')}?`;
  const usage = group === '' ? '' : `\n\nUsage:  ${path}`;
  return new UsageError(`${programName}: unknown command: ${path} ${word}${hint}${usage}\n\nRun '${path} --help' for more information`, 1);
}

function groupNamed(name: string): CommandGroup {
  return groups.find((group) => group.name === name) as CommandGroup;
}

async function runCommand({ path, entry, rest }: Found, global: Flags, context: CliContext): Promise<number> {
  const { programName, stdout } = context;
  const spec = await entry.load();
  let parsed: ReturnType<typeof parseFlags>;
  try {
    parsed = parseFlags(rest, spec.flags, spec.optionsFirst ?? false);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { flagHint } = await import('./suggest.ts');
    const hint = flagHint(error.message, spec.flags);
    throw new UsageError(
      `${error.message}${hint}\n\nUsage:  ${programName} ${path}${spec.usage === '' ? '' : ` ${spec.usage}`}\n\nRun '${programName} ${path} --help' for more information`,
      error.exitCode,
    );
  }
  const { flags, args } = parsed;
  if (flags.bool('help')) {
    const { commandHelp } = await import('./help.ts');
    stdout.write(commandHelp({ programName, path, entry, spec, ...(context.stdout.columns === undefined ? {} : { width: context.stdout.columns }) }));
    return 0;
  }
  checkCount(args.length, spec, `${programName} ${path}`);
  const connection = connect(global, context, nodeHeader(flags, spec));
  try {
    return (
      (await spec.run({
        flags,
        args,
        context,
        path,
        config: connection.config,
        client: connection.client,
        where: connection.where,
        contexts: connection.contexts,
      })) ?? 0
    );
  } finally {
    connection.close();
  }
}

/** Docker's sentences about the number of arguments. */
function checkCount(count: number, spec: CommandSpec, path: string): void {
  const { minimum, maximum } = spec.arguments;
  if (count >= minimum && (maximum === undefined || count <= maximum)) return;
  const plural = (number: number) => `${number} ${number === 1 ? 'argument' : 'arguments'}`;
  const say = () => {
    if (maximum === 0) return 'accepts no arguments';
    if (maximum === undefined) return `requires at least ${plural(minimum)}`;
    if (minimum === maximum) return `requires ${plural(minimum)}`;
    if (minimum === 0) return `requires at most ${plural(maximum)}`;
    return `requires at least ${minimum} and at most ${plural(maximum)}`;
  };
  const program = path.split(' ')[0] ?? '';
  const word = maximum === undefined ? 'See' : 'Run';
  const usage = `Usage:  ${path}${spec.usage === '' ? '' : ` ${spec.usage}`}`;
  throw new UsageError(`${program}: '${path}' ${say()}\n\n${usage}\n\n${word} '${path} --help' for more information`, 1);
}

type Connection = Pick<Invocation, 'config' | 'client' | 'where' | 'contexts'> & { close(): void };

/** Which node's engine a command is for, when it is not the daemon's own. */
function nodeHeader(flags: Flags, { flags: known }: CommandSpec): Readonly<Record<string, string>> {
  const node = known.includes(nodeFlag) && flags.has('node') ? flags.text('node') : undefined;
  const isForAll = known.includes(allNodesFlag) && flags.bool('all-nodes');
  if (node !== undefined && isForAll) throw new UsageError('conflicting options: cannot specify both --node and --all-nodes', 125);
  if (node === '') throw new UsageError('invalid argument "" for "--node" flag: a node is named by its id or hostname', 125);
  return isForAll ? { 'X-Skep-Node': '*' } : node === undefined ? {} : { 'X-Skep-Node': node };
}

function connect(flags: Flags, context: CliContext, headers: Readonly<Record<string, string>>): Connection {
  const { environment, homeDirectory, version, stderr } = context;
  const folder = flags.text('config') || environment['DOCKER_CONFIG'] || `${homeDirectory}/.docker`;
  const config = readDockerConfig(folder);
  if (config.problem !== undefined) stderr.write(`WARNING: ${config.problem}\n`);
  const options = {
    ...(flags.text('host') === '' ? {} : { host: flags.text('host') }),
    ...(flags.has('context') ? { context: flags.text('context') } : {}),
    ...(flags.has('tls') ? { tls: flags.bool('tls') } : {}),
    ...(flags.has('tlsverify') ? { tlsVerify: flags.bool('tlsverify') } : {}),
    ...(flags.has('tlscacert') ? { tlsCaFile: flags.text('tlscacert') } : {}),
    ...(flags.has('tlscert') ? { tlsCertFile: flags.text('tlscert') } : {}),
    ...(flags.has('tlskey') ? { tlsKeyFile: flags.text('tlskey') } : {}),
    ...(config.values.currentContext === undefined ? {} : { currentContext: config.values.currentContext }),
    configFolder: folder,
    environment,
  };
  const where = () => whereOf(options);
  let client: Promise<Client> | undefined;
  const open = async () => {
    const [{ createClient }, { createTransport }] = await Promise.all([import('#client/client.ts'), import('#client/transport.ts')]);
    const { address, tls } = where();
    const apiVersion = environment['DOCKER_API_VERSION'];
    return createClient({
      transport: await createTransport(address, tls),
      userAgent: `skep/${version}`,
      headers,
      onMissingNodes: (nodes) => void stderr.write(`WARNING: without ${nodes}\n`),
      ...(apiVersion === undefined || apiVersion === '' ? {} : { apiVersion }),
    });
  };
  return {
    config,
    client: () => (client ??= open()),
    get where() {
      return where();
    },
    contexts: { current: contextName(options), defaultAddress: defaultAddress(options) },
    close: () => void client?.then((opened) => opened.close()).catch(() => {}),
  };
}

function report(error: unknown, { stderr }: CliContext): number {
  if (error instanceof ExitError) return error.exitCode;
  stderr.write(`${errorMessage(error)}\n`);
  return error instanceof UsageError ? error.exitCode : 1;
}
