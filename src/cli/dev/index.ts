// The verbs of clusters on one machine.
import type { CommandGroup } from '../command.ts';

export const devGroup: CommandGroup = {
  name: 'dev',
  summary: 'Try a cluster out on this machine',
  commands: [
    { name: 'cut', summary: 'Take out the cable of one or more nodes', own: true, load: async () => (await import('./link.ts')).cut },
    { name: 'down', summary: 'Remove a cluster and everything of it', own: true, load: async () => (await import('./down.ts')).command },
    { name: 'exec', summary: 'Execute a command on a node', own: true, load: async () => (await import('./exec.ts')).exec },
    { name: 'heal', summary: 'Undo cut and slow on one or more nodes', own: true, load: async () => (await import('./link.ts')).heal },
    { name: 'kill', summary: 'Take the power from one or more nodes', own: true, load: async () => (await import('./power.ts')).kill },
    { name: 'load', summary: 'Load images into the engines of all nodes', own: true, load: async () => (await import('./load.ts')).command },
    { name: 'logs', summary: "Show what a node's skepd or engine has logged", own: true, load: async () => (await import('./exec.ts')).logs },
    {
      name: 'ls',
      aliases: ['list', 'ps'],
      summary: 'List the nodes of clusters on this machine',
      own: true,
      load: async () => (await import('./ls.ts')).command,
    },
    { name: 'pause', summary: 'Stop all processes of one or more nodes where they are', own: true, load: async () => (await import('./power.ts')).pause },
    { name: 'slow', summary: 'Slow the link of one or more nodes down', own: true, load: async () => (await import('./link.ts')).slow },
    { name: 'start', summary: 'Start whatever of one or more nodes does not run', own: true, load: async () => (await import('./power.ts')).start },
    { name: 'stop', summary: 'Shut one or more nodes down in order', own: true, load: async () => (await import('./power.ts')).stop },
    { name: 'unpause', summary: 'Let the processes of one or more nodes go on', own: true, load: async () => (await import('./power.ts')).unpause },
    { name: 'up', summary: 'Make a cluster, bring it back, or add nodes to it', own: true, load: async () => (await import('./up.ts')).command },
  ],
};
