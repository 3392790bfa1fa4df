// All commands, with what help says about them. Their files are imported only when one is meant.
import type { CommandEntry, CommandGroup } from './command.ts';
import { devGroup } from './dev/index.ts';
import { serviceGroup } from './service/index.ts';
import { stackGroup } from './stack/index.ts';

const ls = ['list'];
const rm = ['remove'];

const swarmGroup: CommandGroup = {
  name: 'swarm',
  summary: 'Manage Swarm',
  commands: [
    { name: 'ca', summary: 'Display and rotate the root CA', load: async () => (await import('./swarm/ca.ts')).command },
    { name: 'init', summary: 'Initialize a swarm', load: async () => (await import('./swarm/init.ts')).command },
    { name: 'join', summary: 'Join a swarm as a node and/or manager', load: async () => (await import('./swarm/join.ts')).command },
    { name: 'join-token', summary: 'Manage join tokens', load: async () => (await import('./swarm/join-token.ts')).command },
    { name: 'leave', summary: 'Leave the swarm', load: async () => (await import('./swarm/leave.ts')).command },
    { name: 'unlock', summary: 'Unlock swarm', load: async () => (await import('./swarm/unlock.ts')).command },
    { name: 'unlock-key', summary: 'Manage the unlock key', load: async () => (await import('./swarm/unlock-key.ts')).command },
    { name: 'update', summary: 'Update the swarm', load: async () => (await import('./swarm/update.ts')).command },
  ],
};

const nodeGroup: CommandGroup = {
  name: 'node',
  summary: 'Manage Swarm nodes',
  commands: [
    { name: 'demote', summary: 'Demote one or more nodes from manager in the swarm', load: async () => (await import('./node/promote.ts')).demote },
    { name: 'drain', summary: 'Move all tasks away from one or more nodes', own: true, load: async () => (await import('./node/drain.ts')).command },
    { name: 'inspect', summary: 'Display detailed information on one or more nodes', load: async () => (await import('./node/inspect.ts')).command },
    { name: 'ls', aliases: ls, summary: 'List nodes in the swarm', load: async () => (await import('./node/ls.ts')).command },
    { name: 'promote', summary: 'Promote one or more nodes to manager in the swarm', load: async () => (await import('./node/promote.ts')).promote },
    { name: 'ps', summary: 'List tasks running on one or more nodes, defaults to current node', load: async () => (await import('./node/ps.ts')).command },
    { name: 'rm', aliases: rm, summary: 'Remove one or more nodes from the swarm', load: async () => (await import('./node/rm.ts')).command },
    { name: 'update', summary: 'Update a node', load: async () => (await import('./node/update.ts')).command },
  ],
};

const secretGroup: CommandGroup = {
  name: 'secret',
  summary: 'Manage Swarm secrets',
  commands: [
    { name: 'create', summary: 'Create a secret from a file or STDIN as content', load: async () => (await import('./secret/create.ts')).command },
    { name: 'inspect', summary: 'Display detailed information on one or more secrets', load: async () => (await import('./secret/inspect.ts')).command },
    { name: 'ls', aliases: ls, summary: 'List secrets', load: async () => (await import('./secret/ls.ts')).command },
    { name: 'rm', aliases: rm, summary: 'Remove one or more secrets', load: async () => (await import('./secret/rm.ts')).command },
  ],
};

const configGroup: CommandGroup = {
  name: 'config',
  summary: 'Manage Swarm configs',
  commands: [
    { name: 'create', summary: 'Create a config from a file or STDIN', load: async () => (await import('./config/create.ts')).command },
    { name: 'inspect', summary: 'Display detailed information on one or more configs', load: async () => (await import('./config/inspect.ts')).command },
    { name: 'ls', aliases: ls, summary: 'List configs', load: async () => (await import('./config/ls.ts')).command },
    { name: 'rm', aliases: rm, summary: 'Remove one or more configs', load: async () => (await import('./config/rm.ts')).command },
  ],
};

