// The verbs of stacks.
import type { CommandGroup } from '../command.ts';

export const stackGroup: CommandGroup = {
  name: 'stack',
  summary: 'Manage Swarm stacks',
  commands: [],
};
