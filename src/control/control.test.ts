import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreObject } from '#domain/objects.ts';
import type { ClusterSpec, SecretSpec } from '#domain/spec.ts';
import { createTestSwarm, NODE_ID, refusal, serviceSpec, testNetwork, testNode, testTask } from './testing/swarm.ts';

const IA = 'rpc error: code = InvalidArgument desc = ';
const OUT_OF_SEQUENCE = [500, 'rpc error: code = Unknown desc = update out of sequence'];
const BAD_NAME = `${IA}invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]`;
const base64 = (text: string) => Buffer.from(text).toString('base64');
const file = (name: string) => ({ name, uid: '0', gid: '0', mode: 0o444 });

test("secrets and configs that cannot be are refused in Docker's words", async () => {
  const { control } = await createTestSwarm();
  const secret =
    (name: string, data: string | undefined, fields: Partial<SecretSpec> = {}) =>
    () =>
      control.secrets.create({ name, labels: {}, ...(data === undefined ? {} : { data }), ...fields });
  const config = (name: string, data: string) => () => control.configs.create({ name, labels: {}, data });
  const secretSize = `${IA}secret data must be larger than 0 and less than 512000 bytes`;
  const configSize = `${IA}config data must be larger than 0 and less than 1024000 bytes`;
  const cases: readonly (readonly [() => unknown, number, string])[] = [
    [secret('', 'eA=='), 400, `${IA}name must be provided`],
    [secret('a'.repeat(65), 'eA=='), 400, BAD_NAME],
    [secret('x.', 'eA=='), 400, BAD_NAME],
    [secret('bad name', 'eA=='), 400, BAD_NAME],
    [secret('nodata', undefined), 400, secretSize],
    [secret('big', base64('x'.repeat(512_000))), 400, secretSize],
    [secret('badb64', '!!'), 400, 'illegal base64 data at input byte 0'],
    [secret('badb64', 'eA='), 400, 'illegal base64 data at input byte 2'],
    [secret('drv', undefined, { driver: { name: '' } }), 400, `${IA}secret driver must have a name`],
    [secret('drv', undefined, { driver: { name: 'nodrv' } }), 500, 'rpc error: code = Unknown desc = plugin "nodrv" not found'],
    [config('_x', 'eA=='), 400, BAD_NAME],
    [config('nodata', ''), 400, configSize],
    [config('big', base64('x'.repeat(1_024_000))), 400, configSize],
  ];
  for (const [work, status, message] of cases) assert.deepEqual(await refusal(work), [status, message]);
  await secret('most', base64('x'.repeat(511_999)))();
  await config('most', base64('x'.repeat(1_023_999)))();
  await secret('a.b_c-d', 'eA==')();
  assert.deepEqual(await refusal(secret('A.B_c-d', 'eA==')), [409, 'rpc error: code = AlreadyExists desc = secret A.B_c-d already exists']);
});

test('a secret is sealed in the store, never shown, and only its labels change', async () => {
  const { control, store } = await createTestSwarm();
  const id = await control.secrets.create({ name: 'pw', labels: {}, data: base64('hunter2') });
  const stored = store.view.get('secret', id);
  assert.ok(stored?.spec.data?.startsWith('skep1:'));
  assert.ok(!JSON.stringify(stored).includes(base64('hunter2')));
  assert.equal(control.secrets.get('pw').spec.data, undefined);
  assert.deepEqual(
    control.secrets.list({}).map(({ spec }) => spec.data),
    [undefined],
  );
  const update = (version: number, spec: Partial<SecretSpec>) => () => control.secrets.update('pw', version, { name: 'pw', labels: {}, ...spec });
  const version = control.secrets.get('pw').version;
  const labelsOnly = [400, `${IA}only updates to Labels are allowed`];
  assert.deepEqual(await refusal(update(version, { data: base64('other') })), labelsOnly);
  assert.deepEqual(await refusal(update(version, { name: 'new' })), labelsOnly);
  await update(version, { labels: { a: '1' }, data: base64('hunter2') })();
  assert.deepEqual(control.secrets.get('pw').spec.labels, { a: '1' });
  assert.deepEqual(await refusal(update(version, {})), OUT_OF_SEQUENCE);
  assert.equal(store.view.get('secret', id)?.spec.data, stored?.spec.data);
  assert.deepEqual(await refusal(() => control.secrets.get('nosuch')), [404, 'secret nosuch not found']);
});

