// The verbs of services.
import type { CommandGroup } from '../command.ts';

export const serviceGroup: CommandGroup = {
  name: 'service',
  summary: 'Manage Swarm services',
  commands: [
    { name: 'inspect', summary: 'Display detailed information on one or more services', load: async () => (await import('./inspect.ts')).command },
    { name: 'ls', aliases: ['list'], summary: 'List services', load: async () => (await import('./ls.ts')).command },
    { name: 'ps', summary: 'List the tasks of one or more services', load: async () => (await import('./ps.ts')).command },
    { name: 'rm', aliases: ['remove'], summary: 'Remove one or more services', load: async () => (await import('./rm.ts')).command },
  ],
};
