import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Task } from '#domain/objects.ts';
import type { ContainerSpec } from '#domain/spec.ts';
import { containerConfig, type ContainerConfigInput, ownResolvConf, stopTimeoutSeconds } from './container-config.ts';

const task = (changes: Partial<Task> = {}): Task => ({
  kind: 'task',
  id: 't1',
  version: 1,
  createdAt: 0,
  updatedAt: 0,
  serviceId: 's1',
  slot: 2,
  nodeId: 'n1',
  spec: { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0 },
  serviceName: 'web',
  serviceLabels: {},
  status: { state: 'preparing', timestamp: 0, message: '' },
  desiredState: 'running',
  networks: [],
  ...changes,
});

interface Body {
  readonly Labels: Record<string, string>;
  readonly Env: string[];
  readonly ExposedPorts: object;
  readonly HostConfig: Record<string, unknown>;
  readonly NetworkingConfig: { readonly EndpointsConfig: object };
}

function configOf(spec: Partial<ContainerSpec>, changes: Partial<ContainerConfigInput> = {}) {
  const input = {
    task: task(),
    spec: { image: 'busybox', ...spec },
    instance: 'i1',
    networks: [],
    overlay: false,
    dnsAddress: '169.254.53.53',
    files: [],
    minorVersion: 41,
  };
  const { body, connectLater } = containerConfig({ ...input, ...changes });
  return { body: body as Body, connectLater };
}

test('a bare spec asks for nothing but the image and our labels', () => {
  const { body } = configOf({});
  assert.deepEqual(Object.keys(body).sort(), ['Env', 'ExposedPorts', 'HostConfig', 'Image', 'Labels', 'NetworkingConfig']);
  assert.deepEqual(body.HostConfig, { RestartPolicy: { Name: 'no' }, Mounts: [], PortBindings: {}, ExtraHosts: [] });
  assert.equal(body.Labels['com.docker.swarm.task.name'], 'web.2.t1');
});

test('engines before API 1.44 get one network at creation and the others afterwards; later ones all at once', () => {
  const networks = [
    { name: 'a', endpoint: { IPAMConfig: { IPv4Address: '10.0.0.2' } } },
    { name: 'b', endpoint: {} },
  ];
  const old = configOf({}, { networks, minorVersion: 43 });
  assert.deepEqual(old.body.NetworkingConfig.EndpointsConfig, { a: networks[0]?.endpoint });
  assert.deepEqual(old.connectLater, [networks[1]]);
  assert.equal(old.body.HostConfig['NetworkMode'], 'a');
  const recent = configOf({}, { networks, minorVersion: 44 });
  assert.deepEqual(Object.keys(recent.body.NetworkingConfig.EndpointsConfig), ['a', 'b']);
  assert.deepEqual(recent.connectLater, []);
});

test('only host-mode ports concern the engine', () => {
  const ports = [
    { protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'ingress' },
    { protocol: 'udp', targetPort: 53, publishedPort: 0, publishMode: 'host' },
    { protocol: 'tcp', targetPort: 22, publishedPort: 2222, publishMode: 'host' },
    { protocol: 'tcp', targetPort: 22, publishedPort: 2223, publishMode: 'host' },
  ] as const;
  const { body } = configOf({}, { task: task({ endpoint: { ports } }) });
  assert.deepEqual(body.HostConfig['PortBindings'], { '53/udp': [{ HostPort: '' }], '22/tcp': [{ HostPort: '2222' }, { HostPort: '2223' }] });
  assert.deepEqual(Object.keys(body.ExposedPorts), ['53/udp', '22/tcp']);
});