const networkGroup: CommandGroup = {
  name: 'network',
  summary: 'Manage networks',
  commands: [
    { name: 'connect', summary: 'Connect a container to a network', load: async () => (await import('./network/connect.ts')).connect },
    { name: 'create', summary: 'Create a network', load: async () => (await import('./network/create.ts')).command },
    { name: 'disconnect', summary: 'Disconnect a container from a network', load: async () => (await import('./network/connect.ts')).disconnect },
    { name: 'inspect', summary: 'Display detailed information on one or more networks', load: async () => (await import('./network/inspect.ts')).command },
    { name: 'ls', aliases: ls, summary: 'List networks', load: async () => (await import('./network/ls.ts')).command },
    { name: 'prune', summary: 'Remove all unused networks', load: async () => (await import('./system/prune.ts')).networks },
    { name: 'rm', aliases: rm, summary: 'Remove one or more networks', load: async () => (await import('./network/rm.ts')).command },
  ],
};

const volumeGroup: CommandGroup = {
  name: 'volume',
  summary: 'Manage volumes',
  commands: [
    { name: 'create', summary: 'Create a volume', load: async () => (await import('./volume/create.ts')).command },
    { name: 'inspect', summary: 'Display detailed information on one or more volumes', load: async () => (await import('./volume/inspect.ts')).command },
    { name: 'ls', aliases: ls, summary: 'List volumes', load: async () => (await import('./volume/ls.ts')).command },
    { name: 'prune', summary: 'Remove unused local volumes', load: async () => (await import('./system/prune.ts')).volumes },
    {
      name: 'rm',
      aliases: rm,
      summary: 'Remove one or more volumes. You cannot remove a volume that is in use by a container.',
      load: async () => (await import('./volume/rm.ts')).command,
    },
  ],
};

const contextGroup: CommandGroup = {
  name: 'context',
  summary: 'Manage contexts',
  commands: [
    { name: 'create', summary: 'Create a context', load: async () => (await import('./contexts/create.ts')).command },
    {
      name: 'export',
      summary: 'Export a context to a tar archive FILE or a tar stream on STDOUT.',
      load: async () => (await import('./contexts/archive.ts')).exportCommand,
    },
    { name: 'import', summary: 'Import a context from a tar or zip file', load: async () => (await import('./contexts/archive.ts')).importCommand },
    { name: 'inspect', summary: 'Display detailed information on one or more contexts', load: async () => (await import('./contexts/inspect.ts')).command },
    { name: 'ls', aliases: ls, summary: 'List contexts', load: async () => (await import('./contexts/ls.ts')).command },
    { name: 'rm', aliases: rm, summary: 'Remove one or more contexts', load: async () => (await import('./contexts/use.ts')).remove },
    { name: 'show', summary: 'Print the name of the current context', load: async () => (await import('./contexts/ls.ts')).show },
    { name: 'update', summary: 'Update a context', load: async () => (await import('./contexts/update.ts')).command },
    { name: 'use', summary: 'Set the current docker context', load: async () => (await import('./contexts/use.ts')).use },
  ],
};