test('what a service uses is not removed', async () => {
  const { control } = await createTestSwarm();
  const secretId = await control.secrets.create({ name: 's1', labels: {}, data: 'eA==' });
  const configId = await control.configs.create({ name: 'c1', labels: {}, data: 'eA==' });
  const container = {
    image: 'tiny:1',
    secrets: [{ secretId, secretName: 's1', file: file('s') }],
    configs: [{ configId, configName: 'c1', target: { kind: 'file', file: file('c') } }],
  } as const;
  for (const name of ['u', 'v']) await control.services.create(serviceSpec(name, { task: { runtime: { kind: 'container', container }, forceUpdate: 0 } }));
  const [status, message] = await refusal(() => control.secrets.remove('s1'));
  assert.equal(status, 400);
  assert.match(message, /^rpc error: code = InvalidArgument desc = secret 's1' is in use by the following services: (u, v|v, u)$/);
  await control.services.remove('v');
  assert.deepEqual(await refusal(() => control.configs.remove('c1')), [400, `${IA}config 'c1' is in use by the following service: u`]);
  await control.services.remove('u');
  await control.secrets.remove('s1');
  await control.configs.remove('c1');
  assert.deepEqual(await refusal(() => control.configs.remove('c1')), [404, 'config c1 not found']);
});

test('a secret cannot vanish while a service that uses it is being created', async () => {
  const { control, store } = await createTestSwarm();
  for (let round = 0; round < 20; round++) {
    const name = `s${round}`;
    const secretId = await control.secrets.create({ name, labels: {}, data: 'eA==' });
    const container = { image: 'tiny:1', secrets: [{ secretId, secretName: name, file: file('s') }] };
    const create = () => control.services.create(serviceSpec(name, { task: { runtime: { kind: 'container', container }, forceUpdate: 0 } }));
    const remove = () => control.secrets.remove(name);
    const [first, second] = round % 2 === 0 ? [create, remove] : [remove, create];
    const results = await Promise.allSettled([first(), second()]);
    assert.equal(results.filter((result) => result.status === 'fulfilled').length, 1);
    assert.equal(store.view.findByName('service', name) !== undefined, store.view.findByName('secret', name) !== undefined);
  }
});

test('secrets are listed by any of their names and all of their labels', async () => {
  const { control } = await createTestSwarm();
  for (const name of ['alpha', 'alphabet', 'beta']) await control.secrets.create({ name, labels: { kind: name, all: '' }, data: 'eA==' });
  const names = (filters: Record<string, readonly string[]>) =>
    control.secrets
      .list(filters)
      .map(({ spec }) => spec.name)
      .sort();
  assert.deepEqual(names({}), ['alpha', 'alphabet', 'beta']);
  assert.deepEqual(names({ name: ['alpha'] }), ['alpha', 'alphabet']);
  assert.deepEqual(names({ names: ['alpha', 'beta'] }), ['alpha', 'beta']);
  assert.deepEqual(names({ name: ['alpha'], id: [control.secrets.get('beta').id] }), ['alpha', 'alphabet', 'beta']);
  assert.deepEqual(names({ label: ['kind=beta', 'all'] }), ['beta']);
  assert.deepEqual(names({ label: ['constructor'] }), []);
});

test("networks that cannot be are refused in Docker's words", async () => {
  const { control } = await createTestSwarm();
  const create =
    (name: string, fields: object = {}) =>
    () =>
      control.networks.create(testNetwork('', name, fields).spec);
  const pool = (configs: object) => ({ ipam: { configs: [configs] } });
  await create('dup')();
  const cases: readonly (readonly [() => unknown, number, string])[] = [
    [create('bad name'), 400, `${IA}name must be valid as a DNS name component`],
    [create('DUP'), 409, 'network with name DUP already exists'],
    [create('host'), 409, 'network with name host already exists'],
    [create('ingress'), 409, 'network with name ingress already exists'],
    [create('ing2', { ingress: true }), 409, 'rpc error: code = AlreadyExists desc = ingress network (ing) is already present'],
    [create('ing2', { ingress: true, attachable: true }), 400, `${IA}ingress network cannot be attachable`],
    [create('o4', pool({ subnet: 'bad' })), 400, 'Invalid subnet bad : invalid CIDR address: bad'],
    [
      create('ipb', pool({ subnet: '10.57.0.0/24', gateway: '10.58.0.1' })),
      400,
      `${IA}ipam configuration: subnet 10.57.0.0/24 does not contain gateway 10.58.0.1`,
    ],
    [
      create('ipr', pool({ subnet: '10.57.0.0/24', range: '10.58.0.0/25' })),
      400,
      `${IA}ipam configuration: subnet 10.57.0.0/24 does not contain range 10.58.0.0/25`,
    ],
    [create('ox', { driver: { name: 'nosuch' } }), 404, 'plugin "nosuch" not found'],
    [
      create('pre', { labels: { 'com.docker.swarm.predefined': 'true' } }),
      403,
      'rpc error: code = PermissionDenied desc = label com.docker.swarm.predefined is for internally created predefined networks and cannot be applied by users',
    ],
  ];
  for (const [work, status, message] of cases) assert.deepEqual(await refusal(work), [status, message]);
});

