// Options of the commands that deploy.
import type { FlagSpec } from '../command.ts';

export const deployFlags: readonly FlagSpec[] = [
  { name: 'detach', short: 'd', description: 'Exit immediately instead of waiting for the stack services to converge' },
  { name: 'force', description: 'Restart services that have not changed, too' },
  { name: 'prune', description: 'Prune services that are no longer referenced' },
  { name: 'quiet', short: 'q', description: 'Suppress progress output' },
  {
    name: 'resolve-image',
    type: 'string',
    description: 'Query the registry to resolve image digest and supported platforms ("always", "changed", "never")',
    default: '"always"',
    choices: ['always', 'changed', 'never'],
  },
  { name: 'service', type: 'list', description: 'Deploy only this service of the stack' },
  { name: 'timeout', type: 'duration', description: 'Longest time to wait until the services have converged', default: '10m0s' },
  { name: 'with-registry-auth', description: 'Send registry authentication details to Swarm agents' },
];
