// Networks of the swarm: create and remove. Attachments of plain containers are in attachments.ts. Rules and texts are the Docker daemon's and
// SwarmKit's (manager/controlapi/network.go).
import type { Network } from '#domain/objects.ts';
import { isPredefinedNetwork, reservedNetworkNames } from '#domain/predefined-network.ts';
import { isTerminal } from '#domain/task-state.ts';
import { validateNetworkSpec } from '#domain/validate/network.ts';
import type { View } from '#domain/view.ts';
import { AppError, rpcError } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import { createAttachments } from './attachments.ts';
import type { NetworkControl } from './control.ts';
import type { ControlDependencies } from './dependencies.ts';
import { findNetwork } from './lookup.ts';
import { needsIngress, networkIdsOf } from './service-references.ts';
import type { Turns } from './turns.ts';

export function createNetworkControl(dependencies: ControlDependencies, turns: Turns): NetworkControl {
  const { store, random } = dependencies;
  return {
    ...createAttachments(dependencies),
    list: () => [...store.view.list('network')].filter((network) => !isPredefinedNetwork(network)),
    find: (ref) => findNetwork(store.view, ref),
    async create(spec) {
      const id = newId(random);
      await store.update('control', (view) => {
        assertNameIsFree(view, spec.name);
        validateNetworkSpec(spec);
        const ingress = spec.ingress ? view.claimant('network/ingress') : undefined;
        if (ingress !== undefined) throw rpcError('alreadyExists', `ingress network (${ingress.id}) is already present`);
        return { changes: [{ action: 'create', object: { kind: 'network', id, version: 0, createdAt: 0, updatedAt: 0, spec } }], result: undefined };
      });
      return id;
    },
    async remove(ref) {
      const found = findNetwork(store.view, ref);
      if (found === undefined) throw new AppError('notFound', `network ${ref} not found`);
      await turns.take(() =>
        store.update('control', (view) => {
          const network = view.get('network', found.id);
          if (network === undefined) throw rpcError('notFound', `network ${found.id} not found`);
          assertRemovable(view, network);
          return { changes: [{ action: 'remove', object: network }], result: undefined };
        }),
      );
    },
  };
}

function assertNameIsFree(view: View, name: string): void {
  if (!reservedNetworkNames.includes(name) && view.findByName('network', name) === undefined) return;
  throw new AppError('alreadyExists', `network with name ${name} already exists`);
}

function assertRemovable(view: View, network: Network): void {
  if (isPredefinedNetwork(network)) throw new AppError('permissionDenied', `${network.spec.name} is a pre-defined network and cannot be removed`);
  if (network.spec.ingress) return assertIngressUnneeded(view);
  for (const service of view.list('service')) {
    if (networkIdsOf(service).includes(network.id)) throw rpcError('failedPrecondition', `network ${network.id} is in use by service ${service.id}`);
  }
  for (const task of view.list('task')) {
    const isOver = isTerminal(task.status.state) || task.desiredState === 'shutdown' || task.desiredState === 'remove';
    // What is left of a removed service is on its way out, even where nobody has told it yet.
    const isLeftOver = task.serviceId !== undefined && view.get('service', task.serviceId) === undefined;
    if (isOver || isLeftOver || !task.networks.some(({ networkId }) => networkId === network.id)) continue;
    throw rpcError('failedPrecondition', `network ${network.id} is in use by task ${task.id}`);
  }
}

function assertIngressUnneeded(view: View): void {
  for (const service of view.list('service')) {
    if (!needsIngress(service.spec)) continue;
    throw rpcError('failedPrecondition', `ingress network cannot be removed because service ${service.id} depends on it`);
  }
}
