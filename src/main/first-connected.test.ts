import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '#lib/errors.ts';
import type { ManagerClient } from '#transport/client.ts';
import { firstConnected } from './first-connected.ts';

/** Clients of which only those begun after `healedMs` connect, as on a link that was cut until then: the others say so when their time is over. */
function cutLink(healedMs: number) {
  const start = performance.now();
  const open = new Set<ManagerClient>();
  const addresses: string[] = [];
  let most = 0;
  let begunSinceHealed = 0;
  return {
    open,
    addresses,
    most: () => most,
    begunSinceHealed: () => begunSinceHealed,
    begin(address: string): ManagerClient {
      const reached = performance.now() - start >= healedMs;
      if (reached) begunSinceHealed++;
      const client = {
        address,
        connected: (timeoutMs: number) =>
          reached
            ? Promise.resolve()
            : new Promise<void>((_resolve, reject) => setTimeout(() => reject(new AppError('unavailable', `cannot reach ${address}`)), timeoutMs)),
        close: () => assert.ok(open.delete(client), 'a client is closed once'),
      } as unknown as ManagerClient;
      open.add(client);
      addresses.push(address);
      most = Math.max(most, open.size);
      return client;
    },
  };
}

test('a link that heals long after the first tries is found by the next try, and the others are closed', async () => {
  const healedMs = 3_100;
  const link = cutLink(healedMs);
  const client = await firstConnected(['a:1', 'b:1'], (address) => link.begin(address), new AbortController().signal);
  assert.deepEqual([...link.open], [client]);
  assert.equal(link.begunSinceHealed(), 1);
  assert.ok(link.most() <= 9, `${link.most()} were open at once`);
  assert.deepEqual(link.addresses.slice(0, 4), ['a:1', 'b:1', 'a:1', 'b:1']);
});

test('the tries end with the signal, with what the last one said and nothing left open', async () => {
  const link = cutLink(Infinity);
  const tried = firstConnected(['a:1'], (address) => link.begin(address), AbortSignal.timeout(2_600));
  await assert.rejects(tried, { code: 'unavailable', message: 'cannot reach a:1' });
  assert.equal(link.open.size, 0);
});

test('the tries end by themselves, so that an agent hears what the last one said', async () => {
  const link = cutLink(Infinity);
  await assert.rejects(
    firstConnected(['a:1'], (address) => link.begin(address), new AbortController().signal),
    { message: 'cannot reach a:1' },
  );
  assert.equal(link.open.size, 0);
  assert.ok(link.addresses.length >= 10, `${link.addresses.length} tries`);
});
