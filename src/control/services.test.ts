import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Config, Secret, StoreObject } from '#domain/objects.ts';
import type { ContainerSpec, ServiceSpec, TaskSpec } from '#domain/spec.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import { createTestSwarm, refusal, serviceSpec, testNetwork, testTask } from './testing/swarm.ts';

const IA = 'rpc error: code = InvalidArgument desc = ';
const meta = { version: 0, createdAt: 1, updatedAt: 1 };
const secret: Secret = { ...meta, kind: 'secret', id: 's1', spec: { name: 'pw', labels: {}, data: 'sealed' } };
const config: Config = { ...meta, kind: 'config', id: 'c1', spec: { name: 'cf', labels: {}, data: 'eA==' } };
const file = (name: string) => ({ name, uid: '0', gid: '0', mode: 0o444 });

function withTask(fields: Partial<TaskSpec>): ServiceSpec {
  const base = serviceSpec('svc');
  return { ...base, task: { ...base.task, ...fields } };
}

function withContainer(fields: Partial<ContainerSpec>): ServiceSpec {
  return withTask({ runtime: { kind: 'container', container: { image: 'tiny:1', ...fields } } });
}

test("a spec that cannot be is refused in Docker's words", async () => {
  const { control, store } = await createTestSwarm([secret, config, testNetwork('net1', 'o1')]);
  const cases: readonly (readonly [ServiceSpec, number, string])[] = [
    [serviceSpec('bad name'), 400, `${IA}name must be valid as a DNS name component`],
    [serviceSpec('-x'), 400, `${IA}name must be valid as a DNS name component`],
    [serviceSpec('a_b-c.d'), 400, `${IA}name must be valid as a DNS name component`],
    [serviceSpec('a'.repeat(64)), 400, `${IA}name must be 63 characters or fewer`],
    [withContainer({ image: '' }), 400, `${IA}ContainerSpec: image reference must be provided`],
    [withContainer({ image: 'UPPER/x:y:z' }), 400, `${IA}ContainerSpec: "UPPER/x:y:z" is not a valid repository/tag`],
    [withTask({ resources: { limits: { nanoCpus: 1000 } } }), 400, `${IA}invalid cpu value 1e-06: Must be at least 0.001`],
    [withTask({ resources: { limits: { nanoCpus: 100_000 } } }), 400, `${IA}invalid cpu value 0.0001: Must be at least 0.001`],
    [withTask({ resources: { reservations: { nanoCpus: -5 } } }), 400, `${IA}invalid cpu value -5e-09: Must be at least 0.001`],
    [withTask({ resources: { limits: { memoryBytes: 1000 } } }), 400, `${IA}invalid memory value 1000: Must be at least 4MiB`],
    [withTask({ restart: { delayNs: -1 } }), 400, `${IA}TaskSpec: restart-delay cannot be negative`],
    [withTask({ restart: { windowNs: -1 } }), 400, `${IA}TaskSpec: restart-window cannot be negative`],
    [withTask({ placement: { constraints: ['foo'] } }), 500, 'rpc error: code = Unknown desc = constraint expected one operator from ==, !='],
    [withTask({ placement: { constraints: ['node.role=='] } }), 500, "rpc error: code = Unknown desc = value '' is invalid"],
    [{ ...serviceSpec('svc'), update: { parallelism: 1, delayNs: -1 } }, 400, `${IA}TaskSpec: update-delay cannot be negative`],
    [{ ...serviceSpec('svc'), update: { parallelism: 1, monitorNs: -1 } }, 400, `${IA}TaskSpec: update-monitor cannot be negative`],
    [
      { ...serviceSpec('svc'), rollback: { parallelism: 1, maxFailureRatio: 2 } },
      400,
      `${IA}TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1`,
    ],
    [serviceSpec('svc', { mode: { kind: 'replicated', replicas: 2 ** 64 } }), 400, `${IA}Number of replicas must be non-negative`],
    [serviceSpec('svc', { mode: { kind: 'global-job' }, update: { parallelism: 1 } }), 400, `${IA}Jobs may not have an update config`],
    [
      serviceSpec('svc', { endpoint: { mode: 'dnsrr', ports: [{ protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'ingress' }] } }),
      400,
      `${IA}EndpointSpec: port published with ingress mode can't be used with dnsrr mode`,
    ],
    [
      serviceSpec('svc', { endpoint: { ports: [80, 81].map((targetPort) => ({ protocol: 'tcp', targetPort, publishedPort: 8080, publishMode: 'ingress' })) } }),
      400,
      `${IA}EndpointSpec: duplicate published ports provided`,
    ],
    [withTask({ networks: [{ target: 'nosuchnet' }] }), 500, 'network nosuchnet not found'],
    [withTask({ networks: [{ target: '' }] }), 400, 'network  is ambiguous (2 matches found)'],
    [withTask({ networks: [{ target: 'none' }] }), 404, 'could not find the corresponding predefined swarm network: network none not found'],
    [withTask({ networks: [{ target: 'ingress' }] }), 400, `${IA}Service cannot be explicitly attached to the ingress network "ingress"`],
    [withContainer({ mounts: ['a', 'b'].map((source) => ({ type: 'volume', source, target: '/a' })) }), 400, `${IA}ContainerSpec: duplicate mount point: /a`],
    [withContainer({ healthcheck: { intervalNs: 10 } }), 400, `${IA}ContainerSpec: Interval in HealthConfig cannot be less than 1ms`],
    [withContainer({ healthcheck: { startPeriodNs: 10 } }), 400, `${IA}ContainerSpec: StartPeriod in HealthConfig cannot be less than 1ms`],
    [withContainer({ healthcheck: { retries: -1 } }), 400, `${IA}ContainerSpec: Retries in HealthConfig cannot be negative`],
    [withContainer({ env: ['A={{.Bad'] }), 400, `${IA}expanding env failed: expanding env "A={{.Bad": template: expansion:1: unclosed action`],
    [withContainer({ secrets: [{ secretId: 'x', secretName: 'y', file: file('f') }] }), 400, `${IA}secret not found: y`],
    [withContainer({ secrets: [{ secretId: '', secretName: 'y', file: file('f') }] }), 400, `${IA}malformed secret reference`],
    [
      withContainer({ secrets: [{ secretId: 'x', secretName: 'y', file: file('') }] }),
      400,
      `${IA}malformed file secret reference, invalid target file name provided`,
    ],
    [
      withContainer({ secrets: ['y', 'y2'].map((secretName) => ({ secretId: secretName, secretName, file: file('f') })) }),
      400,
      `${IA}secret references 'y' and 'y2' have a conflicting target: 'f'`,
    ],
    [
      withContainer({ secrets: ['y', 'y2'].map((secretName) => ({ secretId: secretName, secretName, file: file(secretName) })) }),
      400,
      `${IA}secrets not found: y, y2`,
    ],
    [withContainer({ secrets: [{ secretId: 's1', secretName: 'other', file: file('f') }] }), 400, `${IA}secret not found: other`],
    [withContainer({ configs: [{ configId: 'x', configName: 'y', target: { kind: 'file', file: file('f') } }] }), 400, `${IA}config not found: y`],
    [
      withContainer({ privileges: { credentialSpec: { config: 'zz', file: '', registry: '' } } }),
      400,
      `${IA}CredentialSpec references config 'zz', but that config isn't in config references with RuntimeTarget`,
    ],
  ];
  for (const [spec, status, message] of cases) assert.deepEqual(await refusal(() => control.services.create(spec)), [status, message]);
  assert.equal(store.view.count('service'), 0);
});