test('privileges become security options', () => {
  const selinux = { disable: false, user: 'u', role: '', type: 't', level: '' };
  const profile = Buffer.from('{"defaultAction":"SCMP_ACT_ALLOW"}').toString('base64');
  const of = (privileges: NonNullable<ContainerSpec['privileges']>) => configOf({ privileges }).body.HostConfig['SecurityOpt'];
  assert.deepEqual(of({ selinux }), ['label=user:u', 'label=type:t']);
  assert.deepEqual(of({ selinux: { ...selinux, disable: true, user: '', type: '' } }), ['label=disable']);
  assert.deepEqual(of({ seccomp: { mode: 'custom', profile } }), ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']);
  assert.deepEqual(of({ seccomp: { mode: 'default' }, apparmor: { mode: 'default' } }), []);
  assert.deepEqual(of({ apparmor: { mode: 'disabled' }, noNewPrivileges: true }), ['apparmor=unconfined', 'no-new-privileges=true']);
});

test('what an engine cannot do is refused with the reason', () => {
  const refused: [Partial<ContainerSpec>, RegExp][] = [
    [{ privileges: { credentialSpec: { config: '', file: 'x', registry: '' } } }, /only supported on Windows/],
    [{ oomScoreAdj: 1001 }, /range for oom score adj is \[-1000, 1000\]/],
    [{ mounts: [{ type: 'volume', source: 'v', target: 'x' }] }, /invalid mount target, must be an absolute path: x/],
    [{ mounts: [{ type: 'volume', source: '/v', target: '/x' }] }, /invalid volume mount source, must not be an absolute path: \/v/],
    [{ mounts: [{ type: 'bind', source: 'v', target: '/x', bind: { createMountpoint: true } }] }, /invalid bind mount source, must be an absolute path: v/],
    [{ mounts: [{ type: 'tmpfs', source: 'v', target: '/x' }] }, /invalid tmpfs source, source must be empty/],
    [{ mounts: [{ type: 'cluster', source: 'v', target: '/x' }] }, /cluster volumes/],
    [{ mounts: [{ type: 'image', source: 'v', target: '/x' }] }, /needs Engine API 1\.48/],
    [{ mounts: [{ type: 'volume', source: 'v', target: '/x', volume: { subpath: 's' } }] }, /volume-subpath needs Engine API 1\.45/],
    [{ mounts: [{ type: 'tmpfs', target: '/x', tmpfs: { options: [['noexec']] } }] }, /tmpfs options needs Engine API 1\.46/],
  ];
  for (const [spec, reason] of refused) assert.throws(() => configOf(spec), reason);
});

test('an engine that makes folders for old binds only is given them in that form', () => {
  const bind = (more: object, flags: object = {}) => ({
    type: 'bind' as const,
    source: '/s',
    target: '/t',
    ...more,
    bind: { createMountpoint: true, ...flags },
  });
  const of = (mount: ReturnType<typeof bind>, minorVersion: number) => {
    const { Binds, Mounts } = configOf({ mounts: [mount] }, { minorVersion }).body.HostConfig;
    return [Binds, (Mounts as readonly object[]).length];
  };
  assert.deepEqual(of(bind({}), 41), [['/s:/t'], 0]);
  assert.deepEqual(of(bind({ readOnly: true }, { propagation: 'rslave' }), 41), [['/s:/t:ro,rslave'], 0]);
  assert.deepEqual(of(bind({}), 42), [undefined, 1]);
  assert.throws(() => of(bind({ source: '/a:b' }), 41), /bind-create-src needs Engine API 1\.42/);
});

test('an engine that does not know the interval of the start is not told of it', () => {
  const of = (minorVersion: number) =>
    (configOf({ healthcheck: { test: ['CMD', 'x'], startIntervalNs: 1e9 } }, { minorVersion }).body as { readonly Healthcheck?: object }).Healthcheck;
  assert.deepEqual([of(43), of(44)], [{ Test: ['CMD', 'x'] }, { Test: ['CMD', 'x'], StartInterval: 1e9 }]);
});

test('swap is counted with memory, and -1 stays unlimited', () => {
  const of = (swapBytes: number) => {
    const resources = { limits: { memoryBytes: 100 }, swapBytes };
    return configOf({}, { task: task({ spec: { runtime: { kind: 'container', container: { image: 'x' } }, forceUpdate: 0, resources } }) }).body.HostConfig[
      'MemorySwap'
    ];
  };
  assert.deepEqual([of(50), of(0), of(-1)], [150, 100, -1]);
});

test('the task’s own log driver wins over the cluster’s', () => {
  const driver = (own?: string) => {
    const spec = { ...task().spec, ...(own === undefined ? {} : { logDriver: { name: own } }) };
    return configOf({}, { task: task({ spec, logDriver: { name: 'cluster' } }) }).body.HostConfig['LogConfig'];
  };
  assert.deepEqual(
    [driver('own'), driver()],
    [
      { Type: 'own', Config: {} },
      { Type: 'cluster', Config: {} },
    ],
  );
});

test('a grace period is rounded up to whole seconds', () => {
  assert.deepEqual(
    [0, 1, 1e9, 1.2e9].map((stopGracePeriodNs) => stopTimeoutSeconds({ image: 'x', stopGracePeriodNs })),
    [0, 1, 1, 2],
  );
  assert.equal(stopTimeoutSeconds({ image: 'x' }), undefined);
});

test('resolv.conf is ours only where ndots would hide services', () => {
  const conf = (options: readonly string[], overlay = true) => ownResolvConf({ image: 'x', dns: { options, search: ['a.test'] } }, overlay, '1.2.3.4');
  assert.equal(conf(['ndots:1', 'rotate']), 'nameserver 1.2.3.4\nsearch a.test\noptions ndots:1 rotate\n');
  assert.equal(conf(['ndots:0']), undefined);
  assert.equal(conf(['timeout:1']), undefined);
  assert.equal(conf(['ndots:1'], false), undefined);
});
