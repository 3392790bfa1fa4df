// The verbs of stacks.
import type { CommandGroup } from '../command.ts';

export const stackGroup: CommandGroup = {
  name: 'stack',
  summary: 'Manage Swarm stacks',
  commands: [
    { name: 'activate', summary: 'Start the services of an inactive stack again', own: true, load: async () => (await import('./activation.ts')).activate },
    {
      name: 'config',
      summary: 'Outputs the final config file, after doing merges and interpolations',
      load: async () => (await import('./config.ts')).command,
    },
    {
      name: 'deactivate',
      summary: 'Remove the services of a stack and keep everything else',
      own: true,
      load: async () => (await import('./activation.ts')).deactivate,
    },
    { name: 'deploy', aliases: ['up'], summary: 'Deploy a new stack or update an existing stack', load: async () => (await import('./deploy.ts')).deploy },
    { name: 'diff', summary: 'Print what a deploy would do', own: true, load: async () => (await import('./deploy.ts')).diff },
    { name: 'export', summary: 'Print a running stack as a Compose file', own: true, load: async () => (await import('./history.ts')).exportCommand },
    { name: 'history', summary: 'List the revisions of a stack', own: true, load: async () => (await import('./history.ts')).history },
    { name: 'ls', aliases: ['list'], summary: 'List stacks', load: async () => (await import('./list.ts')).ls },
    { name: 'ps', summary: 'List the tasks in the stack', load: async () => (await import('./list.ts')).ps },
    { name: 'rm', aliases: ['remove', 'down'], summary: 'Remove one or more stacks', load: async () => (await import('./rm.ts')).command },
    { name: 'rollback', summary: 'Deploy an earlier revision of a stack again', own: true, load: async () => (await import('./history.ts')).rollback },
    { name: 'services', summary: 'List the services in the stack', load: async () => (await import('./list.ts')).services },
    { name: 'show', summary: 'Print the Compose source of a revision of a stack', own: true, load: async () => (await import('./history.ts')).show },
  ],
};