test('a new service is stored as asked for, with ids for networks', async () => {
  const { control, store } = await createTestSwarm([testNetwork('net1', 'o1'), secret, config]);
  const { id } = await control.services.create(
    withTask({
      networks: [{ target: 'O1', aliases: ['db'] }, { target: 'host' }],
      runtime: {
        kind: 'container',
        container: {
          image: 'tiny:1',
          secrets: [{ secretId: 's1', secretName: 'pw', file: file('f') }],
          configs: [{ configId: 'c1', configName: 'cf', target: { kind: 'runtime' } }],
        },
      },
    }),
  );
  const service = control.services.get('svc');
  const host = store.view.findByName('network', 'host');
  assert.equal(service.id, id);
  assert.equal(service.specVersion, 0);
  assert.deepEqual(service.spec.task.networks, [{ target: 'net1', aliases: ['db'] }, { target: host?.id }]);
  assert.deepEqual(
    control.networks.list().map(({ spec }) => spec.name),
    ['ingress', 'o1'],
  );
  await control.services.create({ ...withTask({ networks: [{ target: 'host' }] }), name: 'second' });
  assert.deepEqual(control.services.get('second').spec.task.networks, [{ target: host?.id }]);
});

test('a name is given once, whatever its case', async () => {
  const { control } = await createTestSwarm();
  await control.services.create(serviceSpec('ok_name-1'));
  const conflict = (name: string) => `rpc error: code = AlreadyExists desc = name conflicts with an existing object: service ${name} already exists`;
  for (const name of ['ok_name-1', 'OK_NAME-1']) assert.deepEqual(await refusal(() => control.services.create(serviceSpec(name))), [409, conflict(name)]);
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => control.services.create(serviceSpec('same'))));
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('a published port belongs to one service', async () => {
  const { control } = await createTestSwarm();
  const publishing = (name: string, publishedPort: number, publishMode: 'ingress' | 'host', protocol: 'tcp' | 'udp' = 'tcp') =>
    serviceSpec(name, { endpoint: { ports: [{ protocol, targetPort: 80, publishedPort, publishMode }] } });
  const { id: first } = await control.services.create(publishing('port1', 8080, 'ingress'));
  const taken = `${IA}port '8080' is already in use by service 'port1' (${first}) as an ingress port`;
  assert.deepEqual(await refusal(() => control.services.create(publishing('port2', 8080, 'ingress'))), [400, taken]);
  assert.deepEqual(await refusal(() => control.services.create(publishing('port2', 8080, 'host'))), [400, taken]);
  const { id: host } = await control.services.create(publishing('porth', 8081, 'host'));
  assert.deepEqual(await refusal(() => control.services.create(publishing('port3', 8081, 'ingress'))), [
    400,
    `${IA}port '8081' is already in use by service 'porth' (${host}) as a host-published port`,
  ]);
  await control.services.create(publishing('porth2', 8081, 'host'));
  await control.services.create(publishing('portudp', 8080, 'ingress', 'udp'));
  const raced = await Promise.allSettled(Array.from({ length: 10 }, (_, index) => control.services.create(publishing(`race${index}`, 9000, 'ingress'))));
  assert.equal(raced.filter(({ status }) => status === 'fulfilled').length, 1);
  await control.services.remove('port1');
  await control.services.create(publishing('port2', 8080, 'ingress'));
});