test('a network is not removed while a service or a live task is on it', async () => {
  const attachments = [{ networkId: 'net1', addresses: ['10.0.1.2/24'], aliases: [] }];
  const objects = [testNetwork('net1', 'o1'), testTask('gone', { serviceId: 'removed', networks: attachments })];
  const { control, store } = await createTestSwarm(objects);
  const { id } = await control.services.create(serviceSpec('web', { task: { ...serviceSpec('web').task, networks: [{ target: 'o1' }] } }));
  assert.deepEqual(await refusal(() => control.networks.remove('o1')), [
    400,
    `rpc error: code = FailedPrecondition desc = network net1 is in use by service ${id}`,
  ]);
  await control.services.remove('web');
  const plain = testTask('plain', {
    spec: { runtime: { kind: 'attachment', containerId: 'c' }, forceUpdate: 0 },
    networks: [{ ...attachments[0], networkId: 'net1', addresses: ['10.0.1.3/24'], aliases: [] }],
  });
  await store.commit('control', [{ action: 'create', object: plain }]);
  assert.deepEqual(await refusal(() => control.networks.remove('o1')), [
    400,
    'rpc error: code = FailedPrecondition desc = network net1 is in use by task plain',
  ]);
  await control.networks.detach('plain');
  await control.networks.remove('o1');
  assert.equal(control.networks.find('o1'), undefined);
  assert.deepEqual(await refusal(() => control.networks.remove('o1')), [404, 'network o1 not found']);
});

test('the ingress network stays while a service publishes through it', async () => {
  const { control } = await createTestSwarm();
  const { id } = await control.services.create(serviceSpec('web', { endpoint: { ports: [{ protocol: 'tcp', targetPort: 80, publishMode: 'ingress' }] } }));
  const message = `rpc error: code = FailedPrecondition desc = ingress network cannot be removed because service ${id} depends on it`;
  assert.deepEqual(await refusal(() => control.networks.remove('ingress')), [400, message]);
  await control.services.remove('web');
  await control.networks.remove('ingress');
});

test('a plain container gets its addresses through an attachment task of its node', async () => {
  const { control, store, clock } = await createTestSwarm([testNetwork('net1', 'att', { attachable: true }), testNetwork('net2', 'closed')]);
  assert.deepEqual(await refusal(() => control.networks.attach('closed', 'c1', [])), [
    403,
    'rpc error: code = PermissionDenied desc = network closed not manually attachable',
  ]);
  assert.deepEqual(await refusal(() => control.networks.attach('none', 'c1', [])), [404, 'rpc error: code = NotFound desc = network none not found']);
  const attached = control.networks.attach('att', 'c1', ['10.0.1.9']);
  await clock.settle();
  const [task] = store.view.list('task');
  assert.equal(task?.nodeId, NODE_ID);
  assert.deepEqual(task?.networks, [{ networkId: 'net1', addresses: ['10.0.1.9'], aliases: [] }]);
  const pending = { ...(task ?? assert.fail()), status: { state: 'pending', timestamp: 2, message: 'pending task scheduling' } } as const;
  await store.commit('allocator', [{ action: 'update', object: { ...pending, networks: [{ networkId: 'net1', addresses: ['10.0.1.9/24'], aliases: [] }] } }]);
  assert.deepEqual((await attached).networks[0]?.addresses, ['10.0.1.9/24']);
  await control.networks.detach(task.id);
  await control.networks.detach(task.id);
  await control.networks.detach('never-there');
  assert.equal(store.view.get('task', task.id)?.desiredState, 'remove');
});

