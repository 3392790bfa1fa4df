// `version`: of this program and of the daemon.
import { arch, platform, version as nodeVersion } from 'node:process';
import { errorMessage } from '#lib/errors.ts';
import { type CommandSpec, ExitError } from '../command.ts';
import { formatted, namedValue } from '../format/template.ts';
import { formatOf, inspectFormatFlag, jsonFlag } from '../shared/options.ts';

interface ServerVersion {
  readonly Platform?: { readonly Name: string };
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion?: string;
  readonly GitCommit?: string;
  readonly Os?: string;
  readonly Arch?: string;
  readonly BuildTime?: string;
  readonly Components?: readonly { readonly Name: string; readonly Version: string; readonly Details?: Readonly<Record<string, string>> | null }[];
}

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [inspectFormatFlag, jsonFlag],
  async run(invocation) {
    const { context, where } = invocation;
    const client = {
      Version: context.version,
      ApiVersion: '1.50',
      GitCommit: context.gitCommit,
      NodeVersion: nodeVersion,
      Os: platform,
      Arch: arch === 'x64' ? 'amd64' : arch,
      Context: where.context,
    };
    let server: ServerVersion | undefined;
    let failure: unknown;
    try {
      server = await (await invocation.client()).call<ServerVersion>('GET', '/version');
    } catch (error) {
      failure = error;
    }
    const format = formatOf(invocation);
    if (format !== '') {
      const value = { Client: client, Server: server ?? null };
      context.stdout.write(`${format === 'json' ? JSON.stringify(value) : formatted(format, forTemplate(value), failure)}\n`);
    } else context.stdout.write(clientText(client) + (server === undefined ? '' : `\n${serverText(server)}`));
    if (failure === undefined) return undefined;
    context.stderr.write(`${errorMessage(failure)}\n`);
    throw new ExitError(1);
  },
};

function clientText(client: Readonly<Record<string, string>>): string {
  const { Version, ApiVersion, NodeVersion, GitCommit, Os, Arch, Context } = client;
  return `Client: Skep
 Version:           ${Version}
 API version:       ${ApiVersion}
 Node version:      ${NodeVersion}
 Git commit:        ${GitCommit}
 OS/Arch:           ${Os}/${Arch}
 Context:           ${Context}
`;
}

/** With the names that Go gives the fields. */
function forTemplate({ Client, Server }: { readonly Client: object; readonly Server: ServerVersion | null }) {
  const withGoNames = (of: object) => ({ ...of, ...('ApiVersion' in of ? { APIVersion: of.ApiVersion } : {}) });
  return namedValue('system.versionInfo', { Client: withGoNames(Client), Server: Server === null ? null : withGoNames(Server) });
}

const LABEL_WIDTH = 18;

function serverText(server: ServerVersion): string {
  const name = server.Platform?.Name;
  const lines = [`Server:${name ? ` ${name}` : ''}`];
  for (const { Name, Version, Details } of server.Components ?? []) {
    lines.push(` ${Name}:`, line('Version', Version));
    const details = Details ?? {};
    const os = details['Os'] === undefined ? undefined : `${details['Os']}/${details['Arch'] ?? ''}`;
    const api = details['ApiVersion'] === undefined ? undefined : `${details['ApiVersion']} (minimum version ${details['MinAPIVersion'] ?? ''})`;
    if (api !== undefined) lines.push(line('API version', api));
    if (details['GoVersion']) lines.push(line('Go version', details['GoVersion']));
    if (details['GitCommit'] !== undefined) lines.push(line('Git commit', details['GitCommit']));
    if (details['BuildTime']) lines.push(line('Built', details['BuildTime']));
    if (os !== undefined) lines.push(line('OS/Arch', os));
  }
  return `${lines.join('\n')}\n`;
}

function line(label: string, value: string): string {
  return `  ${`${label}:`.padEnd(LABEL_WIDTH - 1)} ${value}`;
}