test('publishing through the ingress needs an ingress network', async () => {
  const { control } = await createTestSwarm();
  await control.networks.remove('ingress');
  const spec = serviceSpec('web', { endpoint: { ports: [{ protocol: 'tcp', targetPort: 80, publishMode: 'ingress' }] } });
  const message = 'rpc error: code = FailedPrecondition desc = service needs ingress network, but no ingress network is present';
  assert.deepEqual(await refusal(() => control.services.create(spec)), [400, message]);
});

test('an update keeps the spec before it and needs the version that the user saw', async () => {
  const { control, store } = await createTestSwarm();
  await control.services.create(serviceSpec('web'));
  const created = control.services.get('web');
  const options = { registryAuthFrom: 'spec', rollback: false } as const;
  const next = serviceSpec('web', { mode: { kind: 'replicated', replicas: 3 } });
  for (const version of [created.version - 1, created.version + 1]) {
    assert.deepEqual(await refusal(() => control.services.update('web', version, next, options)), [
      500,
      'rpc error: code = Unknown desc = update out of sequence',
    ]);
  }
  await control.services.update('web', created.version, next, options);
  const updated = store.view.get('service', created.id) ?? assert.fail();
  assert.deepEqual(updated.spec, next);
  assert.deepEqual(updated.previousSpec, created.spec);
  assert.deepEqual([updated.specVersion, updated.previousSpecVersion], [created.version, 0]);
  assert.equal(updated.updateStatus, undefined);
  const refusals: readonly (readonly [ServiceSpec, number, string])[] = [
    [serviceSpec('other'), 501, 'rpc error: code = Unimplemented desc = renaming services is not supported'],
    [serviceSpec('web', { mode: { kind: 'global' } }), 501, 'rpc error: code = Unimplemented desc = service mode change is not allowed'],
  ];
  for (const [spec, status, message] of refusals)
    assert.deepEqual(await refusal(() => control.services.update('web', updated.version, spec, options)), [status, message]);
  assert.deepEqual(await refusal(() => control.services.update('nosuch', 1, next, options)), [404, 'service nosuch not found']);
});

