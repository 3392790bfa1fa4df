import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Control } from '#control/control.ts';
import type { Node, Task } from '#domain/objects.ts';
import type { TaskState } from '#domain/task-state.ts';
import type { EngineLink, EngineRequest } from '#engine-link/connection.ts';
import { AppError } from '#lib/errors.ts';
import { aNode, createTestMembership, NOT_A_MANAGER } from '../fixtures.ts';
import { createEngineDirectory } from './engine-directory.ts';

const TASK_1 = '1'.repeat(25);
const TASK_2 = '2'.repeat(25);

function aTask(id: string, nodeId: string, containerId: string, slot: number, state: TaskState = 'running'): Task {
  return {
    kind: 'task',
    id,
    version: 1,
    createdAt: 0,
    updatedAt: 0,
    serviceId: 's',
    serviceName: 'web',
    serviceLabels: {},
    slot,
    nodeId,
    spec: { runtime: { kind: 'container', container: { image: 'a:1' } }, forceUpdate: 0 },
    status: { state, timestamp: 0, message: '', container: { containerId, pid: 1, exitCode: 0 } },
    desiredState: 'running',
    networks: [],
  };
}

interface World {
  readonly tasks?: readonly Task[];
  /** Names and ids of the containers of this node's engine. */
  readonly local?: readonly { readonly Id: string; readonly Name: string }[];
  readonly state?: Node['status']['state'];
}

function directoryOf({ tasks = [], local = [], state = 'ready' }: World) {
  const linkNamed = (name: string): EngineLink =>
    ({
      address: name,
      request({ path }: EngineRequest) {
        const ref = path.split('/')[2] ?? '';
        const named = local.filter(({ Id, Name }) => Name === `/${ref}` || Id.startsWith(ref));
        return Promise.resolve({ status: named.length === 0 ? 404 : 200, headers: {}, body: named[0] });
      },
    }) as unknown as EngineLink;
  const nodes = [aNode({ state, availability: 'active' })];
  const control = {
    tasks: { list: () => tasks },
    nodes: {
      list: () => nodes,
      get(ref: string) {
        if (ref === 'n1' || ref === 'node1') return nodes[0];
        throw new AppError('notFound', `node ${ref} not found`);
      },
    },
  } as unknown as Control;
  const membership = { ...createTestMembership(), nodeId: () => 'self', control: () => control };
  return createEngineDirectory({ membership, local: linkNamed('local'), engineOf: (id) => Promise.resolve(linkNamed(id)) });
}

async function where(world: World, path: string, headers: Record<string, string> = {}): Promise<string> {
  const { engine, path: asked } = await directoryOf(world).find(path, headers);
  return `${engine.address} ${asked}`;
}

const far = aTask(TASK_1, 'node1', 'abc1'.padEnd(64, '0'), 1);
const farContainer = `/containers/${far.status.container?.containerId}`;

test('a task’s container is found by the container’s id and its beginning, the task’s id, and its names', async () => {
  for (const ref of [far.status.container?.containerId, 'abc1', 'abc100000000', TASK_1, TASK_1.slice(0, 12), `web.1.${TASK_1}`, 'web.1'])
    assert.equal(await where({ tasks: [far] }, `/containers/${ref}/json?size=1`), `node1 ${farContainer}/json?size=1`, ref);
});

test('what is no task’s is for this node’s engine, and so is what only looks like a container', async () => {
  for (const path of ['/containers/other/json', '/containers/json', '/containers/create', '/containers/prune', '/images/json', '/containers/%zz/json'])
    assert.equal(await where({ tasks: [far] }, path), `local ${path}`);
});

test('a container of this node is meant first when it has the very name', async () => {
  assert.equal(await where({ tasks: [far], local: [{ Id: 'fff', Name: '/web.1' }] }, '/containers/web.1/json'), 'local /containers/web.1/json');
});

test('the beginning of several ids is refused in Docker’s words, whichever nodes they are on', async () => {
  const other = aTask(TASK_2, 'node1', 'abc2'.padEnd(64, '0'), 2);
  const ambiguous = { message: 'Multiple IDs found with provided prefix: abc', httpStatus: 500 };
  await assert.rejects(where({ tasks: [far, other] }, '/containers/abc/json'), ambiguous);
  await assert.rejects(where({ tasks: [far], local: [{ Id: 'abc3'.padEnd(64, '0'), Name: '/plain' }] }, '/containers/abc/json'), ambiguous);
  assert.equal(await where({ tasks: [far, other] }, '/containers/abc2/json'), `node1 /containers/${other.status.container?.containerId}/json`);
});

test('of the tasks that a slot had, the running one is meant', async () => {
  const old = { ...aTask(TASK_2, 'node1', 'abc2'.padEnd(64, '0'), 1, 'failed'), createdAt: 5 };
  assert.equal(await where({ tasks: [old, far] }, '/containers/web.1/top'), `node1 ${farContainer}/top`);
});

test('a node that is down is said at once, for its tasks and by its name', async () => {
  const down = { message: 'node n1 is not available (down)', httpStatus: 503 };
  await assert.rejects(where({ tasks: [far], state: 'down' }, '/containers/web.1/json'), down);
  await assert.rejects(where({ state: 'down' }, '/images/json', { 'x-skep-node': 'n1' }), down);
});

test('the header names a node for what engines do, and nothing else', async () => {
  assert.equal(await where({}, '/images/json', { 'x-skep-node': 'n1' }), 'node1 /images/json');
  assert.equal(await where({}, '/services', { 'x-skep-node': 'n1' }), 'local /services');
  await assert.rejects(where({}, '/images/json', { 'x-skep-node': 'nosuch' }), { message: 'node nosuch not found', httpStatus: 404 });
});

test('a node that is no manager reaches nobody else', async () => {
  const membership = createTestMembership();
  const directory = createEngineDirectory({ membership, local: { address: 'local' } as EngineLink });
  assert.equal((await directory.find('/containers/web.1/json', {})).engine.address, 'local');
  await assert.rejects(directory.find('/containers/json', { 'x-skep-node': 'n1' }), { message: NOT_A_MANAGER, httpStatus: 503 });
});