export const topLevelCommands: readonly CommandEntry[] = [
  {
    name: 'attach',
    summary: 'Attach local standard input, output, and error streams to a running container',
    load: async () => (await import('./container/attach.ts')).command,
  },
  { name: 'backup', summary: "Save the swarm's state to a file", own: true, load: async () => (await import('./backup/backup.ts')).command },
  { name: '__complete', summary: 'Words that complete a command line', hidden: true, load: async () => (await import('./completion/words.ts')).command },
  {
    name: 'completion',
    summary: 'Print the completion script of a shell (bash, zsh or fish)',
    own: true,
    load: async () => (await import('./completion/command.ts')).command,
  },
  { name: 'cp', summary: 'Copy files/folders between a container and the local filesystem', load: async () => (await import('./container/cp.ts')).command },
  {
    name: 'dial-stdio',
    summary: 'Forward the standard streams to the daemon',
    hidden: true,
    load: async () => (await import('./system/dial-stdio.ts')).command,
  },
  { name: 'events', summary: 'Get real time events from the server', load: async () => (await import('./system/events.ts')).command },
  { name: 'exec', summary: 'Execute a command in a running container', load: async () => (await import('./container/exec.ts')).command },
  { name: 'images', summary: 'List images', load: async () => (await import('./image/ls.ts')).command },
  { name: 'info', summary: 'Display system-wide information', load: async () => (await import('./system/info.ts')).command },
  { name: 'inspect', summary: 'Return low-level information on Docker objects', load: async () => (await import('./system/inspect.ts')).command },
  { name: 'kill', summary: 'Kill one or more running containers', load: async () => (await import('./container/actions.ts')).kill },
  { name: 'login', summary: 'Authenticate to a registry', load: async () => (await import('./registry/login.ts')).command },
  { name: 'logout', summary: 'Log out from a registry', load: async () => (await import('./registry/logout.ts')).command },
  { name: 'logs', summary: 'Fetch the logs of a container, service or task', load: async () => (await import('./container/logs.ts')).command },
  { name: 'pause', summary: 'Pause all processes within one or more containers', load: async () => (await import('./container/actions.ts')).pause },
  { name: 'port', summary: 'List port mappings or a specific mapping for the container', load: async () => (await import('./container/port.ts')).command },
  { name: 'ps', summary: 'List containers', load: async () => (await import('./container/ps.ts')).command },
  { name: 'rename', summary: 'Rename a container', load: async () => (await import('./container/actions.ts')).rename },
  { name: 'restart', summary: 'Restart one or more containers', load: async () => (await import('./container/actions.ts')).restart },
  { name: 'restore', summary: 'Bring a swarm back from a backup', own: true, load: async () => (await import('./backup/restore.ts')).command },
  { name: 'rm', summary: 'Remove one or more containers', load: async () => (await import('./container/actions.ts')).rm },
  { name: 'start', summary: 'Start one or more stopped containers', load: async () => (await import('./container/start.ts')).command },
  {
    name: 'stats',
    summary: 'Display a live stream of container(s) resource usage statistics',
    load: async () => (await import('./container/stats.ts')).command,
  },
  { name: 'stop', summary: 'Stop one or more running containers', load: async () => (await import('./container/actions.ts')).stop },
  { name: 'top', summary: 'Display the running processes of a container', load: async () => (await import('./container/top.ts')).command },
  { name: 'unpause', summary: 'Unpause all processes within one or more containers', load: async () => (await import('./container/actions.ts')).unpause },
  {
    name: 'up',
    summary: 'Start a swarm on this machine if there is none, and deploy a Compose file to it',
    own: true,
    load: async () => (await import('./stack/up.ts')).command,
  },
  { name: 'update', summary: 'Update configuration of one or more containers', load: async () => (await import('./container/update.ts')).command },
  { name: 'version', summary: 'Show the version information', load: async () => (await import('./system/version.ts')).command },
  {
    name: 'wait',
    summary: 'Block until one or more containers stop, then print their exit codes',
    load: async () => (await import('./container/actions.ts')).wait,
  },
];

/** The same command under another name: docker has many twice. */
function topLevel(name: string, as: Partial<CommandEntry> = {}): CommandEntry {
  const entry = topLevelCommands.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new Error(`no command ${name}`);
  return { ...entry, ...as };
}

const containerGroup: CommandGroup = {
  name: 'container',
  summary: 'Manage containers',
  commands: [
    ...['attach', 'cp', 'exec', 'kill', 'logs', 'pause', 'port', 'rename', 'restart', 'start', 'stats', 'stop', 'top', 'unpause', 'update', 'wait'].map(
      (name) => topLevel(name),
    ),
    {
      name: 'inspect',
      summary: 'Display detailed information on one or more containers',
      load: async () => (await import('./system/inspect.ts')).containerCommand,
    },
    topLevel('ps', { name: 'ls', aliases: ['list', 'ps'] }),
    { name: 'prune', summary: 'Remove all stopped containers', load: async () => (await import('./system/prune.ts')).containers },
    topLevel('rm', { aliases: rm }),
  ],
};

const systemGroup: CommandGroup = {
  name: 'system',
  summary: 'Manage the engines',
  commands: [
    { name: 'df', summary: 'Show docker disk usage', load: async () => (await import('./system/df.ts')).command },
    topLevel('events'),
    topLevel('info'),
    { name: 'prune', summary: 'Remove unused data', load: async () => (await import('./system/prune.ts')).command },
  ],
};

export const groups: readonly CommandGroup[] = [
  configGroup,
  containerGroup,
  contextGroup,
  devGroup,
  networkGroup,
  nodeGroup,
  secretGroup,
  serviceGroup,
  stackGroup,
  swarmGroup,
  systemGroup,
  volumeGroup,
];
