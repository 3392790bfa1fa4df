import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineConnection } from '#engine-link/connection.ts';
import { AppError } from '#lib/errors.ts';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import { createContainerNetworks, type ContainerNetworksOptions } from './container-networks.ts';

type Listener = Parameters<ContainerNetworksOptions['membership']['onEvents']>[0];

test('an attachment that is removed while it is waited for fails, and ends nothing else', async () => {
  const listeners = new Set<Listener>();
  let isThere = true;
  const task = { id: 'attachment', status: { state: 'pending', message: '' } };
  const control = {
    networks: { attach: async () => task, detach: async () => {} },
    tasks: {
      get() {
        if (!isThere) throw new AppError('notFound', 'task attachment not found');
        return task;
      },
    },
  };
  const membership = {
    control: () => control,
    info: () => ({ controlAvailable: true }),
    onEvents(listener: Listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  } as unknown as ContainerNetworksOptions['membership'];
  const networks = createContainerNetworks({ membership, engine: {} as EngineConnection, clock: createFakeClock(), dnsAddress: () => undefined });
  const attached = networks.attach({ id: 'n', name: 'net' }, 'owner', [], new AbortController().signal);
  const failed = assert.rejects(attached, { code: 'notFound', message: 'task attachment not found' });
  await new Promise((resolve) => setImmediate(resolve));
  isThere = false;
  for (const listener of listeners) listener([{ action: 'remove', object: { kind: 'task', id: 'attachment' } }] as unknown as Parameters<Listener>[0]);
  await failed;
  assert.equal(listeners.size, 0);
});
