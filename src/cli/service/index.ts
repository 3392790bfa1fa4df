// The verbs of services.
import type { CommandGroup } from '../command.ts';

export const serviceGroup: CommandGroup = {
  name: 'service',
  summary: 'Manage Swarm services',
  commands: [
    { name: 'create', summary: 'Create a new service', load: async () => (await import('./create.ts')).command },
    { name: 'explain', summary: 'Say in a sentence why tasks of a service do not run', own: true, load: async () => (await import('./explain.ts')).command },
    { name: 'inspect', summary: 'Display detailed information on one or more services', load: async () => (await import('./inspect.ts')).command },
    { name: 'logs', summary: 'Fetch the logs of a service or task', load: async () => (await import('./logs.ts')).command },
    { name: 'ls', aliases: ['list'], summary: 'List services', load: async () => (await import('./ls.ts')).command },
    { name: 'ps', summary: 'List the tasks of one or more services', load: async () => (await import('./ps.ts')).command },
    { name: 'restart', summary: 'Replace all tasks of one or more services', own: true, load: async () => (await import('./restart.ts')).restart },
    { name: 'rm', aliases: ['remove'], summary: 'Remove one or more services', load: async () => (await import('./rm.ts')).command },
    { name: 'rollback', summary: "Revert changes to a service's configuration", load: async () => (await import('./rollback.ts')).command },
    { name: 'scale', summary: 'Scale one or multiple replicated services', load: async () => (await import('./scale.ts')).command },
    { name: 'start', summary: 'Bring back the tasks of one or more stopped services', own: true, load: async () => (await import('./restart.ts')).start },
    { name: 'stop', summary: 'Stop all tasks of one or more services and keep the services', own: true, load: async () => (await import('./restart.ts')).stop },
    { name: 'update', summary: 'Update a service', load: async () => (await import('./update.ts')).command },
    { name: 'wait', summary: 'Wait until one or more services have converged', own: true, load: async () => (await import('./wait.ts')).command },
  ],
};