test('an attachment that gets no address is taken back', async () => {
  const { control, store, clock } = await createTestSwarm([testNetwork('net1', 'att', { attachable: true })]);
  const late = refusal(() => control.networks.attach('att', 'c1', []));
  await clock.settle();
  await clock.advance(31_000);
  assert.deepEqual(await late, [500, 'rpc error: code = DeadlineExceeded desc = context deadline exceeded']);
  const full = refusal(() => control.networks.attach('att', 'c2', []));
  await clock.settle();
  const task = [...store.view.list('task')].find(({ desiredState }) => desiredState === 'running') ?? assert.fail();
  await store.commit('allocator', [{ action: 'update', object: { ...task, status: { ...task.status, error: 'no available IPv4 addresses' } } }]);
  assert.deepEqual(await full, [400, 'rpc error: code = FailedPrecondition desc = no available IPv4 addresses']);
  await clock.settle();
  assert.deepEqual(
    [...store.view.list('task')].map(({ desiredState }) => desiredState),
    ['remove', 'remove'],
  );
});

test('nodes are found, changed and removed by the rules of managers', async () => {
  const worker = testNode('w2', { role: 'worker', spec: { labels: { rack: '1' }, role: 'worker', availability: 'active' } });
  const { manager: _none, ...plainWorker } = worker;
  const { control, store } = await createTestSwarm([plainWorker, testTask('t1', { nodeId: 'w2' })]);
  assert.equal(control.nodes.get('host-w2').id, 'w2');
  assert.deepEqual(await refusal(() => control.nodes.get('nosuch')), [404, 'node nosuch not found']);
  const ids = (filters: Record<string, readonly string[]>) => control.nodes.list(filters).map(({ id }) => id);
  assert.deepEqual(ids({ role: ['manager'] }), ['n1']);
  assert.deepEqual(ids({ 'node.label': ['rack=1'] }), ['w2']);
  assert.deepEqual(ids({ label: ['storage'] }), ['n1', 'w2']);
  assert.deepEqual(ids({ name: ['host-w'], membership: ['accepted'] }), ['w2']);
  assert.deepEqual(ids({ membership: ['pending'] }), []);
  assert.deepEqual(await refusal(() => ids({ role: ['bogus'] })), [500, "Invalid role filter: 'bogus'"]);
  const manager = control.nodes.get('n1');
  const demotion = () => control.nodes.update('n1', manager.version, { ...manager.spec, role: 'worker' });
  assert.deepEqual(await refusal(demotion), [400, 'rpc error: code = FailedPrecondition desc = attempting to demote the last manager of the swarm']);
  await control.nodes.update('n1', manager.version, { ...manager.spec, availability: 'drain' });
  assert.deepEqual(await refusal(() => control.nodes.update('n1', manager.version, manager.spec)), OUT_OF_SEQUENCE);
  assert.deepEqual(await refusal(() => control.nodes.remove('n1', true)), [
    400,
    'rpc error: code = FailedPrecondition desc = node n1 is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal',
  ]);
  assert.deepEqual(await refusal(() => control.nodes.remove('w2', false)), [
    400,
    "rpc error: code = FailedPrecondition desc = node w2 is not down and can't be removed",
  ]);
  await control.nodes.remove('w2', true);
  assert.equal(store.view.get('task', 't1')?.status.state, 'orphaned');
});

test('tasks are listed by service, node, label and state, and stale ones are told apart', async () => {
  const { control, store } = await createTestSwarm();
  const { id } = await control.services.create(serviceSpec('web', { labels: { tier: 'front' } }));
  const fresh = { serviceId: id, specVersion: 0, serviceLabels: { tier: 'front' }, nodeId: 'n1', slot: 1 };
  const stale = testTask('t2', {
    ...fresh,
    specVersion: 99,
    spec: { runtime: { kind: 'container', container: { image: 'old' } }, forceUpdate: 0 },
    desiredState: 'shutdown',
  });
  const tasks = [testTask('t1', fresh), stale, testTask('t3', { serviceId: 'gone' })];
  const attachment = testTask('t4', { spec: { runtime: { kind: 'attachment', containerId: 'c' }, forceUpdate: 0 } });
  await store.commit(
    'orchestrator',
    tasks.map((object) => ({ action: 'create', object })),
  );
  await store.commit('control', [{ action: 'create', object: attachment }]);
  const ids = (filters: Record<string, readonly string[]>) => control.tasks.list(filters).map((task) => task.id);
  assert.deepEqual(ids({}), ['t1', 't2', 't3']);
  assert.deepEqual(ids({ runtime: ['attachment'] }), ['t4']);
  assert.deepEqual(ids({ service: ['web'] }), ['t1', 't2']);
  assert.deepEqual(ids({ node: ['host-n1'], 'desired-state': ['running'] }), ['t1']);
  assert.deepEqual(ids({ label: ['tier=front'], name: ['web.1.t2'] }), ['t2']);
  assert.deepEqual(ids({ '_up-to-date': ['true'] }), ['t1']);
  assert.deepEqual(ids({ id: ['t'] }), ['t1', 't2', 't3']);
  assert.deepEqual(await refusal(() => ids({ 'desired-state': ['bogus'] })), [500, "Invalid desired-state filter: 'bogus'"]);
  assert.deepEqual(await refusal(() => ids({ service: ['bogus'] })), [404, 'service bogus not found']);
  assert.deepEqual(await refusal(() => ids({ node: ['bogus'] })), [404, 'node bogus not found']);
  assert.deepEqual(await refusal(() => control.tasks.get('nosuch')), [404, 'task nosuch not found']);
});

