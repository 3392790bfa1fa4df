// Attachments of plain containers to attachable networks: a task without service or schedule, whose addresses the allocator gives.
import type { Network, Task } from '#domain/objects.ts';
import { isTerminal } from '#domain/task-state.ts';
import { AppError, errorMessage, rpcError } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import { parseIp } from '#lib/ip.ts';
import type { Store } from '#store/store.ts';
import type { NetworkControl } from './control.ts';
import type { ControlDependencies } from './dependencies.ts';
import { findNetwork } from './lookup.ts';

/** As long as an engine waits for an attachment in Docker. */
const ALLOCATION_TIMEOUT_MS = 30_000;

export function createAttachments({ store, clock, random, log, nodeId }: ControlDependencies): Pick<NetworkControl, 'attach' | 'detach'> {
  async function detach(taskId: string): Promise<void> {
    await store.update('control', (view) => {
      const task = view.get('task', taskId);
      if (task === undefined || task.desiredState === 'remove') return { changes: [], result: undefined };
      if (task.spec.runtime.kind !== 'attachment') throw rpcError('invalidArgument', `task ${taskId} is not an attachment of a container`);
      return { changes: [{ action: 'update', object: { ...task, desiredState: 'remove' } }], result: undefined };
    });
  }

  return {
    async attach(networkRef, containerId, addresses, options = {}) {
      const id = newId(random);
      await store.update('control', (view) => {
        const network = attachableNetwork(findNetwork(view, networkRef), networkRef);
        const task = attachmentTask({ id, network, containerId, addresses, nodeId: options.nodeId ?? nodeId, now: clock.now() });
        return { changes: [{ action: 'create', object: task }], result: undefined };
      });
      try {
        return await allocated({ store, clock }, id, options.signal);
      } catch (error) {
        await detach(id).catch((failure: unknown) => log.warn({ task: id, error: errorMessage(failure) }, 'an attachment that failed could not be taken back'));
        throw error;
      }
    },
    detach,
  };
}

function attachableNetwork(network: Network | undefined, ref: string): Network {
  if (network === undefined) throw rpcError('notFound', `network ${ref} not found`);
  if (!network.spec.attachable) throw rpcError('permissionDenied', `network ${network.spec.name} not manually attachable`);
  return network;
}

interface AttachmentOptions {
  readonly id: string;
  readonly network: Network;
  readonly containerId: string;
  readonly addresses: readonly string[];
  readonly nodeId: string;
  readonly now: number;
}

function attachmentTask({ id, network, containerId, addresses, nodeId, now }: AttachmentOptions): Task {
  for (const address of addresses) {
    if (parseIp(address.split('/')[0] ?? '') === undefined) throw rpcError('invalidArgument', `invalid IP address: ${address}`);
  }
  return {
    kind: 'task',
    id,
    version: 0,
    createdAt: 0,
    updatedAt: 0,
    nodeId,
    spec: { runtime: { kind: 'attachment', containerId }, networks: [{ target: network.id }], forceUpdate: 0 },
    serviceName: '',
    serviceLabels: {},
    status: { state: 'new', timestamp: now, message: 'created' },
    desiredState: 'running',
    networks: [{ networkId: network.id, addresses, aliases: [] }],
  };
}

/** The task once it has its addresses. Rejects with the allocator's reason, or when it takes too long. */
async function allocated(
  { store, clock }: { readonly store: Store; readonly clock: ControlDependencies['clock'] },
  id: string,
  signal: AbortSignal | undefined,
): Promise<Task> {
  let stop = () => {};
  try {
    return await new Promise<Task>((resolve, reject) => {
      const look = () => {
        const task = store.view.get('task', id);
        if (task === undefined || isTerminal(task.status.state)) reject(rpcError('aborted', 'attachment was removed'));
        else if (task.status.state !== 'new') resolve(task);
        else if (task.status.error) reject(rpcError('failedPrecondition', task.status.error));
      };
      const onAbort = () => reject(new AppError('aborted', 'the request was given up'));
      const unwatch = store.watch(look);
      const cancel = clock.schedule(ALLOCATION_TIMEOUT_MS, () => reject(rpcError('deadlineExceeded', 'context deadline exceeded')));
      signal?.addEventListener('abort', onAbort, { once: true });
      stop = () => {
        unwatch();
        cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      if (signal?.aborted) onAbort();
      else look();
    });
  } finally {
    stop();
  }
}