test('a rollback goes to the spec before, and twice to the newer one', async () => {
  const { control } = await createTestSwarm();
  const { id } = await control.services.create(serviceSpec('web'));
  const update = (replicas: number, rollback: boolean) =>
    control.services.update(id, control.services.get(id).version, serviceSpec('web', { mode: { kind: 'replicated', replicas } }), {
      registryAuthFrom: 'spec',
      rollback,
    });
  assert.deepEqual(await refusal(() => update(1, true)), [400, `rpc error: code = FailedPrecondition desc = service ${id} does not have a previous spec`]);
  await update(3, false);
  const newer = control.services.get(id);
  await update(7, true);
  const back = control.services.get(id);
  assert.deepEqual(back.spec.mode, { kind: 'replicated', replicas: 1 });
  assert.equal(back.specVersion, 0);
  assert.equal(back.updateStatus?.state, 'rollback_started');
  assert.equal(back.updateStatus?.message, 'manually requested rollback');
  await update(7, true);
  const again = control.services.get(id);
  assert.deepEqual([again.spec, again.specVersion], [newer.spec, newer.specVersion]);
});

test('a rollback to a secret that is gone is refused', async () => {
  const { control } = await createTestSwarm([secret]);
  const { id } = await control.services.create(withContainer({ secrets: [{ secretId: 's1', secretName: 'pw', file: file('f') }] }));
  const version = () => control.services.get(id).version;
  await control.services.update(id, version(), withContainer({}), { registryAuthFrom: 'spec', rollback: false });
  await control.secrets.remove('pw');
  const rollback = () => control.services.update(id, version(), withContainer({}), { registryAuthFrom: 'spec', rollback: true });
  assert.deepEqual(await refusal(rollback), [400, `${IA}secret not found: pw`]);
});

test('every update of a job runs it again', async () => {
  const { control } = await createTestSwarm();
  const spec = serviceSpec('job', { mode: { kind: 'replicated-job', maxConcurrent: 1, totalCompletions: 2 } });
  const { id } = await control.services.create(spec);
  assert.equal(control.services.get(id).job?.iteration, 0);
  await control.services.update(id, control.services.get(id).version, { ...spec, labels: { a: 'b' } }, { registryAuthFrom: 'spec', rollback: false });
  assert.equal(control.services.get(id).job?.iteration, 1);
});

test('registry credentials are sealed, kept by updates, and never shown', async () => {
  const { control, store, sealer } = await createTestSwarm();
  const authOf = (id: string, which: 'spec' | 'previousSpec' = 'spec') => {
    const runtime = store.view.get('service', id)?.[which]?.task.runtime;
    const sealed = runtime?.kind === 'container' ? runtime.container.registryAuth : undefined;
    return sealed === undefined ? undefined : Buffer.from(sealer.open(sealed, sealContexts.registryAuth)).toString();
  };
  const { id } = await control.services.create(withContainer({ registryAuth: 'first-secret' }));
  const version = () => control.services.get(id).version;
  assert.equal(authOf(id), 'first-secret');
  assert.ok(!JSON.stringify([...store.view.list('service')]).includes('first-secret'));
  assert.ok(!JSON.stringify(control.services.get(id)).includes('registryAuth'));
  assert.equal(control.services.get(id), control.services.get(id), 'the same stored object gives the same visible one');
  const missing = control.services.update(id, version(), withContainer({}), { registryAuthFrom: 'previous-spec', rollback: false });
  assert.deepEqual(await refusal(() => missing), [500, 'service does not have a previous spec']);
  await control.services.update(id, version(), withContainer({ registryAuth: 'second-secret' }), { registryAuthFrom: 'spec', rollback: false });
  await control.services.update(id, version(), withContainer({ env: ['A=1'] }), { registryAuthFrom: 'spec', rollback: false });
  assert.equal(authOf(id), 'second-secret');
  await control.services.update(id, version(), withContainer({ env: ['A=2'] }), { registryAuthFrom: 'previous-spec', rollback: false });
  assert.equal(authOf(id), 'second-secret');
  assert.ok(!JSON.stringify(control.services.get(id)).includes('registryAuth'));
});

test('services are found by id, name, and the beginning of an id', async () => {
  const objects = ['aa1', 'aa2', 'ab1'].map((id): StoreObject => ({ ...meta, kind: 'service', id, spec: serviceSpec(`name-${id}`), specVersion: 0 }));
  const { control } = await createTestSwarm(objects);
  assert.equal(control.services.get('aa1').id, 'aa1');
  assert.equal(control.services.get('NAME-aa2').id, 'aa2');
  assert.equal(control.services.get('ab').id, 'ab1');
  assert.deepEqual(await refusal(() => control.services.get('aa')), [400, 'service aa is ambiguous (2 matches found)']);
  assert.deepEqual(await refusal(() => control.services.get('x')), [404, 'service x not found']);
  const ids = (filters: Record<string, readonly string[]>) => control.services.list(filters).map(({ id }) => id);
  assert.deepEqual(ids({}), ['aa1', 'aa2', 'ab1']);
  assert.deepEqual(ids({ id: ['aa'], name: ['name-aa2', 'name-ab'] }), ['aa2']);
  assert.deepEqual(ids({ mode: ['global'] }), []);
});

