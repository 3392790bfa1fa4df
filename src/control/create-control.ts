// Composes the use cases. One instance per manager; all writes of users go through it.
import { createConfigControl } from './configs.ts';
import type { Control } from './control.ts';
import type { ControlDependencies } from './dependencies.ts';
import { createNetworkControl } from './networks.ts';
import { createNodeControl } from './nodes.ts';
import { createSecretControl } from './secrets.ts';
import { createServiceControl } from './services.ts';
import { createSwarmControl } from './swarm.ts';
import { createTaskControl } from './tasks.ts';
import { createTurns } from './turns.ts';

export function createControl(dependencies: ControlDependencies): Control {
  const turns = createTurns();
  return {
    services: createServiceControl(dependencies, turns),
    tasks: createTaskControl(dependencies),
    nodes: createNodeControl(dependencies),
    secrets: createSecretControl(dependencies, turns),
    configs: createConfigControl(dependencies, turns),
    networks: createNetworkControl(dependencies, turns),
    swarm: createSwarmControl(dependencies),
  };
}