test('the swarm gives tokens, rotates them, and locks itself', async () => {
  const { control } = await createTestSwarm();
  const none = { workerToken: false, managerToken: false, unlockKey: false };
  const update = (fields: Partial<ClusterSpec> & { signingCaKey?: string }, rotate = none) => {
    const { version, spec } = control.swarm.get();
    return control.swarm.update(version, { ...spec, ...fields }, rotate);
  };
  const before = control.swarm.joinTokens();
  assert.match(before.worker, /^SWMTKN-1-[0-9a-z]{50}-w{25}$/);
  await update({}, { ...none, workerToken: true });
  const after = control.swarm.joinTokens();
  assert.notEqual(after.worker, before.worker);
  assert.match(after.worker, /^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
  assert.equal(after.manager, before.manager);
  assert.equal(control.swarm.unlockKey(), '');
  await update({ encryption: { autoLockManagers: true } });
  const key = control.swarm.unlockKey();
  assert.match(key, /^SWMKEY-1-[A-Za-z0-9+/]{43}$/);
  await update({ labels: { a: 'b' } });
  assert.equal(control.swarm.unlockKey(), key);
  await update({}, { ...none, unlockKey: true });
  assert.notEqual(control.swarm.unlockKey(), key);
  await update({ encryption: { autoLockManagers: false } });
  assert.equal(control.swarm.unlockKey(), '');
  const refusals: readonly (readonly [() => Promise<void>, number, string])[] = [
    [() => update({ ca: { nodeCertExpiryNs: 1e9 } }), 400, `${IA}minimum certificate expiry time is: 1h0m0s`],
    [() => update({ dispatcher: { heartbeatPeriodNs: -1 } }), 400, `${IA}heartbeat time period cannot be a negative duration`],
    [() => update({ name: 'other' }), 400, 'swarm spec must be named "default"'],
    [() => update({ signingCaKey: 'x' }), 400, `${IA}if a signing CA key is provided, the signing CA cert must also be provided`],
    [() => update({ ca: { signingCaCert: 'x' } }), 400, `${IA}could not parse the desired CA certificate`],
    [() => control.swarm.update(1_000, control.swarm.get().spec, none), 500, 'rpc error: code = Unknown desc = update out of sequence'],
  ];
  for (const [work, status, message] of refusals) assert.deepEqual(await refusal(work), [status, message]);
});

test('a thousand services are created soon', { timeout: 60_000 }, async () => {
  const { control } = await createTestSwarm([testNetwork('net1', 'o1')]);
  const spec = (index: number) =>
    serviceSpec(`service-${index}`, {
      endpoint: { ports: [{ protocol: 'tcp', targetPort: 80, publishedPort: 10_000 + index, publishMode: 'ingress' }] },
      task: {
        ...serviceSpec('x').task,
        networks: [{ target: 'o1' }],
        placement: { constraints: ['node.role==worker'] },
        runtime: { kind: 'container', container: { image: 'registry.example:5000/team/app:1.2', env: ['A={{.Service.Name}}'] } },
      },
    });
  await Promise.all(Array.from({ length: 1_000 }, (_, index) => control.services.create(spec(index))));
  assert.equal(control.services.list({}).length, 1_000);
});

test('stored objects come in order of id', async () => {
  const meta = { version: 0, createdAt: 1, updatedAt: 1 };
  const objects = ['b', 'c', 'a'].map((id): StoreObject => ({ ...meta, kind: 'config', id, spec: { name: id, labels: {}, data: 'eA==' } }));
  const { control } = await createTestSwarm(objects);
  assert.deepEqual(
    control.configs.list({}).map(({ id }) => id),
    ['a', 'b', 'c'],
  );
});