test('the status of a service counts what runs, and of jobs only the present iteration', async () => {
  const { control, store } = await createTestSwarm();
  const { id } = await control.services.create(serviceSpec('web', { mode: { kind: 'replicated', replicas: 5 } }));
  const { id: job } = await control.services.create(serviceSpec('job', { mode: { kind: 'replicated-job', maxConcurrent: 2, totalCompletions: 9 } }));
  const { id: everywhere } = await control.services.create(serviceSpec('glob', { mode: { kind: 'global' } }));
  const tasks = [
    testTask('t1', { serviceId: id }),
    testTask('t2', { serviceId: id, desiredState: 'shutdown' }),
    testTask('t3', { serviceId: id, status: { state: 'failed', timestamp: 1, message: '' } }),
    testTask('t4', { serviceId: job, jobIteration: 0, status: { state: 'complete', timestamp: 1, message: '' }, desiredState: 'complete' }),
    testTask('t5', { serviceId: job, jobIteration: 1, status: { state: 'complete', timestamp: 1, message: '' }, desiredState: 'complete' }),
    testTask('t6', { serviceId: everywhere }),
    testTask('t7', { serviceId: everywhere, desiredState: 'shutdown' }),
  ];
  await store.commit(
    'orchestrator',
    tasks.map((object) => ({ action: 'create', object })),
  );
  assert.deepEqual(control.services.status(control.services.get(id)), { runningTasks: 2, desiredTasks: 5, completedTasks: 0 });
  assert.deepEqual(control.services.status(control.services.get(job)), { runningTasks: 0, desiredTasks: 2, completedTasks: 1 });
  assert.deepEqual(control.services.status(control.services.get(everywhere)), { runningTasks: 2, desiredTasks: 1, completedTasks: 0 });
});

test('engine options that the swarm forbids are refused, in new services and in changed ones', async () => {
  const { control, store } = await createTestSwarm();
  const privileged = { ...withContainer({ labels: { 'com.docker.skep.engine.privileged': 'true', 'com.docker.skep.engine.shm_size': '1m' } }), name: 'root' };
  const { id } = await control.services.create(privileged);
  const forbid = async (value: string) => {
    const { version, spec } = control.swarm.get();
    const none = { workerToken: false, managerToken: false, unlockKey: false };
    await control.swarm.update(version, { ...spec, labels: { ...spec.labels, 'com.docker.skep.deny-engine-options': value } }, none);
  };
  await forbid('privileged,devices');
  const refused = [403, 'rpc error: code = PermissionDenied desc = this swarm forbids engine options that the service uses: privileged'];
  assert.deepEqual(await refusal(() => control.services.create({ ...privileged, name: 'other' })), refused);
  const { version } = control.services.get(id);
  assert.deepEqual(await refusal(() => control.services.update(id, version, privileged, { registryAuthFrom: 'spec', rollback: false })), refused);
  await control.services.create({ ...withContainer({ labels: { 'com.docker.skep.engine.shm_size': '1m' } }), name: 'small' });
  await forbid('all');
  assert.match((await refusal(() => control.services.create({ ...privileged, name: 'other' })))[1] as string, /privileged, shm_size$/);
  assert.match((await refusal(() => forbid('root')))[1] as string, /"root" is neither "all" nor one of annotations, /);
  assert.equal(store.view.count('service'), 2);
});

test('services that depend on each other in a circle are warned of, and one that is removed at once was made all the same', async () => {
  const { control, store } = await createTestSwarm();
  const dependsOn = (name: string, other: string) => serviceSpec(name, { labels: { 'com.docker.skep.depends_on': other } });
  assert.deepEqual((await control.services.create(dependsOn('a', 'b'))).warnings, []);
  const [warning] = (await control.services.create(dependsOn('b', 'a'))).warnings;
  assert.match(warning ?? '', /in a circle, so that none waits for the other: b -> a -> b/);
  const removals: Promise<void>[] = [];
  store.watch((_revision, events) => {
    for (const { action, object } of events) if (action === 'create' && object.kind === 'service') removals.push(control.services.remove(object.id));
  });
  const { id, warnings } = await control.services.create(dependsOn('c', 'a'));
  await Promise.all(removals);
  assert.deepEqual([warnings, store.view.get('service', id)], [[], undefined]);
});
