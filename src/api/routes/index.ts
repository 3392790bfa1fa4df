// Every route of the Engine API that is the swarm's business. Whatever is not here is the engine's: the server hands it on.
import type { Route } from '../route.ts';
import { backupRoutes } from './backup.ts';
import { configRoutes } from './configs.ts';
import { networkRoutes } from './networks.ts';
import { nodeRoutes } from './nodes.ts';
import { secretRoutes } from './secrets.ts';
import { serviceRoutes } from './services.ts';
import { swarmItselfRoutes } from './swarm.ts';
import { taskRoutes } from './tasks.ts';

export const swarmRoutes: readonly Route[] = [
  ...swarmItselfRoutes,
  ...nodeRoutes,
  ...serviceRoutes,
  ...taskRoutes,
  ...secretRoutes,
  ...configRoutes,
  ...networkRoutes,
  ...backupRoutes,
];
