// All scenarios, in the order in which they are begun.
import { jobs } from './jobs.ts';
import { nodes } from './nodes.ts';
import { placement } from './placement.ts';
import { restarts } from './restarts.ts';
import { updates } from './updates.ts';

export const scenarios = [...updates, ...restarts, ...jobs, ...placement, ...nodes];
